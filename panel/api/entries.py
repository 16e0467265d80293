"""entries - /aliases/, /virtual-entries/, /transports/; within a table /tables/<id>/entries/ and
/access-tables/<id>/rules/.

RULES        the natural key is the key within its table; /aliases/ and its like look in their
             well-known table unless ?table= or the body names another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from panel.api import entryform
from panel.api.filters import BooleanFilter, CharFilter, FilterSet
from panel.api.rowview import RowView
from panel.models import AccessRule, AccessTable, Alias, Entry, Table, Transport, VirtualEntry
from panel.validators import as_key


class EntryFilter(FilterSet):
    """?table=virtual&enabled=true"""

    table = CharFilter(field_name="table__name", label="The name of the table.")
    enabled = BooleanFilter()


class PatternFilter(EntryFilter):
    """?pattern=joe@example.com: as written"""

    pattern = CharFilter(field_name="key", lookup_expr="iexact", label="As written.")


class NameFilter(EntryFilter):
    """?name=postmaster: as written"""

    name = CharFilter(field_name="key", lookup_expr="iexact", label="As written.")


class InTableFilter(FilterSet):
    """?enabled=true"""

    enabled = BooleanFilter()


class EntriesView(RowView):
    """What all entries have in common."""

    search_fields = ("key", "value")
    key_fields: ClassVar[tuple[str, ...]] = ("pattern",)
    plain_fields: ClassVar[tuple[str, ...]] = ()  # of key and value, in views with plain entries
    key_attributes = frozenset({"table_id", "lookup_key"})

    def known_parameters(self) -> set[str]:
        """A key means something only within a table."""
        known = super().known_parameters()
        return known | {"table"} if self.action.startswith("by_key") else known

    def table_of(self, values: Mapping[str, Any]) -> Table:
        """The table that a key is looked for in. Raises ValidationError when there is none."""
        raise NotImplementedError

    def key_columns(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The folded key in its table; where keys may come again, the key as written."""
        table = self.table_of(values)
        text = str(values[self.key_fields[0]]).strip()
        if table.is_ordered:
            return {"table_id": table.pk, "key": text}
        return {"table_id": table.pk, "lookup_key": as_key(table.kind, text)}

    def key_of(self, row: Entry) -> tuple[tuple[str, Any], ...]:
        """As key_columns says it."""
        column = "key" if row.lookup_key is None else "lookup_key"
        return ("table_id", row.table_id), (column, getattr(row, column))

    def plain_sides(self, values: Mapping[str, Any]) -> tuple[str, str] | None:
        """Key and value as they would be stored, where that can be told at sight: bulknew.py"""
        sides = tuple(values.get(name) for name in self.plain_fields)
        key, value = sides if len(sides) == 2 else (None, None)
        return (key, value) if isinstance(key, str) and isinstance(value, str) else None

    def unique_key(self, row: Entry) -> tuple[tuple[str, Any], ...] | None:
        """None in tables that are tried in order."""
        return None if row.lookup_key is None else self.key_of(row)


class WellKnownView(EntriesView):
    """Entries of the tables of one kind, which has a well-known table."""

    kind: ClassVar[str]
    filterset_class: ClassVar[type[FilterSet]] = PatternFilter
    model: ClassVar[Any]

    def table_of(self, values: Mapping[str, Any]) -> Table:
        """The one named by the body or the address, or the well-known one."""
        name = values.get("table") or self.request.query_params.get("table")
        known: dict[Any, Table] = self.__dict__.setdefault("_tables", {})
        if name not in known:
            known[name] = self._table(name)
        return known[name]

    def _table(self, name: Any) -> Table:
        if not name:
            usual: Table = self.model.well_known_table()
            return usual
        found = None
        if isinstance(name, str) and name.isprintable():
            found = Table.objects.filter(name=name, kind=self.kind).first()
        if found is None:
            raise serializers.ValidationError({"table": f"There is no such table: {name!s:.100}."})
        return found

    def key_of_address(self, text: str) -> dict[str, str]:
        """With the table, when the address names one."""
        table = self.request.query_params.get("table")
        return super().key_of_address(text) | ({"table": table} if table else {})


