"""views - the well-known uses of tables, with pages, forms and endpoints of their own.

SUMMARY      Alias(name, destinations), VirtualEntry(pattern, destinations), Transport(pattern,
             transport, nexthop), AccessRule(pattern, action): each is Entry, seen through the kind
             of its table, with the words of its manual page
RULES        there is no second store: these are proxies. A new alias, virtual entry or transport
             without a table goes into the well-known table of its kind, named like the kind.
             Destinations are texts in the form in which they are written into a table.
SOURCE       aliases(5), virtual(5), transport(5), access(5)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from panel.models.table import Entry, EntryQuerySet, Table
from tables import values
from tables.addresses import Address
from tables.destinations import parse_alias_destinations
from tables.errors import EntryError


def other_name(field: str, doc: str) -> property:
    """A property that is a field under another name."""

    def read(entry: Entry) -> str:
        return str(getattr(entry, field))

    def write(entry: Entry, text: str) -> None:
        setattr(entry, field, text)

    return property(read, write, doc=doc)


class KindManager(models.Manager.from_queryset(EntryQuerySet)):  # type: ignore[misc]
    """Entries of tables of one kind."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def get_queryset(self) -> models.QuerySet[Any]:
        rows: models.QuerySet[Any] = super().get_queryset()
        return rows.filter(table__kind=self.kind).select_related("table")


class WellKnown(Entry if TYPE_CHECKING else object):  # type: ignore[misc]
    """What the views with a well-known table have in common; `kind` is that of their tables."""

    kind = ""

    @classmethod
    def well_known_table(cls) -> Table:
        """The table that new entries go into when none is given; made when it is missing."""
        table, _made = Table.objects.get_or_create(
            name=cls.kind, defaults={"type": "hash", "kind": cls.kind}
        )
        return table

    def clean(self) -> None:
        """Chooses the table, then reads both sides."""
        self.choose_table()
        super().clean()
        slip = values.find_slip(self.value, self.addresses)
        if slip is not None:
            message = _("%(read)s is what this would mean; write it so if it is meant.")
            raise ValidationError({"value": message % {"read": slip.text[:200]}})

    @property
    def addresses(self) -> list[Address]:
        """The addresses that the value names."""
        return []

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Chooses the table, then stores the row."""
        self.choose_table()
        super().save(*args, **kwargs)

    def clean_fields(self, exclude: Any = None) -> None:
        """Chooses the table first: it need not be given."""
        self.choose_table()
        super().clean_fields(exclude=exclude)

    def choose_table(self) -> None:
        """The well-known table, unless one was given."""
        if self.table_id is None:
            self.table = self.well_known_table()


class Alias(WellKnown, Entry):
    """One line of aliases(5): a local name and its destinations."""

    kind = "aliases"
    objects: ClassVar[KindManager] = KindManager("aliases")
    name = other_name("key", "The local name.")

    class Meta:
        proxy = True
        ordering = ("table_id", "lookup_key", "id")
        verbose_name = _("alias")
        verbose_name_plural = _("aliases")

    @property
    def destinations(self) -> list[str]:
        """Addresses, local names, /file, |command or :include:/file, one by one."""
        try:
            return [each.written for each in parse_alias_destinations(self.value)]
        except EntryError:
            return [self.value]  # as it was put into the database; a publish says what is wrong

    @destinations.setter
    def destinations(self, texts: Iterable[str]) -> None:
        self.value = ", ".join(texts)

    @property
    def addresses(self) -> list[Address]:
        """Those among the destinations."""
        try:
            found = parse_alias_destinations(self.value)
        except EntryError:
            return []
        return [each.address for each in found if each.address is not None]


class VirtualEntry(WellKnown, Entry):
    """One line of virtual(5): an address pattern and the addresses it stands for."""

    kind = "virtual"
    objects: ClassVar[KindManager] = KindManager("virtual")
    pattern = other_name("key", "user@example.com, user, or @example.com.")

    class Meta:
        proxy = True
        ordering = ("table_id", "lookup_key", "id")
        verbose_name = _("virtual entry")
        verbose_name_plural = _("virtual entries")

    @property
    def destinations(self) -> list[str]:
        """Addresses, one by one."""
        try:
            return [values.print_recipients([each]) for each in values.parse_recipients(self.value)]
        except EntryError:
            return [self.value]  # as it was put into the database; a publish says what is wrong

    @destinations.setter
    def destinations(self, texts: Iterable[str]) -> None:
        self.value = ", ".join(texts)

    @property
    def addresses(self) -> list[Address]:
        """The destinations."""
        try:
            return list(values.parse_recipients(self.value))
        except EntryError:
            return []


class Transport(WellKnown, Entry):
    """One line of transport(5): an address pattern, a transport and a next hop."""

    kind = "transport"
    objects: ClassVar[KindManager] = KindManager("transport")
    pattern = other_name("key", "user@example.com, example.com, .example.com, or *.")

    class Meta:
        proxy = True
        ordering = ("table_id", "lookup_key", "id")
        verbose_name = _("transport")
        verbose_name_plural = _("transports")

    @property
    def transport(self) -> str:
        """The name of the transport; '' leaves it as it would be."""
        return self.value.partition(":")[0]

    @transport.setter
    def transport(self, text: str) -> None:
        self.value = f"{text}:{self.nexthop}"

    @property
    def nexthop(self) -> str:
        """The next hop; '' where the transport needs none."""
        return self.value.partition(":")[2]

    @nexthop.setter
    def nexthop(self, text: str) -> None:
        self.value = f"{self.transport}:{text}"


class AccessRule(Entry):
    """One line of access(5), in an access table."""

    objects: ClassVar[KindManager] = KindManager("access")
    pattern = other_name("key", "user@example.com, example.com, user@, 192.0.2.1 ...")
    action = other_name("value", "OK, REJECT text, DUNNO, 550 text ...")

    class Meta:
        proxy = True
        ordering = ("table_id", "position", "lookup_key", "id")
        verbose_name = _("access rule")
        verbose_name_plural = _("access rules")
