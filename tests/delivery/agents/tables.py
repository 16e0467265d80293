"""tables - lookup tables from a dict, for agents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tables.errors import TableUnavailable
from tables.keys import Key


class Answer(NamedTuple):
    value: str
    table: str = "hash:test"


class DictMaps:
    """Asked in the order of the keys; `broken` cannot be asked at all."""

    def __init__(
        self,
        entries: Mapping[str, str] | None = None,
        *,
        broken: bool = False,
        table: str = "hash:test",
    ) -> None:
        self._table = table
        self._entries = {key.lower(): value for key, value in (entries or {}).items()}
        self._broken = broken

    def find(self, keys: Iterable[Key]) -> Answer | None:
        if self._broken:
            raise TableUnavailable("hash:test cannot be read")
        for key in keys:
            value = self._entries.get(key.text.lower())
            if value is not None:
                return Answer(value, self._table)
        return None
