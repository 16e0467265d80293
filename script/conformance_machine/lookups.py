"""lookups - directories of recorded table look-ups and parameter expansions.

SUMMARY      observe(directory) -> the document with our results; differences(expected, ours)
RULES        a source is built as postmap or postalias would, into the file that the engine reads,
             and asked through the engine's own door; "-h" and "-b" take a message apart, "-f" does
             not fold. What cannot be asked has no result and exit status 1, as in Postfix.
             Compared are the result of every key and the value of every parameter.
SOURCE       FORMAT.md, tables/NAME/lookups.json; postmap(1), postconf(1) -x -h
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conformance_machine.suite import load
from tables.errors import TableError
from tables.expansion import expand, names
from tables.formats.base import FailMap, Map, fold_key
from tables.formats.cdb import CdbBuilder, CdbMap
from tables.formats.reference import open_reference, open_source
from tables.mainfile import parse_main
from tables.parameters import Parameters, check, find
from tables.specs import TYPES
from tables.textform import parse_postalias, parse_postmap

_ETC = "/etc/postfix/"
# compiled into the Postfix that was recorded, where Waypost's own is another
_RECORDER = {
    "mail_name": "Postfix",
    "alias_maps": "hash:/etc/aliases, nis:mail.aliases",
    "alias_database": "hash:/etc/aliases",
    "local_recipient_maps": "proxy:unix:passwd.byname $alias_maps",
    "hash_queue_names": "deferred, defer",
}
Result = tuple[int, str | None]  # exit status, value


def observe(directory: Path) -> dict[str, Any]:
    """The document with our own results."""
    document: dict[str, Any] = load(directory / "lookups.json")
    for table in document.get("tables", []):
        opened = _open(directory, table["table"], table.get("build"))
        for result in table["results"]:
            found = _look_up(opened, result["key"], table.get("options", []))
            result["exit"], result["result"] = found
    for part in document.get("parameters", []):
        for result in part["results"]:
            result["exit"], result["value"] = _parameter(part["main_cf"], result["name"])
    return document


def differences(expected: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(look-up, what differs) for each look-up; '' where nothing does."""
    for table, other in zip(expected.get("tables", []), ours.get("tables", []), strict=True):
        for want, got in zip(table["results"], other["results"], strict=True):
            same = want["result"] == got["result"]
            text = "" if same else f"expected {want['result']!r}, actual {got['result']!r}"
            yield f"{table['table']} {want['key']!r}", text
    parts = zip(expected.get("parameters", []), ours.get("parameters", []), strict=True)
    for part, other in parts:
        for want, got in zip(part["results"], other["results"], strict=True):
            values = [None if each["exit"] else each["value"] for each in (want, got)]
            same = values[0] == values[1]
            text = "" if same else f"expected {values[0]!r}, actual {values[1]!r}"
            yield f"{part['main_cf'][-1]}: {want['name']}", text


def _plain(value: str) -> str:
    """As postconf prints it: one blank between words, whatever was written."""
    return " ".join(value.split())


def _open(directory: Path, reference: str, command: str | None) -> Map:
    def open_named(table_type: str, name: str) -> Map:
        source = directory / name.removeprefix(_ETC)
        if not name.startswith(_ETC) or not source.is_file():
            return FailMap("no such file")
        text = source.read_bytes().decode(errors="surrogateescape")
        if not TYPES[table_type].indexed or table_type == "texthash":
            return open_source(table_type, text)
        if command is None:
            return FailMap("not built")
        parse = parse_postalias if command == "postalias" else parse_postmap
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table"
            with CdbBuilder(path) as builder:
                for entry in parse(text).entries:
                    builder.add(entry.key, entry.value)
                builder.finish()
            return CdbMap(path)

    try:
        return open_reference(reference.replace("{ETC}/", _ETC), open_named)
    except TableError as error:
        return FailMap(str(error))


def _look_up(table: Map, key: str, options: list[str]) -> Result:
    try:
        value = _value(table, key, options)
    except TableError:
        value = None
    return (1, None) if value is None else (0, value)


def _value(table: Map, key: str, options: list[str]) -> str | None:
    if key == "-":
        return None  # keys are read from standard input, and there are none
    if "-h" in options or "-b" in options:
        parts = _parts(key, headers="-h" in options, body="-b" in options)
        found = [(part, value) for part in parts if (value := table.get(part)) is not None]
        return "\n".join(f"{part}\t{value}" for part, value in found) if found else None
    if "-f" in options and fold_key(key) != key:
        return None
    return table.get(key)


def _parts(message: str, *, headers: bool, body: bool) -> Iterator[str]:
    """The headers with their folding, and the body lines, of a message."""
    head, _, rest = message.partition("\n\n")
    if headers:
        header = ""
        for line in head.split("\n"):
            if header and line[:1] in (" ", "\t"):
                header += f"\n{line}"
                continue
            if header:
                yield header
            header = line
        yield header
    if body:
        yield from rest.removesuffix("\n").split("\n")


def _parameter(lines: list[str], name: str) -> tuple[int, str]:
    found = parse_main("\n".join(lines))
    if found.problems and any("no setting" in each.message for each in found.problems):
        return 1, ""
    raw = {setting.name: setting.value for setting in found.settings.values()}
    parameters = Parameters(raw, defaults=_RECORDER)
    try:
        # several of Postfix's defaults depend on it, so that a bad one is fatal to all
        expand("${{$compatibility_level} <level {1}?{old}}", parameters.source)
        for each in raw:
            parameters.text(each)
            if find(each):
                check(each, raw[each], others=raw)
        used = frozenset[str]().union(*map(names, raw.values()))
        return 0, _plain(parameters.text(name)) if find(name) or name in used else ""
    except TableError:
        return 1, ""
