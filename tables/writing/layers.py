"""layers - entries become the file of a hash table, or a small layer over the one that is there.

SUMMARY      write_table(entries in order) -> Layer, Tally;  extend(table, edits) -> TableContent
RULES        keys are folded, in the order of code points, each written once: the same rows give the
             same bytes. A key that comes again with the same value is written once; with another
             value it is an error, for which one holds would be chance. Callers see to it that
             neither key nor value is empty: postmap -q crashes on an empty CDB value, and here it
             is the mark of an entry that is gone (formats/layered.py).
             An edit costs by its own size: of a large table only a layer is written, which holds
             all that differs from the base. It takes the place of the layer before it, so there is
             never more than one. A small table, and one that was edited beyond half of it, is
             written out anew. What a table says does not depend on how it is kept: `count` and
             `digest` are carried on (tally.py).
             From time to time the base is made anew out of the rows, off the edits' path: the
             caller's business (needs_base says when).
MEMORY       write_table: formats/cdb.py; extend: the layer and the edits
ERRORS       OutOfOrder: sort them and begin again; OSError (disk); TableUnavailable: a file of the
             table before is not what it should be
SOURCE       decision 0005
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from heapq import merge
from pathlib import Path

from tables.formats.cdb import CdbBuilder, CdbMap
from tables.formats.layered import GONE, open_layers
from tables.manifest import Layer, TableContent
from tables.writing.report import Report
from tables.writing.store import Build
from tables.writing.tally import Tally

Item = tuple[str, str, str]  # key, value, row

SMALL = 2048  # entries of a base that is written out again at once: a few ms
LAYER_MOST = 4096  # entries of a layer, and
LAYER_SHARE = 256  # this part of the base, beyond which the base is to be made anew


class OutOfOrder(Exception):
    """The entries do not come in the order of their keys."""


def needs_base(table: TableContent) -> bool:
    """True when the layer over the base has become large: every edit writes it again."""
    *above, base = table.layers
    return sum(layer.count for layer in above) > max(LAYER_MOST, base.count // LAYER_SHARE)


def write_table(
    name: str, items: Iterable[Item], build: Build, report: Report
) -> tuple[Layer, Tally]:
    """One file out of entries that come by key."""
    tally = Tally()

    def write(path: Path) -> int:
        with CdbBuilder(path) as builder:
            add, count_in = builder.add_encoded, tally.add
            for key, value in _unique(name, items, report):
                add(key, value)
                count_in(key, value)
            return builder.finish()

    return build.write_object(write), tally


def _unique(name: str, items: Iterable[Item], report: Report) -> Iterator[tuple[bytes, bytes]]:
    """Each entry once, encoded; conflicts go into the report."""
    last_key = last_value = last_row = ""
    for key, value, row in items:
        if key <= last_key:
            if key < last_key or (value, row) < (last_value, last_row):
                raise OutOfOrder
            if value != last_value:
                report.error(
                    "conflict",
                    row,
                    f"Table {name}: {key} has two different values, {last_value!r} "
                    f"({last_row}) and {value!r}. Remove one of the two.",
                )
            continue
        last_key, last_value, last_row = key, value, row
        yield key.encode(), value.encode()


def extend(table: TableContent, edits: Mapping[str, str | None], build: Build) -> TableContent:
    """The table after `edits`: folded key -> value, or None where there is no such entry now.

    A table without layers is one that did not exist.
    """
    tally = Tally(table.count, table.digest)
    before = _values(table, edits, build)
    changed = {key: value for key, value in edits.items() if value != before[key]}
    if not changed:
        return table
    for key, value in changed.items():
        if (old := before[key]) is not None:
            tally.remove(key.encode(), old.encode())
        if value is not None:
            tally.add(key.encode(), value.encode())
    layers = _write_edits(table, changed, build)
    return replace(table, count=tally.count, digest=tally.digest, layers=layers)


def _values(table: TableContent, keys: Iterable[str], build: Build) -> dict[str, str | None]:
    """What the table says of these keys."""
    if not table.layers:
        return dict.fromkeys(keys)
    now = open_layers([build.path(layer.digest) for layer in table.layers])
    return {key: now.get(key) for key in keys}


def _write_edits(
    table: TableContent, changed: Mapping[str, str | None], build: Build
) -> tuple[Layer, ...]:
    """The layers of the table with these entries in another way."""
    if not table.layers:
        return (_write(sorted((key, value) for key, value in changed.items() if value), build),)
    *above, base_layer = table.layers
    base = CdbMap(build.path(base_layer.digest))
    over: dict[str, str] = {}
    for layer in reversed(above):
        over.update(CdbMap(build.path(layer.digest)).entries())
    over.update((key, value or GONE) for key, value in changed.items())
    over = {key: over[key] for key in sorted(over) if over[key] != (base.get(key) or GONE)}
    if base_layer.count <= SMALL or len(over) > base_layer.count // 2:
        rest = ((key, value) for key, value in base.entries() if key not in over)
        kept = ((key, value) for key, value in over.items() if value != GONE)
        return (_write(merge(kept, rest), build),)
    return (_write(over.items(), build), base_layer) if over else (base_layer,)


def _write(entries: Iterable[tuple[str, str]], build: Build) -> Layer:
    def write(path: Path) -> int:
        with CdbBuilder(path) as builder:
            for key, value in entries:
                builder.add_encoded(key.encode(), value.encode())
            return builder.finish()

    return build.write_object(write)
