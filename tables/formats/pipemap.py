"""pipemap - the value found in one table is the key for the next: pipemap:{type:name, type:name}.

RULES        the last table's value is the result; a key missing anywhere is not found. As a pattern
             table or not counts what the first table is.
ERRORS       TableUnavailable as soon as one table is
SOURCE       DATABASE_README pipemap; Postfix dict_pipe(3)
"""

from __future__ import annotations

from collections.abc import Sequence

from tables.formats.base import Map, changes


class PipeMap:
    """Several tables in a row; at least one."""

    __slots__ = ("_tables", "changes", "is_pattern")

    def __init__(self, tables: Sequence[Map]) -> None:
        self._tables = tuple(tables)
        self.is_pattern = tables[0].is_pattern
        self.changes = any(map(changes, tables))

    def get(self, key: str, /) -> str | None:
        """Return what comes out at the end, None when a table does not know its key."""
        value: str | None = key
        for table in self._tables:
            if value is None:
                return None
            value = table.get(value)
        return value
