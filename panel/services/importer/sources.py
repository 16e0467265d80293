"""sources - the tables that an imported configuration names, and what each of them is for.

SUMMARY      sources.reference(type, path, kind) -> "hash:virtual"; sources.pending() yields each
             source once, also those that are found while others are read
RULES        a table is named after its file, with a number where the name is taken. The indexed
             types (hash, btree, cdb, dbm, lmdb) are one type here, hash. Alias files are read as
             postalias(1) reads them wherever they are named, all other indexed ones as postmap(1).
             A table that is used for several things has the kind of the most particular one, or
             is plain text where they contradict each other; one that holds passwords stays secret.
SOURCE       DATABASE_README
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from panel.constants import RESERVED_TABLE_PREFIX, TABLE_NAME_LENGTH
from tables import specs


@dataclass(slots=True)
class Source:
    """One table to be made from one file."""

    name: str
    type: str
    path: Path
    kinds: set[str] = field(default_factory=set)
    line: int = 0  # of main.cf or master.cf, where it was first named

    @property
    def reference(self) -> str:
        """How parameters name the table."""
        return f"{self.type}:{self.name}"

    @property
    def kind(self) -> str:
        """What the table is for, as far as is known now."""
        kinds = set(self.kinds)
        if secret := [kind for kind in kinds if specs.KINDS[kind].secret]:
            return secret[0]
        for weak in specs.OPEN_KINDS:
            if len(kinds) > 1:
                kinds.discard(weak)
        if kinds == specs.REWRITING_KINDS:
            return "canonical"
        kind = kinds.pop() if len(kinds) == 1 else "text"
        return kind if self.type in specs.KINDS[kind].types else "text"


class Sources:
    """All tables of one import, by file."""

    def __init__(self, taken: Collection[str]) -> None:
        """`taken` are names of tables that must stay as they are."""
        self._taken = set(taken)
        self._found: dict[tuple[Path, str], Source] = {}

    def reference(self, table_type: str, path: Path, kind: str) -> str:
        """type:name of the table for a source of a type that has rows; made when it is new."""
        known = specs.TYPES[table_type]
        own_type = "hash" if known.indexed and table_type != "texthash" else table_type
        source = self._found.get((path, own_type))
        if source is None:
            source = Source(self._free_name(path.name), own_type, path)
            self._found[path, own_type] = source
        source.kinds.add(kind)
        return source.reference

    def pending(self) -> Iterator[Source]:
        """Every table once; more may be found on the way."""
        done = 0
        while done < len(self._found):
            yield list(self._found.values())[done]
            done += 1

    def __len__(self) -> int:
        return len(self._found)

    def _free_name(self, file_name: str) -> str:
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", file_name).lstrip(".-") or "table"
        if name.startswith(RESERVED_TABLE_PREFIX):
            name = f"imported-{name}"
        name = free = name[: TABLE_NAME_LENGTH - 10]
        number = 2
        while free in self._taken:
            free, number = f"{name}-{number}", number + 1
        self._taken.add(free)
        return free
