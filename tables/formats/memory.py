"""memory - a table held in a dict: texthash and inline after parsing, and the twin for tests.

RULES        keys are folded when stored and when asked, as every fixed-string table does
SOURCE       Postfix DATABASE_README (internal, texthash)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tables.formats.base import fold_key


class MemoryMap:
    """A constant table of fixed strings; `entries` may repeat a key, the last one counts."""

    __slots__ = ("_entries",)

    is_pattern = False

    def __init__(self, entries: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        pairs = entries.items() if isinstance(entries, Mapping) else entries
        self._entries = {fold_key(key): value for key, value in pairs}

    def get(self, key: str, /) -> str | None:
        """Return the value of `key`, None when absent."""
        return self._entries.get(key.casefold())

    def entries(self) -> Iterator[tuple[str, str]]:
        """All entries, each key once."""
        return iter(self._entries.items())

    def __len__(self) -> int:
        return len(self._entries)
