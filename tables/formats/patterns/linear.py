"""linear - a tree written down for RE2, which matches in linear time.

SUMMARY      write(tree) -> Linear: the source for RE2 (Latin-1 mode), and how much of it to believe
RULES        `exact`: RE2 says yes exactly when the original would. Where the tree has parts that
             RE2 cannot do (back references, look-around, atomic groups, large repetitions) the
             source matches more than the original, never less: a "no" can be believed, a "yes" must
             be checked by backtrack.py. `exact_groups`: RE2's groups are the original's too. Not so
             when a loop can run around an empty match, where the dialects differ. `last_newline`:
             the tree has an assertion that looks past a newline at the very end of the subject; the
             source takes it for the very end, which is right for all other subjects.
SOURCE       https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from tables.formats.patterns.syntax import (
    ALL_BYTES,
    Alternatives,
    Assertion,
    Atomic,
    Backreference,
    Chars,
    Conditional,
    Greed,
    Group,
    KeepOut,
    Look,
    Node,
    Place,
    Repeat,
    Sequence,
    can_be_empty,
)

# RE2 refuses more than 1000 repetitions (all levels multiplied) and writes them all out.
MOST_REPEATS = 200
ANYTHING = "[\\x00-\\xff]*"

_PLACES = {
    Place.TEXT_START: "\\A",
    Place.TEXT_END: "\\z",
    Place.TEXT_END_OR_LAST_NEWLINE: "\\z",
    Place.LINE_START: "(?m:^)",
    Place.LINE_START_NOT_LAST: "(?m:^)",
    Place.LINE_END: "(?m:$)",
    Place.WORD_BOUNDARY: "\\b",
    Place.NOT_WORD_BOUNDARY: "\\B",
    Place.WORD_START: "\\b",
    Place.WORD_END: "\\b",
}
_LAST_NEWLINE = (Place.TEXT_END_OR_LAST_NEWLINE, Place.LINE_START_NOT_LAST)


@dataclass(frozen=True, slots=True)
class Linear:
    """RE2 source and what may be concluded from it."""

    source: bytes
    exact: bool
    exact_groups: bool
    last_newline: bool


def write(tree: Node, *, longest: bool = False) -> Linear:
    """Return `tree` for RE2; RE2 may still refuse the source as too large.

    `longest`: the pattern is POSIX, and RE2 will be told to look for the longest match.
    """
    writer = _Writer(longest)
    source = writer.node(tree, 1)
    return Linear(
        source.encode("ascii"),
        writer.exact,
        writer.exact and writer.exact_groups,
        writer.last_newline,
    )


class _Writer:
    """Collects what is lost while writing."""

    def __init__(self, longest: bool) -> None:
        self.longest = longest
        self.exact = True
        self.exact_groups = True
        self.last_newline = False

    def node(self, node: Node, repeats: int) -> str:
        """Return the source of `node`, fit for a sequence; `repeats`: of the loops around it."""
        match node:
            case Chars(mask):
                return write_chars(mask)
            case Sequence(items):
                return "".join(self.node(item, repeats) for item in items)
            case Alternatives(items):
                return "(?:" + "|".join(self.node(item, repeats) for item in items) + ")"
            case Group(item=item):
                return f"({self.node(item, repeats)})"
            case Repeat():
                return self.repeat(node, repeats)
            case Assertion(place):
                return self.assertion(place)
            case Atomic(item):
                self.exact = False
                return f"(?:{self.node(item, repeats)})"
            case Look() | KeepOut():
                self.exact = self.exact and isinstance(node, KeepOut)
                self.exact_groups = False
                return ""
            case Backreference():
                self.exact = False
                return ANYTHING
            case Conditional(yes=yes, no=no):
                self.exact = False
                return f"(?:{self.node(yes, repeats)}|{self.node(no, repeats)})"

    def assertion(self, place: Place) -> str:
        if place in (Place.WORD_START, Place.WORD_END):
            self.exact = False
        if place in _LAST_NEWLINE:
            self.last_newline = True
        return _PLACES[place]

    def repeat(self, node: Repeat, repeats: int) -> str:
        if can_be_empty(node.item) and not self.longest:
            self.exact_groups = False
        if node.greed is Greed.POSSESSIVE:
            self.exact = False
        least, most = node.least, node.most
        times = max(least, most or 0, 1) * repeats
        item = f"(?:{self.node(node.item, times)})"
        lazy = "?" if node.greed is Greed.LAZY else ""
        if (least, most) == (0, None):
            sign = "*"
        elif (least, most) == (1, None):
            sign = "+"
        elif (least, most) == (0, 1):
            sign = "?"
        elif times > MOST_REPEATS:
            self.exact = False
            sign = "+" if least else "*"
        elif most is None:
            sign = f"{{{least},}}"
        else:
            sign = f"{{{least},{most}}}"
        return item + sign + lazy


@functools.lru_cache(4096)
def write_chars(mask: int) -> str:
    """Return a set of bytes as RE2 source; the empty set never matches."""
    if not mask:
        return "[^\\x00-\\xff]"
    if mask == ALL_BYTES:
        return "[\\x00-\\xff]"
    if mask & (mask - 1) == 0:
        return f"\\x{mask.bit_length() - 1:02x}"
    parts = []
    byte = 0
    while mask >> byte:
        if mask >> byte & 1:
            last = byte
            while mask >> (last + 1) & 1:
                last += 1
            parts.append(f"\\x{byte:02x}" if last == byte else f"\\x{byte:02x}-\\x{last:02x}")
            byte = last
        byte += 1
    return f"[{''.join(parts)}]"
