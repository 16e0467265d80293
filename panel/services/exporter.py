"""exporter - a generation as the files of a stock Postfix: the inverse of the importer.

SUMMARY      export(content, paths_of, directory, table_type="cdb") -> remarks
RULES        main.cf and master.cf say type:$config_directory/name where Waypost says type:name.
             Every table has its source text; an indexed one also the database that Postfix reads:
             cdb and lmdb are written here. For hash and btree (Berkeley DB) run postmap or
             postalias over the sources.
             Where Waypost's default is another than Postfix's it is written out. What a stock
             Postfix does not have is left out, with a remark.
             What was exported and is imported again gives the same content.
ERRORS       ExportProblem: the directory is not empty; OSError
NOT DONE     mail that is in the queue; files that paths in parameters name (certificates,
             :include: lists)
SOURCE       main.cf(5), master.cf(5), DATABASE_README, CDB_README, LMDB_README
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import lmdb

from tables import specs
from tables.errors import EntryError
from tables.formats.cdb import CdbBuilder
from tables.formats.layered import open_layers
from tables.mainfile import print_main
from tables.manifest import Content, TableContent
from tables.masterfile import print_master
from tables.parameters import REGISTRY
from tables.textform import print_postalias, print_postmap

TYPES = ("cdb", "lmdb", "hash", "btree")
PathsOf = Callable[[TableContent], list[Path]]  # the files of a table, newest first

# only Waypost has it
_OWN_PARAMETERS = frozenset({"virtual_mailbox_limit_maps"})
# its own name, and what only the command newaliases reads
_DEFAULTS_KEPT = frozenset({"mail_name", "alias_database"})
_LMDB_BYTES = 1 << 36  # of address space, not of the file


class ExportProblem(Exception):
    """Nothing was written; the text says why."""


def export(
    content: Content, paths_of: PathsOf, directory: Path, *, table_type: str = "cdb"
) -> list[str]:
    """Write the files into a new or empty directory; return what there is to say."""
    if directory.exists() and any(directory.iterdir()):
        raise ExportProblem(f"{directory} is not empty: give another directory.")
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    return _Export(content, paths_of, directory.resolve(), table_type).run()


class _Export:
    """One export."""

    def __init__(
        self, content: Content, paths_of: PathsOf, directory: Path, table_type: str
    ) -> None:
        self._content = content
        self._paths_of = paths_of
        self._directory = directory
        self._type = table_type
        self._remarks: list[str] = []
        names = "|".join(sorted(map(re.escape, content.tables), key=len, reverse=True)) or "(?!)"
        types = "|".join(name for name, known in specs.TYPES.items() if known.has_rows)
        self._reference = re.compile(
            rf"(?<![\w./$:-])(?P<type>{types}):(?P<name>{names})(?![\w./-])"
        )
        self._secret = {
            match["name"]
            for name, value in content.parameters.items()
            if name in specs.PASSWORD_MAPS
            for match in self._reference.finditer(value)
        }

    def run(self) -> list[str]:
        for name, table in sorted(self._content.tables.items()):
            self._write_table(name, table)
        (self._directory / "main.cf").write_text(print_main(self._parameters()))
        if self._content.services:
            services = (
                replace(service, overrides=self._renamed(service.overrides))
                for service in self._content.services
            )
            (self._directory / "master.cf").write_text(print_master(services))
        else:
            self._say("There are no services of one's own: take the master.cf of the package.")
        return self._remarks

    def _say(self, text: str) -> None:
        self._remarks.append(text)

    # parameters

    def _parameters(self) -> dict[str, str]:
        found = self._renamed(self._content.parameters)
        for name in sorted(_OWN_PARAMETERS & found.keys()):
            del found[name]
            self._say(f"{name} is left out: only Waypost has it.")
        for name, parameter in REGISTRY.items():
            differs = parameter.postfix_default not in (None, parameter.default)
            if differs and name not in found and name not in _DEFAULTS_KEPT:
                found[name] = parameter.default
        return found

    def _renamed(self, texts: Mapping[str, str]) -> dict[str, str]:
        return {name: self._named(text, "$config_directory") for name, text in texts.items()}

    def _named(self, text: str, folder: str) -> str:
        """The text with files instead of tables."""
        if ":" not in text:
            return text
        return self._reference.sub(
            lambda match: f"{self._type_of(match['name'])}:{folder}/{match['name']}", text
        )

    def _type_of(self, name: str) -> str:
        own = self._content.tables[name].type
        return self._type if specs.TYPES[own].indexed and own != "texthash" else own

    # tables

    def _write_table(self, name: str, table: TableContent) -> None:
        is_secret = specs.KINDS[table.kind].secret or name in self._secret
        mode = 0o600 if is_secret else 0o644
        before = os.umask(0o777 & ~mode)  # a secret is one from its first octet on
        try:
            self._write_files(name, table, mode)
        finally:
            os.umask(before)

    def _write_files(self, name: str, table: TableContent, mode: int) -> None:
        source = self._directory / name
        if specs.TYPES[table.type].ordered:
            source.write_bytes(self._paths_of(table)[0].read_bytes())
            source.chmod(mode)
            return
        with source.open("w", encoding="utf-8") as out:
            out.writelines(self._source_lines(name, table))
        source.chmod(mode)
        if table.type == "texthash":
            return
        if self._type == "cdb":
            _write_cdb(source.with_name(f"{name}.cdb"), self._entries(table), mode)
        elif self._type == "lmdb":
            _write_lmdb(source.with_name(f"{name}.lmdb"), self._entries(table), mode)

    def _entries(self, table: TableContent) -> Iterator[tuple[str, str]]:
        for key, value in open_layers(self._paths_of(table)).entries():
            # an access action is not expanded: it needs the whole path
            is_action = table.kind == "access" and ":" in value
            yield key, self._named(value, str(self._directory)) if is_action else value

    def _source_lines(self, name: str, table: TableContent) -> Iterator[str]:
        write = print_postalias if table.kind == "aliases" else print_postmap
        for key, value in self._entries(table):
            try:
                yield write([(key, value)])
            except EntryError as error:
                self._say(f"{name}: {error} It is in the database only.")


def _write_cdb(path: Path, entries: Iterable[tuple[str, str]], mode: int) -> None:
    with CdbBuilder(path) as builder:
        for key, value in entries:
            builder.add(key, value)
        builder.finish()
    path.chmod(mode)


def _write_lmdb(path: Path, entries: Iterable[tuple[str, str]], mode: int) -> None:
    """An LMDB file as Postfix reads it: one unnamed database, no directory around it."""
    with lmdb.open(
        str(path), subdir=False, map_size=_LMDB_BYTES, lock=False, mode=mode, sync=False
    ) as environment:
        with environment.begin(write=True) as transaction:
            for key, value in entries:
                transaction.put(key.encode(), value.encode())
        environment.sync(True)
