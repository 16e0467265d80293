"""remembered - answers that are found once: a dict that asks for what it does not hold.

SUMMARY      Remembered(find, limit)[key] -> find(key), the same one from then on
             keep(key, value): one that was found in another way
RULES        with `limit` answers it forgets all of them: outsiders choose what is asked for
             find() does not refer to whoever holds this: the rules of a generation go with their
             last user, without the collector of cycles
ERRORS       those of find(); they are not remembered
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(dict[K, V]):
    """A known answer costs no call of Python."""

    __slots__ = ("_find", "_limit")

    def __init__(self, find: Callable[[K], V], limit: int) -> None:
        super().__init__()
        self._find = find
        self._limit = limit

    def __missing__(self, key: K) -> V:
        value = self._find(key)
        self.keep(key, value)
        return value

    def keep(self, key: K, value: V) -> None:
        """It is the answer."""
        if len(self) >= self._limit:
            self.clear()
        self[key] = value
