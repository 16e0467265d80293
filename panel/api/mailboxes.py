"""mailboxes - addresses with mail kept here: /mailboxes/.

RULES        an address is given whole; its domain must be one of ours. The password goes in and
             never comes out; '' takes the login away, left out it stays as it is.
LIMITS       hashing a password is slow on purpose: PASSWORDS_AT_ONCE in one bulk edit
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as ModelError
from django.utils.translation import gettext as _
from rest_framework import serializers

from panel.api.fields import Text
from panel.api.filters import CharFilter, FilterSet
from panel.api.problems import Problem
from panel.api.rowform import RowForm
from panel.api.rowview import RowView
from panel.constants import ADDRESS_LENGTH
from panel.models import Domain, Mailbox
from panel.validators import as_address, as_domain

PASSWORD_LIMIT = 1000  # characters
PASSWORDS_AT_ONCE = 100


class MailboxForm(RowForm):
    """An address with mail kept here."""

    address = Text(max_length=ADDRESS_LENGTH, help_text="joe@example.com")
    password = Text(
        write_only=True,
        required=False,
        allow_blank=True,
        max_length=PASSWORD_LIMIT,
        help_text="Never shown. Empty: no login.",
    )
    domain: serializers.SlugRelatedField[Domain] = serializers.SlugRelatedField(
        slug_field="name", read_only=True, help_text="The domain of the address."
    )

    api_names: ClassVar[dict[str, str]] = {"domain": "address", "local_part": "address"}
    kept = frozenset({"password"})

    class Meta:
        model = Mailbox
        fields = (
            "id",
            "address",
            "domain",
            "local_part",
            "full_name",
            "password",
            "quota_bytes",
            "enabled",
        )
        read_only_fields = ("local_part",)

    def assign(self, row: Mailbox, attrs: dict[str, Any]) -> None:
        """Takes the address apart; hashes the password."""
        rest = dict(attrs)
        address = rest.pop("address", None)
        password = rest.pop("password", None)
        super().assign(row, rest)
        if address is not None:
            self._place(row, address)
        if password is not None and not (password and row.check_password(password)):
            row.set_password(password)

    def _place(self, row: Mailbox, text: str) -> None:
        """Puts the mailbox into its domain. Raises ValidationError on the address."""
        try:
            address = as_address(text, field="address")
        except ModelError as error:
            raise serializers.ValidationError(error.message_dict) from error
        domain = self._domain(address.domain)
        if domain is None:
            message = _(
                "There is no domain %s here. Add it first, of the kind virtual_mailbox or local."
            )
            raise serializers.ValidationError({"address": message % address.domain})
        row.domain, row.local_part = domain, address.local

    def _domain(self, name: str) -> Domain | None:
        """The domain; asked once for each name in one request."""
        known: dict[str, Domain | None] = self.memory.setdefault("domains", {})
        if name not in known:
            known[name] = Domain.objects.filter(name=name).first()
        return known[name]


class MailboxFilter(FilterSet):
    """?domain=example.com&address=joe@example.com&enabled=true"""

    domain = CharFilter(method="of_domain", label="The name of the domain.")
    address = CharFilter(method="of_address", label="The whole address.")

    class Meta:
        model = Mailbox
        fields = ("domain", "address", "enabled")

    def of_domain(self, queryset: Any, name: str, value: str) -> Any:
        """Mailboxes of one domain."""
        return queryset.filter(domain__name=as_domain(value, field="domain"))

    def of_address(self, queryset: Any, name: str, value: str) -> Any:
        """The mailbox with this address."""
        return queryset.filter(address=as_address(value, field="address").internal)


class MailboxView(RowView):
    """Addresses with mail kept here."""

    permission_model = Mailbox
    queryset = Mailbox.objects.select_related("domain")
    serializer_class = MailboxForm
    filterset_class = MailboxFilter
    search_fields = ("address", "full_name")
    ordering_names = {
        "id": "pk",
        "address": "address",
        "full_name": "full_name",
        "quota_bytes": "quota_bytes",
        "enabled": "enabled",
    }
    key_fields = ("address",)
    key_attributes = frozenset({"address", "local_part", "domain_id"})

    def key_columns(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The address, folded, without quotes."""
        return {"address": as_address(str(values["address"]), field="address").internal}

    def hidden_part(self, row: Mailbox) -> str:
        """A new password is a new version."""
        return row.password

    def check_bulk(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        """Raises Problem 413 before the first of too many passwords is hashed."""
        if sum(1 for body in bodies if body.get("password")) > PASSWORDS_AT_ONCE:
            message = _("At most %d passwords can be set in one request; send several.")
            raise Problem(413, message % PASSWORDS_AT_ONCE)
