"""unionmap - the values of several tables together, with commas: unionmap:{type:name, type:name}.

RULES        every table is asked, in order; what is found is joined by commas. As a pattern table
             or not counts what the first table is.
ERRORS       TableUnavailable as soon as one table is
SOURCE       DATABASE_README unionmap; Postfix dict_union(3)
"""

from __future__ import annotations

from collections.abc import Sequence

from tables.formats.base import Map, changes


class UnionMap:
    """Several tables asked at once; at least one."""

    __slots__ = ("_tables", "changes", "is_pattern")

    def __init__(self, tables: Sequence[Map]) -> None:
        self._tables = tuple(tables)
        self.is_pattern = tables[0].is_pattern
        self.changes = any(map(changes, tables))

    def get(self, key: str, /) -> str | None:
        """Return all values of `key` joined by commas, None when no table has it."""
        values = [value for table in self._tables if (value := table.get(key)) is not None]
        # An empty value leaves no comma in front of it, as in dict_union(3).
        joined = ""
        for value in values:
            joined += ("," if joined else "") + value
        return joined or None
