"""layered - a hash table kept in several files: small layers of edits over a large base.

SUMMARY      open_layers(paths, newest first) -> Map
RULES        the newest layer that knows a key decides; an empty value in it says that the entry is
             gone (no map holds an empty value otherwise: writing/entries.py). Below all of them
             lies the base, which is a map like any other.
ERRORS       TableUnavailable, as formats/cdb.py
NOT DONE     writing: writing/layers.py
SOURCE       decision 0005
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tables.formats.base import Raw
from tables.formats.cdb import CdbMap

GONE = ""  # the value of an entry that is no longer there


class LayeredMap:
    """Files over one another, asked from the newest to the base."""

    __slots__ = ("_base", "_deltas")

    is_pattern = False

    def __init__(self, layers: Sequence[CdbMap]) -> None:
        self._deltas = tuple(layers[:-1])
        self._base = layers[-1]

    def get(self, key: str, /) -> str | None:
        """Return the value of `key`, which is folded here; None when absent."""
        for delta in self._deltas:
            value = delta.get(key)
            if value is not None:
                return None if value == GONE else value
        return self._base.get(key)

    @property
    def raw(self) -> Raw | None:
        """The question without folding and decoding; all of our own files take it."""
        layers = [layer.raw for layer in (*self._deltas, self._base)]
        asked = tuple(layer for layer in layers if layer is not None)
        if len(asked) < len(layers):
            return None

        def ask(key: bytes) -> bytes | None:
            for layer in asked:
                value = layer(key)
                if value is not None:
                    return value or None  # empty: gone
            return None

        return ask

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield all entries that can be found, those of the newest layer first."""
        above: dict[str, str] = {}
        for delta in self._deltas:
            for key, value in delta.entries():
                above.setdefault(key, value)
        for key, value in above.items():
            if value != GONE:
                yield key, value
        for key, value in self._base.entries():
            if key not in above:
                yield key, value


def open_layers(paths: Sequence[Path]) -> CdbMap | LayeredMap:
    """The table in these files, newest first."""
    layers = [CdbMap(path) for path in paths]
    return layers[0] if len(layers) == 1 else LayeredMap(layers)
