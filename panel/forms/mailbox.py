"""mailbox - the form of a mailbox: its address in one field, its password twice, its quota in MB.

RULES        a password is never shown again; left empty it stays as it is
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminPasswordToggleWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from panel.constants import ADDRESS_LENGTH
from panel.forms.fields import QuotaField
from panel.forms.rows import RowForm
from panel.models import Domain, Mailbox
from panel.validators import as_address

PASSWORD_LIMIT = 500  # characters; Argon2 has no use for more


class MailboxForm(RowForm):
    """One mailbox."""

    checked = ("domain", "local_part", "address")
    shown_as: ClassVar[dict[str, str]] = {
        NON_FIELD_ERRORS: "mail_address",
        "domain": "mail_address",
        "local_part": "mail_address",
        "address": "mail_address",
        "password": "password1",
    }
    labels: ClassVar[dict[str, str | Promise]] = {}

    # The model has a field `address`, which is not editable.
    mail_address = forms.CharField(
        label=_("Address"),
        max_length=ADDRESS_LENGTH + 2,
        widget=UnfoldAdminTextInputWidget(
            {"placeholder": "joe@example.com", "spellcheck": "false", "autocapitalize": "none"}
        ),
        help_text=_("The domain must be one of Domains, and of a kind that has mailboxes."),
    )
    password1 = forms.CharField(
        label=_("Password"),
        max_length=PASSWORD_LIMIT,
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordToggleWidget(
            {"autocomplete": "new-password", "data-generate": "id_password2"}
        ),
    )
    password2 = forms.CharField(
        label=_("Password again"),
        max_length=PASSWORD_LIMIT,
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordToggleWidget({"autocomplete": "new-password"}),
    )
    no_login = forms.BooleanField(
        label=_("Take the password away"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=_("Mail still arrives, but nobody can log in to this mailbox."),
    )
    quota_bytes = QuotaField(
        label=_("Quota"),
        required=False,
        help_text=_(
            "How large the mailbox may become: 500 MB, 2 GB. One MB is 1024 KB. Empty: no limit "
            "but virtual_mailbox_limit."
        ),
    )

    class Meta:
        model = Mailbox
        fields = ("full_name", "quota_bytes", "enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["mail_address"] = self.instance.address
        if "password1" in self.fields:
            self.fields["password1"].help_text = (
                _("Leave it empty to keep the password that the mailbox has.")
                if self.instance.password
                else _("Empty: mail arrives, but nobody can log in to this mailbox.")
            )

    def clean_mail_address(self) -> str:
        """Finds the domain; the row is given it and the local part."""
        try:
            folded = as_address(str(self.cleaned_data["mail_address"]), field="address")
        except ValidationError as error:
            raise ValidationError(error.messages) from error
        domain = Domain.objects.filter(name=folded.domain).first()
        if domain is None:
            raise ValidationError(
                _("%(domain)s is not one of the domains here. Add it under Domains first."),
                params={"domain": folded.domain},
            )
        self.instance.domain, self.instance.local_part = domain, folded.local
        return folded.internal

    def clean(self) -> dict[str, Any] | None:
        """Both passwords are the same, and good enough."""
        data = super().clean() or self.cleaned_data
        first, second = data.get("password1", ""), data.get("password2", "")
        if first != second:
            self.add_error("password2", _("The two passwords are not the same."))
        elif first and data.get("no_login"):
            self.add_error("no_login", _("Give a password, or take it away: not both."))
        elif first:
            try:
                validate_password(first)
            except ValidationError as error:
                self.add_error("password1", error)
            else:
                self.instance.set_password(first)
        elif data.get("no_login"):
            self.instance.set_password("")
        return data
