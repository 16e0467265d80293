"""layers - entries become the file of a hash table, or a small layer over the one that is there.

SUMMARY      write_table(blocks in order) -> Layer, Tally;  extend(table, edits) -> TableContent
RULES        keys are folded, each written once, in the order of code points: the same rows give the
             same bytes. A key that comes again with the same value is written once; with another
             value it is an error, for which one holds would be chance. Where the database lets no
             key come twice a large table needs no order, and is written as its rows come.
             Callers see to it that neither key nor value is empty: postmap -q crashes on an empty
             CDB value, and here it is the mark of an entry that is gone (formats/layered.py).
             An edit costs by its own size: of a large table only a layer is written, which holds
             what differs from the files below. It takes the place of the newest layer, unless that
             is large itself (a bulk edit). A small table, and one that was edited beyond half of
             it, is written out anew. What a table says does not depend on how it is kept: count
             and digest are carried on (tally.py).
             From time to time the base is made anew out of the rows, off the edits' path: the
             caller's business (needs_base says when).
MEMORY       write_table: formats/cdb.py; extend: the layer and the edits
ERRORS       OutOfOrder: sort them and begin again; OSError (disk); TableUnavailable: a file of the
             table before is not what it should be
SOURCE       decision 0005
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import merge
from itertools import chain, islice
from operator import lt
from pathlib import Path

from tables.formats.cdb import CdbBuilder, CdbMap
from tables.formats.layered import GONE, open_layers
from tables.manifest import Layer, TableContent
from tables.writing.report import Report
from tables.writing.store import Build
from tables.writing.tally import Tally

Item = tuple[str, str, str]  # key, value, row
# keys and values in UTF-8, whose order is that of code points, and rows; never empty
Block = tuple[Sequence[bytes], Sequence[bytes], Sequence[str]]

BLOCK = 512  # entries; with more of them the garbage collector looks at each several times
SMALL = 2048  # entries of a base that is written out again at once: a few ms
LAYER_MOST = 4096  # entries of a layer that is written again by every edit
LAYERS_MOST = 6  # over a base; every look-up asks them all
LAYER_SHARE = 256  # this part of the base, and LAYER_MOST, beyond which it is to be made anew


class OutOfOrder(Exception):
    """The entries do not come in the order of their keys."""


def needs_base(table: TableContent) -> bool:
    """True when the layers over the base have become large."""
    *above, base = table.layers
    return sum(layer.count for layer in above) > max(LAYER_MOST, base.count // LAYER_SHARE)


def blocks_of(items: Iterable[Item]) -> Iterator[Block]:
    """The items in blocks."""
    left = iter(items)
    while some := list(islice(left, BLOCK)):
        yield columns(some)


def columns(items: Sequence[Item]) -> Block:
    """The items as a block."""
    return (
        [item[0].encode() for item in items],
        [item[1].encode() for item in items],
        [item[2] for item in items],
    )


def small_by_key(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks; of a table that extend() would write out whole, by key, as it does."""
    left, first, count = iter(blocks), [], 0
    for block in left:
        first.append(block)
        count += len(block[0])
        if count > SMALL:
            break
    if first and count <= SMALL:
        keys, values, rows = zip(
            *sorted(chain(*(zip(*b, strict=True) for b in first))), strict=True
        )
        first = [(keys, values, rows)]
    yield from first
    yield from left


def write_table(
    name: str, blocks: Iterable[Block], build: Build, report: Report, *, unique: bool = False
) -> tuple[Layer, Tally]:
    """One file out of entries that come by key; in any order, when it is known that no key
    comes twice (`unique`)."""
    tally = Tally()

    def write(path: Path) -> int:
        last = (b"", b"", "")
        with CdbBuilder(path) as builder:
            for keys, values, rows in blocks:
                if not unique and last[0] < keys[0] and all(map(lt, keys, islice(keys, 1, None))):
                    last = (keys[-1], values[-1], rows[-1])
                elif not unique:
                    keys, values, last = _unique(name, (keys, values, rows), last, report)
                builder.add_all(keys, values)
                tally.add_all(keys, values)
            return builder.finish()

    return build.write_object(write), tally


def _unique(
    name: str, block: Block, last: tuple[bytes, bytes, str], report: Report
) -> tuple[list[bytes], list[bytes], tuple[bytes, bytes, str]]:
    """Each entry once; conflicts go into the report. `last` is the entry before, and after."""
    last_key, last_value, last_row = last
    keys, values = [], []
    for key, value, row in zip(*block, strict=True):
        if key <= last_key:
            if key < last_key or (value, row) < (last_value, last_row):
                raise OutOfOrder
            if value != last_value:
                report.error(
                    "conflict",
                    row,
                    f"Table {name}: {key.decode()} has two different values, "
                    f"{last_value.decode()!r} ({last_row}) and {value.decode()!r}. "
                    "Remove one of the two.",
                )
            continue
        last_key, last_value, last_row = key, value, row
        keys.append(key)
        values.append(value)
    return keys, values, (last_key, last_value, last_row)


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
    over = {key: value or GONE for key, value in changed.items()}
    *above, base = table.layers or (None,)
    size = len(over) + sum(layer.count for layer in above)
    if base is None or base.count <= SMALL or size > base.count // 2:
        return (_write_all(table.layers, over, build),)
    if len(above) < LAYERS_MOST:
        above = [layer for layer in above[:1] if layer.count <= LAYER_MOST]
    below = table.layers[len(above) :]
    under = open_layers([build.path(layer.digest) for layer in below])
    over = _entries(above, build) | over
    over = {key: over[key] for key in sorted(over) if over[key] != (under.get(key) or GONE)}
    return (_write(over.items(), build), *below) if over else below


def _write_all(layers: Sequence[Layer], over: dict[str, str], build: Build) -> Layer:
    """One file of all there is."""
    over = _entries(layers[:-1], build) | over
    new = sorted((key, value) for key, value in over.items() if value != GONE)
    if not layers:
        return _write(new, build)
    base = CdbMap(build.path(layers[-1].digest)).entries()
    return _write(merge(new, (entry for entry in base if entry[0] not in over)), build)


def _entries(layers: Sequence[Layer], build: Build) -> dict[str, str]:
    """What layers say, newest first, of the entries that they know."""
    found: dict[str, str] = {}
    for layer in reversed(layers):
        found.update(CdbMap(build.path(layer.digest)).entries())
    return found


def _write(entries: Iterable[tuple[str, str]], build: Build) -> Layer:
    def write(path: Path) -> int:
        with CdbBuilder(path) as builder:
            for key, value in entries:
                builder.add_encoded(key.encode(), value.encode())
            return builder.finish()

    return build.write_object(write)
