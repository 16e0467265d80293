"""bulknew - a bulk edit that only adds entries to one table, by COPY.

SUMMARY      read_new(view, bodies) -> NewEntries, or None: it is something else
             .odd() are those for the forms, .put(place, row) what the form made; .taken(); .write()
RULES        what is plain (tables/writing/plain.py) every parser gives back as it is, capitals
             apart. So entries are checked a block at a time, as one text; those that are not
             plain go through the forms, like any other edit. Keys that are taken are asked for all
             at once, and the rows are written by one COPY, with their change records.
SOURCE       decision 0006
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connection
from rest_framework import serializers

from panel.constants import VALUE_LENGTH
from panel.models import Entry, Table
from tables.writing.plain import are_plain

BLOCK = 4096
COMMENT_LENGTH = Entry._meta.get_field("comment").max_length or 0
TAKEN_SHOWN = 100
COLUMNS = "id, table_id, key, lookup_key, value, enabled, comment, position"


class Row(NamedTuple):
    """What is stored of an entry of an indexed table."""

    key: str
    lookup_key: str
    value: str
    enabled: bool = True
    comment: str = ""


class NewEntries:
    """New entries of one table, by their place in the request; None: not checked yet."""

    def __init__(self, table: Table, rows: list[Row | None]) -> None:
        self.table = table
        self.rows = rows

    def odd(self) -> list[int]:
        """The places of those that are for the forms."""
        return [place for place, row in enumerate(self.rows) if row is None]

    def put(self, place: int, entry: Entry) -> bool:
        """Takes what a form has checked; False when it is for another table."""
        if entry.table_id != self.table.pk or entry.lookup_key is None:
            return False
        self.rows[place] = Row(
            entry.key, entry.lookup_key, entry.value, entry.enabled, entry.comment
        )
        return True

    def taken(self) -> list[int]:
        """The places of keys that an entry before them, or a stored one, has already."""
        first: dict[str, int] = {}
        found = []
        for place, row in enumerate(self.rows):
            if row is not None and first.setdefault(row.lookup_key, place) != place:
                found.append(place)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT lookup_key FROM panel_entry "
                "WHERE table_id = %s AND lookup_key = ANY(%s) LIMIT %s",
                [self.table.pk, list(first), TAKEN_SHOWN],
            )
            found += [first[key] for (key,) in cursor.fetchall()]
        return sorted(found)

    def write(self) -> list[int]:
        """Stores them, when all are checked; their ids, in order."""
        table = self.table.pk
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence('panel_entry', 'id')) "
                "FROM generate_series(1, %s)",
                [len(self.rows)],
            )
            ids = [pk for (pk,) in cursor.fetchall()]
            with cursor.copy(f"COPY panel_entry ({COLUMNS}) FROM STDIN") as copy:
                for pk, row in zip(ids, self.rows, strict=True):
                    assert row is not None
                    copy.write_row((pk, table, *row, 0))
        return ids


def read_new(view: Any, bodies: Sequence[Mapping[str, Any]]) -> NewEntries | None:
    """The entries that the bodies describe, when they name one table that is not ordered."""
    if not bodies or not getattr(view, "plain_fields", ()):
        return None
    name = bodies[0].get("table")
    if any(body.get("table") != name for body in bodies):
        return None
    if "table" in bodies[0] and not (isinstance(name, str) and name):
        return None
    try:
        table = view.table_of(bodies[0])
    except serializers.ValidationError:
        return None
    if table.is_ordered:
        return None
    rows: list[Row | None] = []
    for start in range(0, len(bodies), BLOCK):
        rows += _plain(table.kind, [_row_of(view, body) for body in bodies[start : start + BLOCK]])
    return NewEntries(table, rows)


def _row_of(view: Any, body: Mapping[str, Any]) -> Row | None:
    """The row, if it is plain; None where it cannot be."""
    sides = view.plain_sides(body)
    if sides is None:
        return None
    key, value = sides
    enabled, comment = body.get("enabled", True), body.get("comment", "")
    known = len(view.plain_fields) + ("table" in body) + ("enabled" in body) + ("comment" in body)
    if (
        len(body) != known
        or not (key.isascii() and value.isascii() and len(value) <= VALUE_LENGTH)
        or not (isinstance(enabled, bool) and isinstance(comment, str) and comment.isprintable())
        or len(comment) > COMMENT_LENGTH
    ):
        return None
    return Row(key, key.lower(), value, enabled, comment)


def _plain(kind: str, rows: Sequence[Row | None]) -> list[Row | None]:
    """The rows that are plain."""
    some = [row for row in rows if row is not None]
    if _are_plain(kind, some):
        return list(rows)
    return [row if row is not None and _are_plain(kind, [row]) else None for row in rows]


def _are_plain(kind: str, rows: Sequence[Row]) -> bool:
    keys = [row.lookup_key.encode() for row in rows]
    return are_plain(kind, keys, [row.value.lower().encode() for row in rows])
