"""domain - a hosted domain and the address class it belongs to.

RULES        the name is stored as A-labels, lower case, and shown as Unicode. A domain with
             mailboxes keeps its class among those that can have them. A renamed domain takes its
             mailboxes along (trigger on the database side). Other names: domainalias.py.
SOURCE       ADDRESS_CLASS_README
"""

from __future__ import annotations

from collections.abc import Collection

import pgtrigger
from django.apps import apps
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from panel.choices import DomainKind
from panel.constants import DOMAIN_LENGTH
from panel.models.recording import recorded
from panel.validators import as_domain
from tables import domains

MAILBOX_KINDS = (DomainKind.VIRTUAL_MAILBOX, DomainKind.LOCAL)
ALIASED_KINDS = (*MAILBOX_KINDS, DomainKind.VIRTUAL_ALIAS)  # their addresses are known here

CARRY_MAILBOXES = """
    IF NEW.kind NOT IN ('virtual_mailbox', 'local')
       AND EXISTS (SELECT FROM panel_mailbox WHERE domain_id = NEW.id) THEN
        RAISE EXCEPTION 'a domain of kind % cannot have mailboxes', NEW.kind
            USING ERRCODE = 'check_violation', CONSTRAINT = 'domain_kind_has_mailboxes';
    END IF;
    IF NEW.kind = 'relay' AND EXISTS (SELECT FROM panel_domainalias WHERE domain_id = NEW.id) THEN
        RAISE EXCEPTION 'a relay domain cannot have other names'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'domain_alias_kind';
    END IF;
    IF NEW.name <> OLD.name THEN
        UPDATE panel_mailbox SET address = local_part || '@' || NEW.name WHERE domain_id = NEW.id;
    END IF;
    RETURN NULL;
"""

CHECK_NAME = """
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('names of domains', 0));
    IF EXISTS (SELECT FROM panel_domainalias WHERE name = NEW.name) THEN
        RAISE EXCEPTION '% is another name of a domain', NEW.name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'domain_alias_name';
    END IF;
    RETURN NEW;
"""


class Domain(models.Model):
    """One domain that this system receives mail for."""

    name = models.CharField(
        _("name"),
        max_length=DOMAIN_LENGTH,
        unique=True,
        help_text=_("example.com; names in other scripts may be written as they are."),
    )
    kind = models.CharField(
        _("kind"),
        max_length=20,
        choices=DomainKind.choices,
        default=DomainKind.VIRTUAL_MAILBOX,
        help_text=_(
            "The address class. A domain is in exactly one: local (mydestination), virtual alias "
            "(virtual_alias_domains), virtual mailbox (virtual_mailbox_domains) or relay "
            "(relay_domains)."
        ),
    )
    enabled = models.BooleanField(
        _("enabled"),
        default=True,
        db_default=True,
        help_text=_("A disabled domain and its mailboxes are left out: mail for it is not hosted."),
    )
    description = models.CharField(
        _("description"), max_length=500, blank=True, default="", db_default=""
    )

    class Meta:
        ordering = ("name",)
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        constraints = [
            models.CheckConstraint(
                name="domain_name_form", condition=models.Q(name__regex=r"^[a-z0-9_.-]+$")
            ),
            models.CheckConstraint(
                name="domain_kind_known", condition=models.Q(kind__in=DomainKind.values)
            ),
        ]
        indexes = [
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="domain_name_search"),
        ]
        triggers = [
            *recorded("domain"),
            pgtrigger.Trigger(
                name="check_name",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("name"),  # type: ignore[no-untyped-call]
                func=CHECK_NAME,
            ),
            pgtrigger.Trigger(
                name="carry_mailboxes",
                when=pgtrigger.After,
                operation=pgtrigger.UpdateOf("name", "kind"),  # type: ignore[no-untyped-call]
                func=CARRY_MAILBOXES,
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The name in Unicode, for people."""
        return domains.display(self.name)

    def clean(self) -> None:
        """Folds the name, and keeps a domain in a class that can have what it has."""
        self.name = as_domain(self.name, field="name")
        if self.pk and self.kind not in ALIASED_KINDS and self.aliases.exists():
            message = _(
                "This domain has other names, and a relay domain cannot. Remove them first."
            )
            raise ValidationError({"kind": message})
        if self.pk and self.kind not in MAILBOX_KINDS and self.mailboxes.exists():
            raise ValidationError(
                {
                    "kind": _(
                        "This domain has mailboxes, so it must be of kind virtual mailbox or "
                        "local. Remove its mailboxes first."
                    )
                }
            )

    def validate_unique(self, exclude: Collection[str] | None = None) -> None:
        """A name is that of one domain, and not another name of one."""
        super().validate_unique(exclude)
        other = apps.get_model("panel", "DomainAlias").objects.filter(name=self.name).first()
        if other is not None:
            message = _("%(name)s is another name of %(domain)s: remove it under Domain aliases.")
            shown = {"name": self.display_name, "domain": other.domain}
            raise ValidationError({"name": message % shown})
