"""indexed - entries become one hash table in the store.

SUMMARY      IndexedTable(name).put(key, value, row) ...; keep() -> Layer
RULES        keys are folded, sorted by code point and written once: the same rows give the same
             bytes, in whatever order they came. A key that comes again with the same value is
             written once; with another value it is an error, for which one holds would be chance.
             Callers see to it that neither key nor value is empty: postmap -q crashes on an empty
             CDB value, and a table that answers with nothing is broken to Postfix.
MEMORY       bounded, see sorting.py and formats/cdb.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tables.formats.base import fold_key
from tables.formats.cdb import CdbBuilder
from tables.manifest import Layer
from tables.writing.report import Report
from tables.writing.sorting import Sorter
from tables.writing.store import Build


class IndexedTable:
    """One hash table in the making; use in a `with` statement."""

    def __init__(self, name: str, build: Build, report: Report) -> None:
        self.name = name
        self._build = build
        self._report = report
        self._sorter = Sorter(build.scratch)
        self.is_empty = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sorter.__exit__(kind, error, trace)

    def put(self, key: str, value: str, row: str) -> None:
        """Take one entry."""
        self.is_empty = False
        self._sorter.add(fold_key(key), value, row)

    def keep(self) -> Layer:
        """Write the table into the store."""

        def write(path: Path) -> int:
            with CdbBuilder(path) as builder:
                for key, value in self._unique():
                    builder.add(key, value)
                return builder.finish()

        layer = self._build.write_object(write)
        self._report.counts[self.name] = layer.count
        return layer

    def _unique(self) -> Iterator[tuple[str, str]]:
        """Each key once; conflicts go into the report."""
        last_key = last_value = last_row = ""
        for key, value, row in self._sorter:
            if key == last_key:
                if value != last_value:
                    self._report.error(
                        "conflict",
                        row,
                        f"Table {self.name}: {key} has two different values, {last_value!r} "
                        f"({last_row}) and {value!r}. Remove one of the two.",
                    )
                continue
            last_key, last_value, last_row = key, value, row
            yield key, value
