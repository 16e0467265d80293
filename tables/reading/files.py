"""files - tables outside of a generation: source texts, and maps that "postmap cdb:" has made.

SUMMARY      open_anywhere("hash:virtual", snapshot) -> Map: of the generation, or of a file
RULES        a name with a slash in it is a file, any other a table of the generation, which is
             opened when the first of these is met
             regexp, pcre, cidr and texthash files are source texts; hash and its other names are
             CDB files, .cdb being put to a name that does not end so, as Postfix does
ERRORS       EntryError for what is no reference; TableUnavailable: no such file, not readable, not
             a CDB file. GenerationError from `snapshot`.
NOT DONE     files of Berkeley DB and LMDB
SOURCE       postmap(1), DATABASE_README
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tables.errors import EntryError, TableUnavailable
from tables.formats.base import Map
from tables.formats.cdb import CdbMap
from tables.formats.reference import open_reference, open_source
from tables.reading.snapshot import Snapshot
from tables.specs import TYPES

SUFFIX = ".cdb"


def open_anywhere(reference: str, snapshot: Callable[[], Snapshot]) -> Map:
    """The table that "type:name" or "type:/path" stands for."""

    def open_named(table_type: str, name: str) -> Map:
        if table_type not in TYPES:
            raise EntryError(f"unsupported dictionary type: {table_type}")
        if "/" in name:
            return open_file(table_type, Path(name))
        return snapshot().table(f"{table_type}:{name}")

    return open_reference(reference, open_named)


def open_file(table_type: str, path: Path) -> Map:
    """The table of a file."""
    if TYPES[table_type].indexed and table_type != "texthash":
        return CdbMap(path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX))
    try:
        # what is no UTF-8 costs its line, as in Postfix, not the table
        text = path.read_bytes().decode(errors="surrogateescape")
    except OSError as error:
        raise TableUnavailable(f"{path}: {error.strerror}") from error
    return open_source(table_type, text)