def named_orders(key: str) -> dict[str, str]:
    """What lists of entries can be ordered by."""
    return {"id": "pk", key: "lookup_key", "position": "position", "enabled": "enabled"}


class AliasView(WellKnownView):
    """Local names and their destinations: aliases(5)."""

    kind, model, permission_model = "aliases", Alias, Alias
    queryset = Alias.objects.all()
    serializer_class = entryform.AliasForm
    filterset_class = NameFilter
    ordering_names = named_orders("name")
    key_fields = ("name",)


class VirtualEntryView(WellKnownView):
    """Addresses and the addresses they stand for: virtual(5)."""

    kind, model, permission_model = "virtual", VirtualEntry, VirtualEntry
    queryset = VirtualEntry.objects.all()
    serializer_class = entryform.VirtualEntryForm
    ordering_names = named_orders("pattern")
    plain_fields = ("pattern", "destinations")

    def plain_sides(self, values: Mapping[str, Any]) -> tuple[str, str] | None:
        """The destinations are joined as the row joins them; none may be two."""
        given = values.get("destinations")
        if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
            return None
        if len(given) > entryform.DESTINATIONS_LIMIT:
            return None
        joined = ", ".join(given)
        if joined.count(",") != len(given) - 1:
            return None
        return super().plain_sides({**values, "destinations": joined})


class TransportView(WellKnownView):
    """Which transport and next hop: transport(5)."""

    kind, model, permission_model = "transport", Transport, Transport
    queryset = Transport.objects.all()
    serializer_class = entryform.TransportForm
    ordering_names = named_orders("pattern")


@extend_schema(parameters=[OpenApiParameter("table_pk", int, "path")])
class InTableView(EntriesView):
    """Entries of the one table that the address names."""

    tables: ClassVar[Any]
    filterset_class = InTableFilter

    def known_parameters(self) -> set[str]:
        """The address names the table."""
        return super().known_parameters() - {"table"}

    def table(self) -> Table:
        """The table of the address. Raises Http404."""
        known: dict[str, Table | None] = self.__dict__.setdefault("_tables", {})
        if "" not in known:
            known[""] = self.tables.filter(pk=self.kwargs["table_pk"]).first()
        table = known[""]
        if table is None:
            raise Http404
        return table

    def table_of(self, values: Mapping[str, Any]) -> Table:
        """That of the address."""
        return self.table()

    def get_queryset(self) -> QuerySet[Any]:
        """The entries of the table."""
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return rows.filter(table=self.table())

    def fixed(self) -> dict[str, Any]:
        """New entries belong to the table."""
        return {} if getattr(self, "swagger_fake_view", False) else {"table": self.table()}


class TableEntryView(InTableView):
    """Entries of any table."""

    tables = Table.objects.all()
    permission_model = Entry
    queryset = Entry.objects.select_related("table")
    serializer_class = entryform.EntryForm
    ordering_names = named_orders("key")
    key_fields = ("key",)
    plain_fields = ("key", "value")

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """A search does not find out what is secret."""
        found: Any = super().filter_queryset(queryset)
        if not self.table().is_secret:
            return cast(QuerySet[Any], found)
        words = self.request.query_params.get("search", "").split()
        return cast(QuerySet[Any], found.found_openly(words))

    def hidden_part(self, row: Entry) -> str:
        """A new password is a new version."""
        return row.value if row.table.is_secret else ""


class AccessRuleView(InTableView):
    """Rules of an access table: access(5)."""

    tables = AccessTable.objects.all()
    permission_model = AccessRule
    queryset = AccessRule.objects.all()
    serializer_class = entryform.AccessRuleForm
    ordering_names = named_orders("pattern")
