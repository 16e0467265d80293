"""postmap - ask the tables of the current generation, or files, as Postfix's postmap does.

SYNOPSIS     python -m delivery postmap [-f] [-h] [-b] -q KEY|- [TYPE:]NAME ...
             python -m delivery postmap -s [TYPE:]NAME ...
SUMMARY      -q KEY: the value, on one line. -q -: keys from standard input, "key<TAB>value" for
             each that is found; with -h, -b the header lines or the body lines of a message are
             the keys. -s: all entries. -f: keys are not folded
RULES        NAME is a table of the current generation (WAYPOST_HOME), or a file when there is a
             slash in it (tables/reading/files.py). TYPE is hash when it is absent
             several tables are asked in order, the first answer counts
             -c DIR and -F, -N, -n, -o, -p, -r, -U, -u, -v, -w, which have no meaning for a question
             here, are taken and not obeyed, because scripts give them
EXIT STATUS  0; 1 when nothing was found, for a table that cannot be asked and for a wrong usage
NOT DONE     making and changing tables (postmap FILE, -i, -d): they are rows, edited in the panel
             or by its API. MIME parts with -m
SOURCE       postmap(1), Postfix postmap.c
"""

from __future__ import annotations

import getopt
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import IO

from delivery.config import Config, read_config
from delivery.errors import DeliveryError
from tables.errors import TableError, TableUnavailable
from tables.formats.base import FailMap, Listing, Map, fold_key
from tables.reading.files import open_anywhere
from tables.reading.snapshot import Snapshot

USAGE = "usage: postmap [-bfh] -q key|- [map_type:]name...   or   postmap -s [map_type:]name..."
BATCH = 4096  # lines written at once
IGNORED = "FNnoprUuvw"

# header: blanks or none before the colon, RFC 5322 2.2 and 4.5.3
_HEADER = re.compile(r"[!-9;-~]+[ \t]*:")

Get = Callable[[str], str | None]
Table = tuple[str, Map]


def main(argv: Sequence[str]) -> int:
    """The exit status of one command; `argv` is what follows the command's name."""
    with _standard(0, "r") as source, _standard(1, "w") as target:
        return run(argv, source, target)


def _standard(descriptor: int, mode: str) -> IO[str]:
    """A standard stream that passes on what is no UTF-8."""
    return open(descriptor, mode, -1, "utf-8", "surrogateescape", "\n", closefd=False)


def run(argv: Sequence[str], source: IO[str], target: IO[str]) -> int:
    """The same with other streams."""
    try:
        if "--help" in argv:
            target.write(f"{USAGE}\n\n{__doc__}")
            return 0
        return _run(argv, source, target)
    except (getopt.GetoptError, DeliveryError, TableError) as error:
        _say(f"fatal: {error}")
        return 1


def _run(argv: Sequence[str], source: IO[str], target: IO[str]) -> int:
    pairs, names = getopt.getopt(list(argv), f"bc:d:fhimq:s{IGNORED}")
    options = dict(pairs)
    if "-d" in options or "-i" in options:
        raise DeliveryError("tables are changed in the panel or by its API, not here")
    if "-m" in options:
        raise DeliveryError("-m: the MIME parts of a message are not taken apart here")
    if "-q" in options and "-s" in options:
        raise DeliveryError("specify only one of -s or -q")
    if not names or not ("-q" in options or "-s" in options):
        raise DeliveryError(USAGE)
    tables = _open(names, read_config())
    if "-s" in options:
        return _list(tables, target)
    key = options["-q"]
    headers, body = "-h" in options, "-b" in options
    if (headers or body) and key != "-":
        raise DeliveryError('specify -b or -h only with "-q -"')
    exactly = "-f" in options
    gets = [(name, _exactly(table) if exactly else table.get) for name, table in tables]
    if key != "-":
        value = _first(gets, key)
        if value is not None:
            target.write(f"{value}\n")
        return int(value is None)
    lines = (line.removesuffix("\n") for line in source)
    keys = message_keys(lines, headers=headers, body=body) if headers or body else lines
    return _answer(gets, keys, target, 1 if source.isatty() else BATCH)


def _open(names: Iterable[str], config: Config) -> list[Table]:
    @cache
    def snapshot() -> Snapshot:
        return Snapshot.open(config.maps)

    tables = []
    for name in names:
        reference = name if ":" in name else f"hash:{name}"
        table = open_anywhere(reference, snapshot)
        if isinstance(table, FailMap):
            raise TableUnavailable(f"{reference}: {table.reason}")
        for problem in getattr(table, "problems", ()):
            _say(f"warning: {reference}: {problem}")
        tables.append((reference, table))
    return tables


def _say(text: str) -> None:
    sys.stderr.write(f"postmap: {text}\n")


def _exactly(table: Map) -> Get:
    """The question without folding: a folded key can only be found as it is."""

    def get(key: str) -> str | None:
        return table.get(key) if table.is_pattern or fold_key(key) == key else None

    return get


def _first(tables: Sequence[tuple[str, Get]], key: str) -> str | None:
    """The first answer of the tables in order."""
    for name, get in tables:
        try:
            value = get(key)
        except TableUnavailable as error:
            raise TableUnavailable(f"table {name}: query error: {error}") from error
        if value is not None:
            if not value:
                _say(f"warning: table {name}: key {key}: empty string result is not allowed")
            return value
    return None


def _answer(
    tables: Sequence[tuple[str, Get]], keys: Iterable[str], target: IO[str], batch: int
) -> int:
    """Answer all keys; 0 when any was found."""
    found = False
    waiting: list[str] = []
    for key in keys:
        value = _first(tables, key)
        if value is None:
            continue
        waiting.append(f"{key}\t{value}\n")
        if len(waiting) >= batch:
            found = True
            target.write("".join(waiting))
            waiting.clear()
    target.write("".join(waiting))
    return 0 if found or waiting else 1


def _list(tables: Iterable[Table], target: IO[str]) -> int:
    """Write the entries of all tables. postmap(1) -s."""
    for name, table in tables:
        if not isinstance(table, Listing):
            raise DeliveryError(f"table {name}: sequence operation is not supported")
        seen: set[str] = set()
        for key, value in table.entries():
            if key not in seen:  # of equal keys the first is what a look-up finds
                seen.add(key)
                target.write(f"{key}\t{value}\n")
    return 0


def message_keys(lines: Iterable[str], *, headers: bool, body: bool) -> Iterator[str]:
    """The headers, their line breaks kept, and the body lines of a message. postmap(1) -h, -b."""
    logical: list[str] = []
    rest = iter(lines)
    for line in rest:
        if logical and line[:1] in (" ", "\t"):
            logical.append(line)
            continue
        if logical and headers:
            yield "\n".join(logical)
        logical = [line]
        if _HEADER.match(line) is None:
            break
    else:
        if logical and headers:
            yield "\n".join(logical)
        return
    if body:
        if logical[0]:
            yield logical[0]  # no empty line between headers and body
        yield from rest
