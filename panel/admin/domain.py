"""domain - pages of the hosted domains, and of their other names."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    BooleanRadioFilter,
    ChoicesDropdownFilter,
)

from panel.admin.base import RowAdmin
from panel.admin.paging import CountedList
from panel.admin.unfolded import display
from panel.forms.domain import DomainAliasForm, DomainForm
from panel.models import Domain, DomainAlias, Mailbox


def both_names(row: Domain | DomainAlias) -> str:
    """The name in Unicode, with what is stored where that differs."""
    if row.display_name == row.name:
        return row.name
    return f"{row.display_name} ({row.name})"


@admin.register(Domain)
class DomainAdmin(RowAdmin):
    """Domains that mail is received for."""

    form = DomainForm
    list_display = ("display_name", "class_name", "mailbox_count", "enabled", "description")
    list_filter = (("kind", ChoicesDropdownFilter), ("enabled", BooleanRadioFilter))
    search_fields = ("name",)
    search_help_text = _("Part of a name")
    counted = (Mailbox, "domain")
    fields = ("name", "kind", "enabled", "description")
    radio_fields = {"kind": admin.VERTICAL}
    empty_help = _(
        "Add the domain whose mail you want to receive, then mailboxes in it, or virtual entries "
        "that lead its addresses elsewhere."
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[CountedList]:
        """With the number of mailboxes of each."""
        return CountedList

    @display(description=_("name"), ordering="name")
    def display_name(self, domain: Domain) -> str:
        """The name in Unicode, with what is stored where that differs."""
        return both_names(domain)

    @display(description=_("kind"), ordering="kind", label=True)
    def class_name(self, domain: Domain) -> str:
        """The address class in two words."""
        return domain.kind.replace("_", " ")

    @display(description=_("mailboxes"))
    def mailbox_count(self, domain: Any) -> str:
        """How many, with a link to them."""
        if not domain.counted:
            return "0"
        url = reverse("admin:panel_mailbox_changelist")
        return format_html(
            '<a class="wp-link" href="{}?domain__id__exact={}">{}</a>',
            url,
            domain.pk,
            domain.counted,
        )


@admin.register(DomainAlias)
class DomainAliasAdmin(RowAdmin):
    """Other names of domains."""

    form = DomainAliasForm
    list_display = ("display_name", "of_domain", "enabled", "description")
    list_filter = (("domain", AutocompleteSelectFilter), ("enabled", BooleanRadioFilter))
    list_select_related = ("domain",)
    search_fields = ("name", "domain__name")
    search_help_text = _("Part of a name")
    autocomplete_fields = ("domain",)
    fields = ("name", "domain", "enabled", "description")
    empty_help = _(
        "A domain alias is another name of a domain: every address of the domain is valid under "
        "it too, and mail for it goes to the same place."
    )

    @display(description=_("name"), ordering="name")
    def display_name(self, alias: DomainAlias) -> str:
        """The name in Unicode, with what is stored where that differs."""
        return both_names(alias)

    @display(description=_("domain"), ordering="domain__name")
    def of_domain(self, alias: DomainAlias) -> str:
        """The domain, with a link to it."""
        url = reverse("admin:panel_domain_change", args=[alias.domain_id])
        return format_html('<a class="wp-link" href="{}">{}</a>', url, alias.domain)
