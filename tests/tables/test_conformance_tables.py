"""The look-ups recorded from a real Postfix 3.7.11, one test each.

conformance/<name>/lookups.json holds the questions and what postmap -q and postconf -xh answered,
the files beside it are the tables' source texts. Absent keys and tables that cannot be asked are
told apart: where postmap ended with "fatal", our look-up must raise.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tables.errors import EntryError, TableError, TableUnavailable
from tables.expansion import expand
from tables.formats.base import FailMap, Map, fold_key
from tables.formats.cdb import CdbBuilder, CdbMap
from tables.formats.lines import BLANKS, logical_lines
from tables.formats.reference import open_reference, open_source
from tables.parameters import Parameters, check, find
from tables.textform import parse_postalias, parse_postmap

RECORDED = Path(__file__).parent / "conformance"
# What was compiled into the Postfix that was recorded, where ours differs.
RECORDER = {
    "mail_name": "Postfix",
    "alias_maps": "hash:/etc/aliases, nis:mail.aliases",
    "alias_database": "hash:/etc/aliases",
    "local_recipient_maps": "proxy:unix:passwd.byname $alias_maps",
    "hash_queue_names": "deferred, defer",
}
ETC = "/etc/postfix/"  # any name that has no braces
INDEXED = {"hash", "btree", "cdb", "dbm", "lmdb"}


def recorded(part: str) -> list[Any]:
    """Every recorded result of `part` with the table or configuration it belongs to."""
    found = []
    for path in sorted(RECORDED.glob("*/lookups.json")):
        for number, subject in enumerate(json.loads(path.read_text())[part]):
            for result in subject["results"]:
                name = result.get("name") or f"{subject['table']} {result['key']!r}"
                label = f"{path.parent.name}-{number}-{name}"
                found.append(pytest.param(path.parent, subject, result, id=label))
    return found


def build(source: Path, parser: Any) -> Map:
    """What postmap or postalias makes of a source text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map"
        with CdbBuilder(path) as builder:
            for entry in parser(read(source)).entries:
                builder.add(entry.key, entry.value)
            builder.finish()
        return CdbMap(path)


def read(source: Path) -> str:
    return source.read_bytes().decode(errors="surrogateescape")


@functools.cache
def opened(folder: Path, reference: str, command: str | None) -> Map:
    """Open a recorded table; {ETC}/name is a file in `folder`."""

    def open_named(table_type: str, name: str) -> Map:
        source = folder / name.removeprefix(ETC)
        if not name.startswith(ETC) or not source.exists():
            return FailMap("No such file or directory")
        if table_type not in INDEXED:
            return open_source(table_type, read(source))
        if command is None:
            return FailMap("not built")
        return build(source, parse_postalias if command == "postalias" else parse_postmap)

    try:
        return open_reference(reference.replace("{ETC}/", ETC), open_named)
    except TableError as error:
        return FailMap(str(error))


def look_up(table: Map, key: str, options: list[str]) -> str | None:
    """What postmap -q prints; with -f the key is not folded, and a folded table knows no other."""
    if key == "-":
        return None  # postmap read its keys from standard input, and there were none
    if "-h" in options or "-b" in options:
        parts = message_parts(key, headers="-h" in options, body="-b" in options)
        found = [(part, value) for part in parts if (value := table.get(part)) is not None]
        return "\n".join(f"{part}\t{value}" for part, value in found) if found else None
    if "-f" in options and fold_key(key) != key:
        return None
    return table.get(key)


def message_parts(message: str, *, headers: bool, body: bool) -> Iterator[str]:
    """The headers, unfolded lines kept, and the body lines of a message: postmap(1) -h, -b."""
    head, _, rest = message.partition("\n\n")
    if headers:
        logical = ""
        for line in head.split("\n"):
            if logical and line[:1] in (" ", "\t"):
                logical += "\n" + line
                continue
            if logical:
                yield logical
            logical = line
        yield logical
    if body:
        yield from rest.removesuffix("\n").split("\n")


def is_fatal(subject: Any, result: Any) -> bool:
    messages = [*subject.get("open_messages", ()), *result.get("messages", ())]
    return any("fatal" in message for message in messages)


@pytest.mark.parametrize(("folder", "subject", "result"), recorded("tables"))
def test_table(folder: Path, subject: Any, result: Any) -> None:
    table = opened(folder, subject["table"], subject.get("build"))
    options = subject.get("options", [])
    # LMDB itself cannot be asked for an empty key; our hash tables simply do not have it.
    if is_fatal(subject, result) and result["key"]:
        with pytest.raises(TableUnavailable):
            look_up(table, result["key"], options)
    else:
        assert look_up(table, result["key"], options) == result["result"]


def read_main_cf(lines: list[str]) -> Parameters:
    """The parameters of a main.cf, all of them checked: postconf stops at any that is bad."""
    raw = {}
    for line, text in logical_lines("\n".join(lines)):
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not name or set(name) & set(BLANKS):
            raise EntryError("missing '=' after attribute name", line=line)
        raw[name] = value
    parameters = Parameters(raw, defaults=RECORDER)
    # Several of Postfix's defaults depend on it, so that a bad one is fatal to all.
    expand("${{$compatibility_level} <level {1}?{old}}", parameters.source)
    for name in raw:
        parameters.text(name)
        if find(name):
            check(name, raw[name], others=raw)
    return parameters


@pytest.mark.parametrize(("folder", "subject", "result"), recorded("parameters"))
def test_parameter(folder: Path, subject: Any, result: Any) -> None:
    name = result["name"]
    if result["exit"]:
        with pytest.raises(TableError):
            read_main_cf(subject["main_cf"]).text(name)
    elif f"{name}: unknown parameter" in str(result.get("messages")):
        assert find(name) is None
    else:
        value = read_main_cf(subject["main_cf"]).text(name)
        # postconf prints one blank between words, whatever was written.
        assert " ".join(value.split()) == " ".join(result["value"].split())


def test_all_recorded_lookups_are_here() -> None:
    counts = {part: len(recorded(part)) for part in ("tables", "parameters")}
    assert counts == {"tables": 474, "parameters": 213}
