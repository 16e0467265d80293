"""views - the well-known uses of tables, with pages, forms and endpoints of their own.

SUMMARY      Alias (kind aliases), VirtualEntry (virtual), Transport (transport), AccessRule
             (access): each is Entry, seen through its kind, with the words of its manual page
RULES        there is no second store: these are proxies. A new alias, virtual entry or transport
             without a table goes into the well-known table of its kind, named like the kind.
SOURCE       aliases(5), virtual(5), transport(5), access(5)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from panel.models.table import Entry, EntryQuerySet, Table


class KindManager(models.Manager.from_queryset(EntryQuerySet)):  # type: ignore[misc]
    """Entries of tables of one kind."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().filter(table__kind=self.kind).select_related("table")


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

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Chooses the table, then stores the row."""
        self.choose_table()
        super().save(*args, **kwargs)

    def choose_table(self) -> None:
        """The well-known table, unless one was given."""
        if self.table_id is None:
            self.table = self.well_known_table()


class Alias(WellKnown, Entry):
    """One line of aliases(5): a local name and its destinations."""

    kind = "aliases"
    objects = KindManager("aliases")

    class Meta:
        proxy = True
        ordering = ("table_id", "lookup_key", "id")
        verbose_name = _("alias")
        verbose_name_plural = _("aliases")


class VirtualEntry(WellKnown, Entry):
    """One line of virtual(5): an address pattern and the addresses it stands for."""

    kind = "virtual"
    objects = KindManager("virtual")

    class Meta:
        proxy = True
        ordering = ("table_id", "lookup_key", "id")
        verbose_name = _("virtual entry")
        verbose_name_plural = _("virtual entries")


class Transport(WellKnown, Entry):
    """One line of transport(5): an address pattern, a transport and a next hop."""

    kind = "transport"
    objects = KindManager("transport")

    class Meta:
        proxy = True
        ordering = ("table_id", "lookup_key", "id")
        verbose_name = _("transport")
        verbose_name_plural = _("transports")


class AccessRule(Entry):
    """One line of access(5), in an access table."""

    objects = KindManager("access")

    class Meta:
        proxy = True
        ordering = ("table_id", "position", "lookup_key", "id")
        verbose_name = _("access rule")
        verbose_name_plural = _("access rules")
