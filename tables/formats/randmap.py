"""randmap - a value taken at random for every look-up: randmap:{value, value}.

SOURCE       DATABASE_README randmap; Postfix dict_random(3)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence


class RandomMap:
    """Answers every key with one of `values`, each as likely; a value may be listed twice."""

    __slots__ = ("_choose", "_values")

    is_pattern = True
    changes = True

    def __init__(
        self, values: Sequence[str], choose: Callable[[Sequence[str]], str] = random.choice
    ) -> None:
        self._values = tuple(values)
        self._choose = choose

    def get(self, key: str, /) -> str | None:
        """Return one of the values."""
        return self._choose(self._values)
