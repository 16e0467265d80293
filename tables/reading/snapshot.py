"""snapshot - one generation, opened: parameters, services and tables that no longer change.

SUMMARY      Snapshot.open(root) -> .parameters, .services, .settings(cls), .maps("hash:virtual")
RULES        everything is verified when the snapshot is opened, manifest and every table, and held
             from then on: publishing, switching and pruning do not reach who has it. Hash files
             are mapped; patterns are compiled when they are first asked for, or all of them with
             warm(). Files that did not change are taken over from the `previous` snapshot, with
             what was compiled of them: an edit costs by what is new.
             A session keeps the snapshot it began with; files are unmapped when the last one lets
             go (there is no close).
ERRORS       open: GenerationError. maps: none; a table that is not there or of another type gives
             TableUnavailable at every look-up, as does a table that cannot be asked
SOURCE       decision 0005 (layers); postconf(5); Postfix dict_open(3), maps(3)
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from tables.errors import EntryError, GenerationError, TableUnavailable
from tables.formats.base import FailMap, Map
from tables.formats.cdb import CdbMap
from tables.formats.layered import LayeredMap
from tables.formats.reference import open_reference, open_source
from tables.itemtext import split_items
from tables.manifest import Layer, Manifest, TableContent, current_number, read_manifest
from tables.objects import Objects
from tables.parameters import Parameters
from tables.reading.lookup import Maps
from tables.services import Service
from tables.specs import TYPES

T = TypeVar("T")


class Snapshot:
    """One generation. Share it freely: nothing in it changes, several threads may ask it."""

    def __init__(
        self, manifest: Manifest, tables: Mapping[str, _Table], defaults: Mapping[str, str]
    ) -> None:
        self.manifest = manifest
        self.parameters = Parameters(manifest.content.parameters, defaults=defaults)
        self._tables = tables
        self._maps: dict[str, Maps] = {}

    @classmethod
    def open(
        cls,
        root: Path,
        number: int | None = None,
        *,
        defaults: Mapping[str, str] | None = None,
        objects: Objects | None = None,
        previous: Snapshot | None = None,
    ) -> Snapshot:
        """Generation `number`, or the one in force, of the store at `root` (WAYPOST_HOME/maps).

        `defaults` are parameters of this machine. `objects` remembers what was verified before.
        """
        if number is None and (number := current_number(root)) is None:
            raise GenerationError("no generation was ever published here")
        manifest = read_manifest(root, number)
        if objects is None:
            objects = Objects(root / "objects")
        known = {} if previous is None else {table.key: table for table in previous._files()}
        tables = {}
        for name, content in manifest.content.tables.items():
            _check_form(name, content)
            files = [
                known.get((content.type, layer.digest)) or _File(content.type, layer, objects)
                for layer in content.layers
            ]
            tables[name] = _Table(content.type, files)
        return cls(manifest, tables, defaults or {})

    def _files(self) -> Iterator[_File]:
        for table in self._tables.values():
            yield from table.files

    @property
    def number(self) -> int:
        """The number of the generation."""
        return self.manifest.number

    @property
    def revision(self) -> int:
        """The panel's revision that it was made from."""
        return self.manifest.revision

    @property
    def digest(self) -> str:
        """The digest of its content."""
        return self.manifest.digest

    @property
    def services(self) -> tuple[Service, ...]:
        """The services of master.cf."""
        return self.manifest.content.services

    def settings(self, cls: type[T]) -> T:
        """A settings dataclass filled from the parameters; made once for each class."""
        return self.parameters.bind(cls)

    def maps(self, spec: str) -> Maps:
        """The tables of a parameter's text, "hash:virtual, static:x"; opened once for each text."""
        maps = self._maps.get(spec)
        if maps is None:
            opened = [(item, self.table(item)) for item in split_items(spec)]
            maps = self._maps[spec] = Maps(opened)
        return maps

    def warm(self) -> None:
        """Compile all patterns now: a large table takes a second, which no session should wait."""
        for table in self._tables.values():
            table.map()

    def table(self, reference: str) -> Map:
        """One table, "hash:virtual" or any other reference."""
        try:
            return open_reference(reference, self._open_named)
        except EntryError as error:
            return FailMap(str(error))

    def _open_named(self, table_type: str, name: str) -> Map:
        table = self._tables.get(name)
        if table is None:
            return FailMap(f"there is no table {name} in generation {self.number}")
        if not _is_same_type(table.type, table_type):
            return FailMap(f"{name} is a table of the type {table.type}")
        return table.map()


class _Table:
    """One table: a file, or several over one another."""

    __slots__ = ("_map", "files", "type")

    def __init__(self, table_type: str, files: Sequence[_File]) -> None:
        self.type = table_type
        self.files = files
        maps = [file.hash for file in files if file.hash is not None]
        self._map = LayeredMap(maps) if len(maps) > 1 else None

    def map(self) -> Map:
        """The table, ready to be asked."""
        return self._map or self.files[0].map()


class _File:
    """One verified file; a hash file is mapped at once, a source text read at once."""

    __slots__ = ("_map", "_text", "_type", "hash", "key")

    def __init__(self, table_type: str, layer: Layer, objects: Objects) -> None:
        self._type = table_type
        self.key = (table_type, layer.digest)
        self.hash: CdbMap | None = None
        self._map: Map | None = None
        self._text = ""
        descriptor = objects.open(layer.digest, layer.size)
        try:
            if TYPES[table_type].indexed:
                self.hash = CdbMap(objects.path(layer.digest))
            else:
                with os.fdopen(descriptor, "rb", closefd=False) as stream:
                    self._text = stream.read().decode()
        except (OSError, TableUnavailable, UnicodeDecodeError) as error:
            raise GenerationError(f"map file {layer.digest} cannot be read: {error}") from error
        finally:
            os.close(descriptor)

    def map(self) -> Map:
        """The file by itself."""
        if self.hash is not None:
            return self.hash
        if self._map is None:
            self._map = open_source(self._type, self._text)
        return self._map


def _check_form(name: str, content: TableContent) -> None:
    table_type = TYPES.get(content.type)
    if (
        table_type is None
        or table_type.inline
        or (len(content.layers) > 1 and not table_type.indexed)
    ):
        raise GenerationError(
            f"table {name} is kept in a way that this engine does not know; update the engine"
        )


def _is_same_type(first: str, second: str) -> bool:
    """hash and its other names are one type."""
    if first == second:
        return True
    known = TYPES.get(second)
    return known is not None and known.indexed and TYPES[first].indexed
