"""entries - the rows of one table become its file in the store.

SUMMARY      compile_indexed, compile_ordered (record, kind, seen, build, report) -> Layer
RULES        indexed types (hash, its aliases, texthash) become a CDB file under the keys that the
             kind's parser gives; ordered types (regexp, pcre, cidr) keep their source text, one
             line an entry.
             Forms refuse what the parsers refuse. What comes past the forms (SQL, an import) has
             Postfix's outcome, and a warning at its row: a key that can never be looked up is
             left out, a value that cannot be obeyed stays (the mail it meets is deferred), a
             pattern that cannot be read is skipped. An empty key or, in a hash file, an empty
             value is an error: no map may hold one.
             Entries in plain form, nearly all of a large table, are known to be right without the
             parsers; test_entries.py proves it against them.
SOURCE       postmap(1), access(5), regexp_table(5)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tables import specs
from tables.errors import EntryError, TableError
from tables.formats.cidr import CidrMap, open_cidr
from tables.formats.pcre import open_pcre
from tables.formats.regexp import open_regexp
from tables.formats.ruleset import PatternMap
from tables.manifest import Layer
from tables.specs import Kind
from tables.writing.indexed import IndexedTable
from tables.writing.report import Report
from tables.writing.rows import EntryRecord, TableRecord
from tables.writing.store import Build

MOST = 10_000  # remembered entries of each kind; lint does not look at what goes beyond

# An address in the form in which it is stored: every parser gives it back as it is.
_LABEL = r"[a-z0-9](?:-?[a-z0-9]){0,30}"
_PLAIN = rf"[a-z0-9_+=]{{1,16}}(?:[.-][a-z0-9_+=]{{1,16}}){{0,2}}@(?:{_LABEL}\.){{1,4}}[a-z]{{2,8}}"
PLAIN_ADDRESS = re.compile(_PLAIN)
PLAIN_LIST = re.compile(rf"{_PLAIN}(?:, ?{_PLAIN})*")
PLAIN_VALUES = {  # kinds with long tables of addresses
    "aliases": PLAIN_LIST,
    "bcc": PLAIN_ADDRESS,
    "canonical": PLAIN_ADDRESS,
    "generic": PLAIN_ADDRESS,
    "virtual": PLAIN_LIST,
}
ADDRESS_KEYS = frozenset(
    {"access", "bcc", "canonical", "generic", "recipients", "relocated", "transport", "virtual"}
)

# The readers of the engine: they say what is wrong with a source text.
READERS: dict[str, Callable[[str], PatternMap | CidrMap]] = {
    "regexp": open_regexp,
    "pcre": open_pcre,
    "cidr": open_cidr,
}

_BREAKS = re.compile(r"[\x00\n\r]")


@dataclass(slots=True)
class Seen:
    """What lint wants to know of entries without reading them again; bounded."""

    tables: dict[str, str] = field(default_factory=dict)  # type:name in an access action -> row
    own_aliases: dict[str, str] = field(default_factory=dict)  # virtual key = its value -> row

    def note(self, kind: Kind, key: str, value: str, row: str) -> None:
        """Look at one entry."""
        if kind.name == "access":
            if ":" in value and len(self.tables) < MOST:
                for word in value.replace(",", " ").split():
                    if specs.is_reference(word):
                        self.tables.setdefault(word, row)
        elif kind.name == "virtual" and key == value.lower() and len(self.own_aliases) < MOST:
            self.own_aliases.setdefault(key, row)


def compile_indexed(
    record: TableRecord, kind: Kind, seen: Seen, build: Build, report: Report
) -> Layer:
    """One hash file."""
    has_addresses = kind.name in ADDRESS_KEYS
    with IndexedTable(record.name, build, report) as table:
        for entry in record.entries():
            key, value = entry.key.strip(), entry.value.strip()
            if not _is_line(record, entry, key, value, report):
                continue
            if not (has_addresses and PLAIN_ADDRESS.fullmatch(key)):
                try:
                    key = kind.parse_key(key)
                except TableError as error:
                    message = f"{_where(record, entry)}: {error} It is left out."
                    report.warning("entry-key", entry.row, message)
                    continue
            _check_value(record, kind, entry, value, report)
            seen.note(kind, key, value, entry.row)
            table.put(key, value, entry.row)
        return table.keep()


def compile_ordered(
    record: TableRecord, kind: Kind, seen: Seen, build: Build, report: Report
) -> Layer:
    """One source text."""
    lines, rows = [], []
    for entry in record.entries():
        key, value = entry.key.strip(), entry.value.strip()
        if not _is_line(record, entry, key, value, report):
            continue
        if key.startswith("#"):
            message = f"{_where(record, entry)}: a line that begins with # is a comment."
            report.warning("entry-key", entry.row, f"{message} Choose another delimiter.")
            continue
        if value and "$" not in value:
            _check_value(record, kind, entry, value, report)
        seen.note(kind, key, value, entry.row)
        lines.append(f"{key} {value}".rstrip() + "\n")
        rows.append(entry.row)
    text = "".join(lines)
    for problem in READERS[record.type](text).problems:
        row = rows[min(problem.line, len(rows)) - 1] if problem.line > 0 else record.row
        report.warning("entry-pattern", row, f"Table {record.name}: {problem.message}.")
    report.counts[record.name] = len(lines)
    return build.object(text.encode(), count=len(lines))


def _is_line(record: TableRecord, entry: EntryRecord, key: str, value: str, report: Report) -> bool:
    """True when both sides can stand in a map; else the report says why not."""
    if not key:
        problem = "the key is empty. Fill it in, or remove the entry."
    elif not value and specs.TYPES[record.type].indexed:
        problem = "the value is empty. Fill it in, or remove the entry."
    elif _BREAKS.search(key) or _BREAKS.search(value):
        problem = "there is a line break in it. Write it on one line."
    else:
        return True
    report.error("entry", entry.row, f"{_where(record, entry)}: {problem}")
    return False


def _check_value(
    record: TableRecord, kind: Kind, entry: EntryRecord, value: str, report: Report
) -> None:
    plain = PLAIN_VALUES.get(kind.name)
    if plain is not None and plain.fullmatch(value):
        return
    try:
        kind.parse_value(value)
    except EntryError as error:
        message = f"{_where(record, entry)}: {error} Mail that meets this entry is deferred."
        report.warning("entry-value", entry.row, message)


def _where(record: TableRecord, entry: EntryRecord) -> str:
    return f"Table {record.name}, entry {entry.key.strip()[:100]!r}"
