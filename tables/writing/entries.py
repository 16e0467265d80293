"""entries - the rows of one table become its content.

SUMMARY      compile_entries(record, kind, previous, build) -> (TableContent, TableNotes)
RULES        indexed types (hash, its aliases, texthash) become a CDB file under the keys that the
             kind's parser gives; ordered types (regexp, pcre, cidr) keep their source text, one
             line an entry.
             Forms refuse what the parsers refuse. What comes past the forms (SQL, an import) has
             Postfix's outcome, and a warning at its row: a key that can never be looked up is
             left out, a value that cannot be obeyed stays (the mail it meets is deferred), a
             pattern that cannot be read is skipped. An empty key or, in a hash file, an empty
             value is an error: no map may hold one.
             Entries in plain form, nearly all of a large table, are known to be right without the
             parsers (plain.py), a block at a time.
EDITS        an indexed table of which only some rows were edited is extended (layers.py): for each
             key that an edited row has or had, the entry that there is now. That is exact because
             the database lets a lookup key stand once in a table: whoever has the key now is an
             edited row. Where the compiled key is not the row's lookup key (rows written by hand)
             the table is irregular and compiled whole each time.
SOURCE       postmap(1), access(5), regexp_table(5), decision 0005
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from operator import eq

from tables import specs
from tables.errors import EntryError, TableError
from tables.formats.base import fold_key
from tables.formats.cidr import CidrMap, open_cidr
from tables.formats.pcre import open_pcre
from tables.formats.regexp import open_regexp
from tables.formats.ruleset import PatternMap
from tables.manifest import TableContent
from tables.specs import Kind
from tables.writing.layers import (
    BLOCK,
    Block,
    Item,
    blocks_of,
    columns,
    extend,
    small_by_key,
    write_table,
)
from tables.writing.notes import TableNotes
from tables.writing.plain import ADDRESS_KEYS, PLAIN_ADDRESS, PLAIN_VALUES, are_plain
from tables.writing.report import Report
from tables.writing.rows import Edits, EntryKey, EntryTuple, TableRecord
from tables.writing.sorting import Sorter
from tables.writing.store import Build

# The readers of the engine: they say what is wrong with a source text.
READERS: dict[str, Callable[[str], PatternMap | CidrMap]] = {
    "regexp": open_regexp,
    "pcre": open_pcre,
    "cidr": open_cidr,
}

_BREAKS = re.compile(r"[\x00\n\r]")


class _Irregular(Exception):
    """Two entries may have one key."""


@dataclass(frozen=True, slots=True)
class Known:
    """A table as the generation before has it."""

    content: TableContent
    notes: TableNotes


def compile_entries(
    record: TableRecord, kind: Kind, known: Known | None, build: Build
) -> tuple[TableContent, TableNotes]:
    """The table, made of what is known and the edits where that is possible."""
    edits = record.edits
    if known is not None and edits is not None and not known.notes.irregular:
        if not edits.rows:
            return known.content, known.notes
        if specs.TYPES[record.type].indexed:
            extended = _extend(record, kind, known, edits, build)
            if extended is not None:
                return extended
    if specs.TYPES[record.type].ordered:
        return _compile_ordered(record, kind, build)
    return _compile_indexed(record, kind, build)


def _compile_indexed(
    record: TableRecord, kind: Kind, build: Build
) -> tuple[TableContent, TableNotes]:
    """One hash file of all entries."""
    notes = TableNotes()
    try:
        with closing(_read(record, kind, record.entries(), notes)) as blocks:
            ordered = small_by_key(_regular(blocks, notes))
            layer, tally = write_table(record.name, ordered, build, notes.findings, unique=True)
    except _Irregular:
        notes = TableNotes()
        with Sorter(build.scratch) as sorter:
            for block in _read(record, kind, record.entries(), notes):
                for key, value, row in zip(*block, strict=True):
                    sorter.add(key.decode(), value.decode(), row)
            layer, tally = write_table(record.name, blocks_of(sorter), build, notes.findings)
    content = TableContent(
        type=record.type,
        kind=record.kind,
        count=tally.count,
        digest=tally.digest,
        layers=(layer,),
    )
    return content, notes


def _regular(blocks: Iterable[Block], notes: TableNotes) -> Iterator[Block]:
    """The blocks, as long as no key can come again: the database keeps lookup keys unique."""
    for block in blocks:
        if notes.irregular:
            raise _Irregular
        yield block


def _extend(
    record: TableRecord,
    kind: Kind,
    known: Known,
    edits: Edits[EntryKey, EntryTuple],
    build: Build,
) -> tuple[TableContent, TableNotes] | None:
    """What is known with the edits over it; None when that cannot be told."""
    notes = known.notes.without(edits.rows)
    now: dict[str, str | None] = {}
    for text, lookup_key in edits.keys:
        try:
            key = _stored_key(kind, text.strip())
        except TableError:
            continue  # it never was in the map
        if key != lookup_key:
            return None
        now[key] = None
    for keys, values, _rows in _read(record, kind, edits.records(), notes):
        now.update((k.decode(), v.decode()) for k, v in zip(keys, values, strict=True))
    if notes.irregular:
        return None
    return extend(known.content, now, build), notes


def _read(
    record: TableRecord, kind: Kind, entries: Iterable[EntryTuple], notes: TableNotes
) -> Generator[Block, None, None]:
    """The entries of an indexed table as they stand in the map."""
    left = iter(entries)
    while some := list(islice(left, BLOCK)):
        keys, values, rows, lookup_keys = zip(*some, strict=True)
        folded = _fold_plain(kind.name, keys, values)
        if folded is not None:
            if folded != lookup_keys:
                notes.irregular = True
            yield folded, values, rows
        elif items := list(_read_each(record, kind, some, notes)):
            yield columns(items)


def _fold_plain(
    kind: str, keys: tuple[bytes, ...], values: tuple[bytes, ...]
) -> tuple[bytes, ...] | None:
    """The keys as they stand in the map, when all entries are plain, capitals apart."""
    meant = values
    if not are_plain(kind, keys, values):
        keys, meant = tuple(map(bytes.lower, keys)), tuple(map(bytes.lower, values))
        if not are_plain(kind, keys, meant):
            return None
    return None if any(map(eq, keys, meant)) else keys  # lint asks for those of themselves


def _read_each(
    record: TableRecord, kind: Kind, entries: Iterable[EntryTuple], notes: TableNotes
) -> Iterator[Item]:
    """The same, one by one; what is left out or doubtful is noted."""
    for written, meant, row, lookup_key in entries:
        text, value = written.decode().strip(), meant.decode().strip()
        if not _is_line(record, text, value, row, notes.findings):
            continue
        try:
            key = _stored_key(kind, text)
        except TableError as error:
            message = f"{_where(record, text)}: {error} It is left out."
            notes.findings.warning("entry-key", row, message)
            continue
        _check_value(record, kind, text, value, row, notes.findings)
        notes.look_at(kind, key, value, row)
        if lookup_key is None or key != lookup_key.decode():
            notes.irregular = True
        yield key, value, row


def _stored_key(kind: Kind, text: str) -> str:
    """The key as it stands in the map. Raises TableError."""
    if kind.name in ADDRESS_KEYS and PLAIN_ADDRESS.fullmatch(text):
        return text
    return fold_key(kind.parse_key(text))


def _compile_ordered(
    record: TableRecord, kind: Kind, build: Build
) -> tuple[TableContent, TableNotes]:
    """One source text."""
    notes, report = TableNotes(), Report()
    lines, rows = [], []
    for written, meant, row, *_ in record.entries():
        key, value = written.decode().strip(), meant.decode().strip()
        if not _is_line(record, key, value, row, report):
            continue
        if key.startswith("#"):
            message = f"{_where(record, key)}: a line that begins with # is a comment."
            report.warning("entry-key", row, f"{message} Choose another delimiter.")
            continue
        if value and "$" not in value:
            _check_value(record, kind, key, value, row, report)
        notes.look_at(kind, key, value, row)
        lines.append(f"{key} {value}".rstrip() + "\n")
        rows.append(row)
    text = "".join(lines)
    for problem in READERS[record.type](text).problems:
        row = rows[min(problem.line, len(rows)) - 1] if problem.line > 0 else record.row
        said = f"{problem.message}."
        if kind.secret:
            said = f"this line cannot be read as it is meant. {specs.HIDDEN}"
        report.warning("entry-pattern", row, f"Table {record.name}: {said}")
    layer = build.object(text.encode(), count=len(lines))
    content = TableContent(
        type=record.type,
        kind=record.kind,
        count=len(lines),
        digest=layer.digest,
        layers=(layer,),
    )
    notes.findings = report
    return content, notes


def _is_line(record: TableRecord, key: str, value: str, row: str, report: Report) -> bool:
    """True when both sides can stand in a map; else the report says why not."""
    if not key:
        problem = "the key is empty. Fill it in, or remove the entry."
    elif not value and specs.TYPES[record.type].indexed:
        problem = "the value is empty. Fill it in, or remove the entry."
    elif _BREAKS.search(key) or _BREAKS.search(value):
        problem = "there is a line break in it. Write it on one line."
    else:
        return True
    report.error("entry", row, f"{_where(record, key)}: {problem}")
    return False


def _check_value(
    record: TableRecord, kind: Kind, key: str, value: str, row: str, report: Report
) -> None:
    plain = PLAIN_VALUES.get(kind.name)
    if plain is not None and plain.fullmatch(value):
        return
    try:
        kind.parse_value(value)
    except EntryError as error:
        message = f"{_where(record, key)}: {error} Mail that meets this entry is deferred."
        report.warning("entry-value", row, message)


def _where(record: TableRecord, key: str) -> str:
    return f"Table {record.name}, entry {key[:100]!r}"
