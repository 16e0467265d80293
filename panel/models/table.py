"""table - any lookup table, and its entries.

SUMMARY      Table(name, type, kind), Entry(table, key, value); parameters name a table "type:name"
RULES        the kind (tables.specs KINDS) says what keys and values mean, the type (TYPES) how
             they are searched. In indexed types (hash ...) a key stands once: `lookup_key` is the
             folded key. In ordered types (regexp, pcre, cidr) entries are tried by `position`,
             lookup_key is NULL and a key may come again; "if /x/" and "endif" have no value.
             Values of a secret kind (passwords) are shown nowhere, in change records neither; a
             table of plain text may become one of passwords, and nothing else another.
             Aliases, virtual entries, transports and access rules are views of these: views.py.
SOURCE       DATABASE_README; postmap(1), regexp_table(5), cidr_table(5)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import pgtrigger
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Length, Upper
from django.db.models.lookups import LessThanOrEqual
from django.utils.translation import gettext_lazy as _

from panel.choices import table_kinds, table_types
from panel.constants import (
    LOOKUP_KEY_BYTES,
    PATTERN_LENGTH,
    RESERVED_TABLE_PREFIX,
    TABLE_NAME_LENGTH,
    VALUE_LENGTH,
)
from panel.models.recording import recorded
from panel.validators import as_key, check_rule, check_value
from tables import specs

SECRET_KINDS = tuple(name for name, kind in specs.KINDS.items() if kind.secret)
TABLE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"

# What a table held before it was made one of passwords stands in the records of its entries.
MASK_VALUES = """
    IF NEW.kind = 'passwords' AND OLD.kind <> NEW.kind THEN
        UPDATE panel_change SET
            before = before || '{"value": "***"}',
            after = after || jsonb_build_object('value', CASE
                WHEN before ->> 'value' <> after ->> 'value' THEN '*** (changed)' ELSE '***' END)
        WHERE model = 'entry' AND coalesce(after, before) ->> 'table_id' = NEW.id::text;
    END IF;
    RETURN NULL;
"""


class OctetLength(models.Func):
    """The length of a text in bytes."""

    function = "octet_length"
    output_field = models.IntegerField()


class Table(models.Model):
    """One lookup table."""

    name = models.CharField(
        _("name"),
        max_length=TABLE_NAME_LENGTH,
        unique=True,
        validators=[
            RegexValidator(
                TABLE_NAME, _("Use letters, digits, dots, hyphens and underscores, without spaces.")
            )
        ],
        help_text=_("Parameters name the table as type:name, for example hash:virtual."),
    )
    type = models.CharField(
        _("type"),
        max_length=20,
        choices=table_types,
        default="hash",
        help_text=_(
            "hash: one exact key each (cdb, lmdb, btree and dbm are other names for it). regexp, "
            "pcre: patterns, tried in order. cidr: networks, tried in order."
        ),
    )
    kind = models.CharField(
        _("kind"),
        max_length=30,
        choices=table_kinds,
        help_text=_("What the table is for; it decides what keys and values mean."),
    )
    description = models.CharField(
        _("description"), max_length=500, blank=True, default="", db_default=""
    )

    class Meta:
        ordering = ("name",)
        verbose_name = _("table")
        verbose_name_plural = _("tables")
        constraints = [
            models.CheckConstraint(
                name="table_name_form",
                condition=models.Q(name__regex=TABLE_NAME)
                & ~models.Q(name__startswith=RESERVED_TABLE_PREFIX),
            ),
        ]
        triggers = [
            *recorded("table"),
            pgtrigger.Trigger(
                name="mask_values",
                when=pgtrigger.After,
                operation=pgtrigger.UpdateOf("kind"),  # type: ignore[no-untyped-call]
                func=MASK_VALUES,
            ),
        ]

    def __str__(self) -> str:
        return self.reference if self.name else ""

    @property
    def reference(self) -> str:
        """How a parameter names this table: hash:virtual."""
        return f"{self.type}:{self.name}"

    @property
    def is_secret(self) -> bool:
        """True when values are shown to nobody."""
        return specs.KINDS[self.kind].secret

    @property
    def is_ordered(self) -> bool:
        """True when entries are tried in order (regexp, pcre, cidr)."""
        return specs.TYPES[self.type].ordered

    def clean(self) -> None:
        """Refuses the compiler's names, and another kind or order once there are entries."""
        if self.name.startswith(RESERVED_TABLE_PREFIX):
            raise ValidationError(
                {"name": _("Names that begin with %s are Waypost's own.") % RESERVED_TABLE_PREFIX}
            )
        if self.kind not in specs.KINDS or self.type not in specs.TYPES:
            return  # the fields' own messages say so
        if self.type not in specs.KINDS[self.kind].types:
            types = ", ".join(specs.KINDS[self.kind].types)
            raise ValidationError(
                {
                    "type": _("A table of kind %(kind)s is one of %(types)s.")
                    % {"kind": self.kind, "types": types}
                }
            )
        if self.pk is None:
            return
        before = Table.objects.filter(pk=self.pk).first()
        if before is None or not self.entries.exists():
            return
        if before.kind != self.kind and (before.kind, self.kind) != ("text", "passwords"):
            raise ValidationError(
                {
                    "kind": _(
                        "This table has entries, which mean something as %(kind)s. Make a new "
                        "table."
                    )
                    % {"kind": before.kind}
                }
            )
        if before.is_ordered != self.is_ordered:
            raise ValidationError(
                {
                    "type": _(
                        "This table has entries: exact keys and patterns cannot be turned into "
                        "each other. Make a new table."
                    )
                }
            )


