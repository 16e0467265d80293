"""domainalias - another name of a hosted domain: the same local parts, under a second name.

RULES        every address of the domain that is known when a generation is compiled (its mailboxes,
             and its entries in virtual_alias_maps) is known under the other name too, and leads to
             the address in the domain; every other one is refused there as here. So it is no
             "@other @domain" entry, which would make every address valid.
             A relay domain has no such names: its addresses are not known here.
             No name is that of a domain and of another name of one (trigger on both sides; one lock
             for all names, which domains share: a lock for each name would be too many in bulk).
SOURCE       virtual(5), ADDRESS_CLASS_README
"""

from __future__ import annotations

from collections.abc import Collection

import pgtrigger
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from panel.constants import DOMAIN_LENGTH
from panel.models.domain import ALIASED_KINDS, Domain
from panel.models.recording import recorded
from panel.validators import as_domain
from tables import domains

CHECK_NAME = """
    PERFORM pg_advisory_xact_lock(hashtextextended('names of domains', 0));
    IF EXISTS (SELECT FROM panel_domain WHERE name = NEW.name) THEN
        RAISE EXCEPTION '% is a domain of its own', NEW.name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'domain_alias_name';
    END IF;
    IF EXISTS (SELECT FROM panel_domain WHERE id = NEW.domain_id AND kind = 'relay') THEN
        RAISE EXCEPTION 'a relay domain cannot have other names'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'domain_alias_kind';
    END IF;
    RETURN NEW;
"""


class DomainAlias(models.Model):
    """One other name: example.org for example.com."""

    name = models.CharField(
        _("name"),
        max_length=DOMAIN_LENGTH,
        unique=True,
        help_text=_("example.org; names in other scripts may be written as they are."),
    )
    domain = models.ForeignKey(
        Domain,
        verbose_name=_("domain"),
        on_delete=models.CASCADE,
        related_name="aliases",
        help_text=_(
            "The domain that it is another name of. Its mailboxes and virtual entries are valid "
            "under both names; mail for other addresses is refused."
        ),
    )
    enabled = models.BooleanField(
        _("enabled"),
        default=True,
        db_default=True,
        help_text=_("A disabled name is left out: mail for it is not hosted."),
    )
    description = models.CharField(
        _("description"), max_length=500, blank=True, default="", db_default=""
    )

    class Meta:
        ordering = ("name",)
        verbose_name = _("domain alias")
        verbose_name_plural = _("domain aliases")
        constraints = [
            models.CheckConstraint(
                name="domain_alias_name_form", condition=models.Q(name__regex=r"^[a-z0-9_.-]+$")
            ),
        ]
        indexes = [
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="domain_alias_search"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="check_name",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("name", "domain_id"),  # type: ignore[no-untyped-call]
                func=CHECK_NAME,
            ),
            *recorded("domainalias"),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The name in Unicode, for people."""
        return domains.display(self.name)

    def clean(self) -> None:
        """Folds the name; the domain's addresses must be known here."""
        self.name = as_domain(self.name, field="name")
        if self.domain_id is not None and self.domain.kind not in ALIASED_KINDS:
            message = _(
                "%(domain)s is a relay domain, whose addresses are not known here. Add the other "
                "name as a relay domain of its own."
            )
            raise ValidationError({"domain": message % {"domain": self.domain}})

    def validate_unique(self, exclude: Collection[str] | None = None) -> None:
        """A name is another name of one domain, and not a domain itself."""
        super().validate_unique(exclude)
        if Domain.objects.filter(name=self.name).exists():
            message = _("%(name)s is a domain of its own. Remove it first, or choose another name.")
            raise ValidationError({"name": message % {"name": self.display_name}})
