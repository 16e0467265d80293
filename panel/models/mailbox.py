"""mailbox - an address with mail kept here.

RULES        `address` is local part and domain name joined; the database keeps it so, whatever
             writes the row. The password is kept only as an Argon2id hash in PHC form
             ("$argon2id$..."), which the engine can check without Django; '' means no login.
             Only domains of kind virtual_mailbox and local have mailboxes.
SOURCE       RFC 9106 (Argon2), virtual(8)
"""

from __future__ import annotations

import pgtrigger
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Lower, Upper
from django.utils.translation import gettext_lazy as _

from panel.constants import ADDRESS_LENGTH, LOCAL_PART_LENGTH
from panel.models.domain import MAILBOX_KINDS, Domain
from panel.models.recording import recorded
from panel.validators import as_address
from tables.addresses import Address

HASH_MARK = "$argon2id$"
HASHER = PasswordHasher()  # RFC 9106's low-memory profile: argon2-cffi's default

JOIN_ADDRESS = """
    SELECT kind, NEW.local_part || '@' || name INTO STRICT domain_kind, NEW.address
        FROM panel_domain WHERE id = NEW.domain_id;
    IF domain_kind NOT IN ('virtual_mailbox', 'local') THEN
        RAISE EXCEPTION 'a domain of kind % cannot have mailboxes', domain_kind
            USING ERRCODE = 'check_violation', CONSTRAINT = 'mailbox_domain_kind';
    END IF;
    RETURN NEW;
"""


class Mailbox(models.Model):
    """One mailbox: joe in example.com."""

    domain = models.ForeignKey(
        Domain, verbose_name=_("domain"), on_delete=models.CASCADE, related_name="mailboxes"
    )
    local_part = models.CharField(
        _("local part"),
        max_length=LOCAL_PART_LENGTH,
        help_text=_('What stands before the "@", without quotes.'),
    )
    address = models.CharField(_("address"), max_length=ADDRESS_LENGTH, unique=True, editable=False)
    full_name = models.CharField(
        _("full name"), max_length=200, blank=True, default="", db_default=""
    )
    password = models.CharField(
        _("password"), max_length=200, blank=True, default="", db_default="", editable=False
    )
    quota_bytes = models.BigIntegerField(
        _("quota"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("In bytes. Empty: no limit but virtual_mailbox_limit."),
    )
    enabled = models.BooleanField(
        _("enabled"),
        default=True,
        db_default=True,
        help_text=_("Mail for a disabled mailbox is refused (5.2.1), what is in it is kept."),
    )

    class Meta:
        ordering = ("address",)
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        constraints = [
            models.UniqueConstraint(fields=["domain", "local_part"], name="mailbox_unique"),
            models.CheckConstraint(
                name="mailbox_local_part_form",
                condition=models.Q(local_part__regex=r"^[^[:cntrl:]]+$")
                & models.Q(local_part=Lower("local_part")),
            ),
            models.CheckConstraint(
                name="mailbox_password_hashed",
                condition=models.Q(password="") | models.Q(password__startswith=HASH_MARK),
            ),
            models.CheckConstraint(
                name="mailbox_quota_positive",
                condition=models.Q(quota_bytes__isnull=True) | models.Q(quota_bytes__gt=0),
            ),
        ]
        indexes = [
            GinIndex(OpClass(Upper("address"), name="gin_trgm_ops"), name="mailbox_search"),
            GinIndex(OpClass(Upper("full_name"), name="gin_trgm_ops"), name="mailbox_name_search"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="join_address",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("domain_id", "local_part"),  # type: ignore[no-untyped-call]
                declare=[("domain_kind", "text")],
                func=JOIN_ADDRESS,
            ),
            *recorded("mailbox", masked=("password",)),
        ]

    def __str__(self) -> str:
        return self.address or self.local_part

    def save(self, *args: object, **kwargs: object) -> None:
        """Stores the row; the address is joined here for the object, by trigger for the row."""
        self.address = f"{self.local_part}@{self.domain.name}"
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def clean(self) -> None:
        """Folds the local part, joins the address and asks for a domain that has mailboxes."""
        if self.domain_id is None:
            return  # the field's own message says so
        if self.domain.kind not in MAILBOX_KINDS:
            raise ValidationError(
                {
                    "domain": _(
                        "%(domain)s is of kind %(kind)s, which has no mailboxes. Make it virtual "
                        "mailbox, or add a virtual entry or an alias instead."
                    )
                    % {"domain": self.domain, "kind": self.domain.kind.replace("_", " ")}
                }
            )
        quoted = Address(self.local_part.strip(), self.domain.name).text
        folded = as_address(quoted, field="local_part")
        self.local_part, self.address = folded.local, folded.internal

    def set_password(self, password: str) -> None:
        """Keeps the hash of a password; '' takes the login away. The caller saves."""
        self.password = HASHER.hash(password) if password else ""

    def check_password(self, password: str) -> bool:
        """True when this is the mailbox's password."""
        if not self.password:
            return False
        try:
            return HASHER.verify(self.password, password)
        except VerificationError:
            return False