class AccessTable(Table):
    """A table of kind access: what check_..._access restrictions ask. access(5)"""

    class Manager(models.Manager["AccessTable"]):
        """Access tables only."""

        def get_queryset(self) -> models.QuerySet[AccessTable]:
            return super().get_queryset().filter(kind="access")

    objects: ClassVar[Manager] = Manager()

    class Meta:
        proxy = True
        ordering = ("name",)
        verbose_name = _("access table")
        verbose_name_plural = _("access tables")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not args:
            kwargs.setdefault("kind", "access")
        super().__init__(*args, **kwargs)


class EntryQuerySet(models.QuerySet["Entry"]):
    """Entries; bulk writes fold keys too."""

    def bulk_create(self, objs: Iterable[Entry], *args: Any, **kwargs: Any) -> list[Entry]:
        """As Django's, with every lookup_key filled in."""
        entries = list(objs)
        for entry in entries:
            entry.fold()
        return super().bulk_create(entries, *args, **kwargs)

    def found_openly(self, words: Iterable[str]) -> EntryQuerySet:
        """Without those of secret kinds that are found by their value."""
        found = self
        for word in words:
            found = found.filter(
                models.Q(key__icontains=word) | ~models.Q(table__kind__in=SECRET_KINDS)
            )
        return found


class Entry(models.Model):
    """One entry: key and value as an administrator writes them."""

    table = models.ForeignKey(
        Table, verbose_name=_("table"), on_delete=models.CASCADE, related_name="entries"
    )
    key = models.TextField(_("key"), max_length=PATTERN_LENGTH)
    # NULL where keys may come again: the unique constraint lets NULLs pass.
    lookup_key = models.TextField(_("lookup key"), null=True, editable=False)  # noqa: DJ001
    value = models.TextField(_("value"), max_length=VALUE_LENGTH, blank=True)
    position = models.PositiveIntegerField(
        _("position"),
        default=0,
        db_default=0,
        help_text=_("Patterns and networks are tried in this order. Exact keys have none."),
    )
    enabled = models.BooleanField(_("enabled"), default=True, db_default=True)
    comment = models.CharField(_("comment"), max_length=500, blank=True, default="", db_default="")

    objects = EntryQuerySet.as_manager()

    class Meta:
        ordering = ("table_id", "position", "lookup_key", "id")
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        constraints = [
            models.UniqueConstraint(
                fields=["table", "lookup_key"],
                name="entry_key_unique",
                violation_error_message=_("This table has an entry for this key already."),
            ),
            models.CheckConstraint(
                name="entry_key_length",
                condition=models.Q(key__regex=r"\S")
                & models.Q(LessThanOrEqual(Length("key"), PATTERN_LENGTH)),
            ),
            models.CheckConstraint(
                name="entry_lookup_key_length",
                condition=models.Q(lookup_key__isnull=True)
                | models.Q(LessThanOrEqual(OctetLength("lookup_key"), LOOKUP_KEY_BYTES)),
            ),
            models.CheckConstraint(
                name="entry_value_length",
                condition=models.Q(LessThanOrEqual(Length("value"), VALUE_LENGTH)),
            ),
        ]
        indexes = [
            models.Index(fields=["table", "position", "lookup_key", "id"], name="entry_order"),
            GinIndex(OpClass(Upper("key"), name="gin_trgm_ops"), name="entry_key_search"),
            GinIndex(OpClass(Upper("value"), name="gin_trgm_ops"), name="entry_value_search"),
        ]
        triggers = recorded("entry")

    def __str__(self) -> str:
        return self.key

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Stores the row with its lookup key."""
        self.fold()
        super().save(*args, **kwargs)

    @property
    def shown_value(self) -> str:
        """The value as anybody may see it."""
        return specs.MASK if self.table.is_secret else self.value

    def fold(self) -> None:
        """Fills in the lookup key: the folded key, or None in tables searched in order."""
        self.key, self.value = self.key.strip(), self.value.strip()
        self.lookup_key = None if self.table.is_ordered else as_key(self.table.kind, self.key)

    def clean(self) -> None:
        """Has the kind's parsers read both sides."""
        if self.table_id is None or not self.key:
            return  # the fields' own messages say so
        self.fold()
        if self.table.is_secret and self.value == specs.MASK:
            raise ValidationError({"value": _("Give the value; this is what is shown of one.")})
        if self.table.is_ordered:
            check_rule(self.table.type, self.key, self.value, is_secret=self.table.is_secret)
            if not self.value or "$" in self.value:
                return  # if and endif; $1 is known only when a key is looked up
        check_value(self.table.kind, self.value)
