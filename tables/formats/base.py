"""base - what every table type offers: Map (get), and Listing (entries) where it has a list.

SUMMARY      a Map answers one question: the value of a key, None, or TableUnavailable
             changes(map): it may answer otherwise the next time
RULES        keys and values are str; a map of fixed strings folds the key itself (Postfix's
             DICT_FLAG_FOLD_FIX), a map of patterns sees the key as it came, so that $1 keeps the
             case the sender used. `is_pattern` says which: pattern maps are not asked for partial
             keys (reading/lookup.py).
ERRORS       get raises TableUnavailable when the answer could not be found out; "" is returned as
             found, judging it is the caller's business (Postfix calls it a configuration error)
SOURCE       Postfix DATABASE_README, dict_open(3), postmap(1) -f
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tables.errors import TableUnavailable


class Map(Protocol):
    """One opened table, immutable; get may be called by several threads."""

    @property
    def is_pattern(self) -> bool:
        """True: entries are patterns over the whole key (regexp, pcre, cidr, randmap)."""
        ...

    def get(self, key: str, /) -> str | None:
        """Return the value of `key` (unfolded, without table type), None when absent."""
        ...


# One key, folded, as bytes -> the value's bytes. Raises OSError.
Raw = Callable[[bytes], bytes | None]


@runtime_checkable
class RawMap(Protocol):
    """A table of fixed strings that can be asked without a step in between (reading/lookup.py)."""

    @property
    def raw(self) -> Raw | None:
        """The question itself; None when the files need more than that."""
        ...


@runtime_checkable
class Changing(Protocol):
    """A table that may answer the same key in another way while it is open."""

    @property
    def changes(self) -> bool:
        """True: an answer is not to be remembered."""
        ...


@runtime_checkable
class Listing(Protocol):
    """A table of fixed strings that can be told entry by entry (postmap -s)."""

    def entries(self) -> Iterator[tuple[str, str]]:
        """All entries with their folded keys, each key once or more; the first counts."""
        ...


def changes(table: Map) -> bool:
    """True when answers of the table are not to be remembered."""
    return isinstance(table, Changing) and table.changes


def fold_key(key: str) -> str:
    """Return `key` as fixed-string tables store it: full Unicode case folding, not normalised.

    Postfix folds with ICU when smtputf8_enable is on (its default); str.casefold
    is the same table. For ASCII it is lower case.
    """
    return key.casefold()


class FailMap:
    """A table that can never be asked: the type `fail`, and whatever could not be opened.

    Like dict_fail(3) it is no table for partial keys.
    """

    __slots__ = ("reason",)

    is_pattern = True

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def get(self, key: str, /) -> str | None:
        """Raise TableUnavailable, always."""
        raise TableUnavailable(self.reason)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in the source text of a table; `skipped`: the line has no effect."""

    line: int
    message: str
    skipped: bool

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"
