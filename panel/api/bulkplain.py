"""bulkplain - a bulk edit that only adds entries in plain form, which need no form.

SUMMARY      read_plain(view, operations) -> PlainEntries, or None: take the forms
RULES        what is plain (tables/writing/plain.py) every parser gives back as it is. So a block of
             entries is checked as one text, keys that are taken are asked for all at once, and the
             rows are written by COPY, with their change records: 100,000 in a few seconds.
             Other operations, other fields, or one entry that is not plain: all of it goes through
             the forms. What comes out is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connection
from rest_framework import serializers

from panel.constants import VALUE_LENGTH
from panel.models import Entry, Table
from tables.writing.plain import encode_plain

BLOCK = 4096
COMMENT_LENGTH = Entry._meta.get_field("comment").max_length or 0
TAKEN_SHOWN = 100
COLUMNS = ("id", "table_id", "key", "lookup_key", "value", "position", "enabled", "comment")


class PlainEntries:
    """New entries of one table."""

    def __init__(self, table: Table, sides: Sequence[tuple[str, str]]) -> None:
        self.table = table
        self.keys = [key for key, _value in sides]
        self.values = [value for _key, value in sides]
        self.more: dict[int, tuple[bool, str]] = {}  # enabled and comment, by place

    def are_plain(self) -> bool:
        """True when every parser takes them as they are."""
        kind, keys, values = self.table.kind, self.keys, self.values
        return all(
            encode_plain(kind, keys[start : start + BLOCK], values[start : start + BLOCK])
            for start in range(0, len(keys), BLOCK)
        )

    def taken(self) -> list[int]:
        """The places of keys that an entry before them, or a row, has already."""
        first: dict[str, int] = {}
        found = [n for n, key in enumerate(self.keys) if first.setdefault(key, n) != n]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT lookup_key FROM panel_entry "
                "WHERE table_id = %s AND lookup_key = ANY(%s) LIMIT %s",
                [self.table.pk, self.keys, TAKEN_SHOWN],
            )
            found += [first[key] for (key,) in cursor.fetchall()]
        return sorted(found)

    def write(self) -> list[int]:
        """Stores them; their ids, in order."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence('panel_entry', 'id')) "
                "FROM generate_series(1, %s)",
                [len(self.keys)],
            )
            ids = [pk for (pk,) in cursor.fetchall()]
            with cursor.copy(f"COPY panel_entry ({', '.join(COLUMNS)}) FROM STDIN") as copy:
                for row in self._rows(ids):
                    copy.write_row(row)
        return ids

    def _rows(self, ids: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        table = self.table.pk
        for place, (pk, key, value) in enumerate(zip(ids, self.keys, self.values, strict=True)):
            enabled, comment = self.more.get(place, (True, ""))
            yield pk, table, key, key, value, 0, enabled, comment


def read_plain(view: Any, bodies: Sequence[Mapping[str, Any]]) -> PlainEntries | None:
    """The entries that the bodies describe, when all of them are plain and of one table."""
    if not bodies or not hasattr(view, "plain_sides"):
        return None
    name = bodies[0].get("table")
    sides, more = [], {}
    for place, body in enumerate(bodies):
        found = view.plain_sides(body)
        if found is None or len(found[1]) > VALUE_LENGTH or body.get("table") != name:
            return None
        sides.append(found)
        left = len(body) - len(view.plain_fields) - ("table" in body)
        if left:
            enabled, comment = body.get("enabled", True), body.get("comment", "")
            if left != ("enabled" in body) + ("comment" in body) or not _is_plain(enabled, comment):
                return None
            more[place] = enabled, comment
    if "table" in bodies[0] and not (isinstance(name, str) and name):
        return None
    try:
        table = view.table_of(bodies[0])
    except serializers.ValidationError:
        return None
    if table.is_ordered:
        return None
    entries = PlainEntries(table, sides)
    entries.more = more
    return entries if entries.are_plain() else None


def _is_plain(enabled: Any, comment: Any) -> bool:
    return (
        isinstance(enabled, bool)
        and isinstance(comment, str)
        and len(comment) <= COMMENT_LENGTH
        and comment.isprintable()
    )
