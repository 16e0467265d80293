"""entryform - entries of tables in JSON, seen as what their table is for.

SUMMARY      EntryForm(key, value), AliasForm, VirtualEntryForm, TransportForm, AccessRuleForm
RULES        a table is named by its name. The views with a well-known table need none. Each item of
             `destinations` is one destination: what the parsers read must be what was given.
             A secret value goes in and never comes out: it is shown as ***, and that keeps it.
             In tables tried in order, a new entry without a position comes last.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Max
from django.utils.translation import gettext as _
from rest_framework import serializers

from panel.api.fields import Number, Text
from panel.api.rowform import RowForm, memory_of
from panel.constants import PATTERN_LENGTH, VALUE_LENGTH
from panel.models import AccessRule, Alias, Entry, Table, Transport, VirtualEntry
from tables import specs

DESTINATIONS_LIMIT = 10_000
POSITION_LIMIT = 2**31 - 1  # of the column


class TableName(serializers.SlugRelatedField[Table]):
    """A table by its name; asked once for each name in one request."""

    default_error_messages = {
        "does_not_exist": "There is no such table here: {value}.",
        "invalid": "Give the name of a table.",
    }

    def __init__(self, kind: str = "", **kwargs: Any) -> None:
        self.kind = kind
        self.tables = Table.objects.filter(kind=kind) if kind else Table.objects.all()
        super().__init__(slug_field="name", queryset=self.tables, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """The table."""
        if not isinstance(data, str):
            self.fail("invalid")
        known: dict[tuple[str, str], Any] = memory_of(self).setdefault("tables", {})
        if (self.kind, data) not in known:
            found = None
            if data.isprintable():
                found = self.tables.filter(name=data[:200]).first()
            if found is None:
                self.fail("does_not_exist", value=data[:100])
            known[self.kind, data] = found
        return known[self.kind, data]


class EntryForm(RowForm):
    """One entry of a table: key and value as written in its source text."""

    position = Number(
        required=False,
        min_value=0,
        max_value=POSITION_LIMIT,
        help_text="Patterns and networks are tried in this order; exact keys have none.",
    )
    table: serializers.SlugRelatedField[Table] = serializers.SlugRelatedField(
        slug_field="name", read_only=True
    )

    api_names: ClassVar[dict[str, str]] = {"lookup_key": "key"}
    kept = frozenset({"table", "position"})

    class Meta:
        model = Entry
        fields = ("id", "table", "key", "value", "position", "enabled", "comment")

    def new_row(self) -> Any:
        """With the well-known table where the view has one, asked for once."""
        row = super().new_row()
        if row.table_id is None and hasattr(row, "well_known_table"):
            tables = self.memory.setdefault("tables", {})
            if "" not in tables:
                tables[""] = row.well_known_table()
            row.table = tables[""]
        return row

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """What is secret is not shown."""
        shown = super().to_representation(instance)
        if "value" in shown:
            shown["value"] = instance.shown_value
        return shown

    def assign(self, row: Any, attrs: dict[str, Any]) -> None:
        """As given; at the end of its table when no place is given.

        What is shown of a secret value means that it stays.
        """
        if row.pk and attrs.get("value") == specs.MASK and row.table.is_secret:
            attrs = {name: value for name, value in attrs.items() if name != "value"}
        super().assign(row, attrs)
        if row.pk is None and row.table_id and row.table.is_ordered and "position" not in attrs:
            row.position = self._end_of(row.table)

    def _end_of(self, table: Table) -> int:
        """The next place in the table; the rows of one request come one after the other."""
        ends: dict[int, int] = self.memory.setdefault("ends", {})
        if table.pk not in ends:
            last = table.entries.aggregate(last=Max("position"))["last"]
            ends[table.pk] = 0 if last is None else last + 1
        end = ends[table.pk]
        ends[table.pk] = end + 1
        return min(end, POSITION_LIMIT)


def destinations_field() -> serializers.ListField:
    """One or more destinations, as texts."""
    return serializers.ListField(
        child=Text(max_length=VALUE_LENGTH), allow_empty=False, max_length=DESTINATIONS_LIMIT
    )


class DestinationsForm(EntryForm):
    """What aliases and virtual entries have in common."""

    def check(self, row: Any, attrs: dict[str, Any]) -> None:
        """What is read must be what was given: one item is one destination."""
        super().check(row, attrs)
        given = attrs.get("destinations")
        if given is None:
            return
        if len(row.destinations) != len(given):
            message = _("Give each destination as an item of its own, none of them empty.")
            raise serializers.ValidationError({"destinations": message})


class AliasForm(DestinationsForm):
    """One line of aliases(5)."""

    name = Text(max_length=PATTERN_LENGTH, help_text="The local name, without a domain.")
    destinations = destinations_field()
    table = TableName("aliases", required=False, help_text="Left out: aliases.")

    api_names = {"key": "name", "lookup_key": "name", "value": "destinations"}

    class Meta:
        model = Alias
        fields = ("id", "name", "destinations", "table", "position", "enabled", "comment")


class VirtualEntryForm(DestinationsForm):
    """One line of virtual(5)."""

    pattern = Text(max_length=PATTERN_LENGTH, help_text="user@example.com, user, or @example.com.")
    destinations = destinations_field()
    table = TableName("virtual", required=False, help_text="Left out: virtual.")

    api_names = {"key": "pattern", "lookup_key": "pattern", "value": "destinations"}

    class Meta:
        model = VirtualEntry
        fields = ("id", "pattern", "destinations", "table", "position", "enabled", "comment")


class TransportForm(EntryForm):
    """One line of transport(5)."""

    pattern = Text(
        max_length=PATTERN_LENGTH, help_text="user@example.com, example.com, .example.com or *."
    )
    transport = Text(max_length=200, allow_blank=True, help_text="smtp, virtual, error ...")
    nexthop = Text(
        max_length=VALUE_LENGTH,
        required=False,
        allow_blank=True,
        help_text="[mail.example.com]:25, a domain, a text: what the transport takes.",
    )
    table = TableName("transport", required=False, help_text="Left out: transport.")

    api_names = {"key": "pattern", "lookup_key": "pattern", "value": "transport"}

    class Meta:
        model = Transport
        fields = (
            "id",
            "pattern",
            "transport",
            "nexthop",
            "table",
            "position",
            "enabled",
            "comment",
        )

    def check(self, row: Any, attrs: dict[str, Any]) -> None:
        """A transport without a colon in it: what follows is the next hop."""
        if ":" in attrs.get("transport", ""):
            message = _("The name of a transport has no colon; give the next hop as nexthop.")
            raise serializers.ValidationError({"transport": message})
        super().check(row, attrs)

    def default_of(self, source: str) -> Any:
        """No next hop."""
        return "" if source == "nexthop" else super().default_of(source)


class AccessRuleForm(EntryForm):
    """One line of access(5)."""

    pattern = Text(
        max_length=PATTERN_LENGTH,
        help_text="user@example.com, example.com, user@, 192.0.2.1; or a pattern or network.",
    )
    action = Text(
        max_length=VALUE_LENGTH,
        allow_blank=True,
        required=True,
        help_text="OK, REJECT text, DUNNO, 550 text ...",
    )

    api_names = {"key": "pattern", "lookup_key": "pattern", "value": "action"}

    class Meta:
        model = AccessRule
        fields = ("id", "table", "pattern", "action", "position", "enabled", "comment")
