"""mailbox - pages of the mailboxes."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, BooleanRadioFilter

from panel.admin.base import RowAdmin
from panel.admin.unfolded import display
from panel.forms.fields import quota_text
from panel.forms.mailbox import MailboxForm
from panel.models import Mailbox


@admin.register(Mailbox)
class MailboxAdmin(RowAdmin):
    """Addresses with mail kept here."""

    form = MailboxForm
    list_display = ("address", "full_name", "quota", "has_password", "enabled")
    list_filter = (("domain", AutocompleteSelectFilter), ("enabled", BooleanRadioFilter))
    search_fields = ("address", "full_name")
    search_help_text = _("Part of an address or of a name")
    fieldsets = (
        (None, {"fields": ("mail_address", "full_name", "enabled", "quota_bytes")}),
        (_("Password"), {"fields": ("password1", "password2", "no_login")}),
    )
    add_fieldsets = (
        (None, {"fields": ("mail_address", "full_name", "enabled", "quota_bytes")}),
        (_("Password"), {"fields": ("password1", "password2")}),
    )
    empty_help = _(
        "A mailbox is an address whose mail is kept here. Its domain must be of kind virtual "
        "mailbox or local."
    )

    @display(description=_("quota"), ordering="quota_bytes")
    def quota(self, mailbox: Mailbox) -> str:
        """In the largest unit that says it."""
        return quota_text(mailbox.quota_bytes) or "–"

    @display(description=_("password"), boolean=True)
    def has_password(self, mailbox: Mailbox) -> bool:
        """True when somebody can log in."""
        return bool(mailbox.password)
