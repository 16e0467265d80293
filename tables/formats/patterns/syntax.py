"""syntax - the tree of a regular expression, the same for both dialects.

RULES        a set of bytes is an int with bit b set for byte b; case folding, dot and classes are
             resolved to such sets by the parsers, so that no later stage knows flags. Groups are
             numbered from 1; 0 is the whole match.
SOURCE       regex(7), pcre2pattern(3)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

ALL_BYTES = (1 << 256) - 1
NEWLINE = 1 << 0x0A


class PatternError(Exception):
    """The pattern is not accepted; `offset` is the byte where it was noticed, None when unknown."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class Place(Enum):
    """What an assertion of no width asks about a position."""

    TEXT_START = auto()
    TEXT_END = auto()
    TEXT_END_OR_LAST_NEWLINE = auto()  # PCRE's $ and \Z
    LINE_START = auto()
    LINE_START_NOT_LAST = auto()  # PCRE's (?m)^: not behind a newline that ends the subject
    LINE_END = auto()
    WORD_BOUNDARY = auto()
    NOT_WORD_BOUNDARY = auto()
    WORD_START = auto()
    WORD_END = auto()


class Greed(Enum):
    """The order in which a repetition is tried; possessive gives nothing back."""

    GREEDY = auto()
    LAZY = auto()
    POSSESSIVE = auto()


@dataclass(frozen=True, slots=True)
class Chars:
    """One byte out of a set."""

    mask: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other; empty: the empty string."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alternatives:
    """One of several, tried from the left."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`item` from `least` to `most` times (None: without end)."""

    item: Node
    least: int
    most: int | None
    greed: Greed = Greed.GREEDY


@dataclass(frozen=True, slots=True)
class Group:
    """A capturing group."""

    number: int
    item: Node


@dataclass(frozen=True, slots=True)
class Assertion:
    """True or false of a position; consumes nothing."""

    place: Place


@dataclass(frozen=True, slots=True)
class Look:
    """Look-ahead or look-behind."""

    item: Node
    ahead: bool
    negative: bool


@dataclass(frozen=True, slots=True)
class Atomic:
    """`(?>...)`: once matched, nothing inside is tried again."""

    item: Node


@dataclass(frozen=True, slots=True)
class Backreference:
    """The text that a group matched last; of several of one name, the first that is set."""

    numbers: tuple[int, ...]
    fold: bool


@dataclass(frozen=True, slots=True)
class Conditional:
    """`(?(1)yes|no)` by group, or `(?(?=...)yes|no)` by look-around."""

    test: Look | int
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class KeepOut:
    """`\\K`: the whole match begins here."""


Node = (
    Chars
    | Sequence
    | Alternatives
    | Repeat
    | Group
    | Assertion
    | Look
    | Atomic
    | Backreference
    | Conditional
    | KeepOut
)

EMPTY = Sequence(())


def read_number(digits: bytes) -> int:
    """Return a decimal number; one too long for any use counts as a thousand million."""
    return int(digits) if len(digits) < 10 else int(digits.lstrip(b"0")[:10] or b"0")


def mask_of(members: Iterable[int]) -> int:
    """Return the set that holds these byte values."""
    mask = 0
    for member in members:
        mask |= 1 << member
    return mask


def mask_range(first: int, last: int) -> int:
    """Return the set of all bytes from `first` to `last`, both included."""
    return (1 << (last + 1)) - (1 << first)


DIGITS = mask_range(0x30, 0x39)
UPPER = mask_range(0x41, 0x5A)
LOWER = mask_range(0x61, 0x7A)
WORD = DIGITS | UPPER | LOWER | 1 << 0x5F
SPACE = mask_range(0x09, 0x0D) | 1 << 0x20

# The POSIX classes in the C locale.
CLASSES = {
    "alnum": DIGITS | UPPER | LOWER,
    "alpha": UPPER | LOWER,
    "blank": 1 << 0x20 | 1 << 0x09,
    "cntrl": mask_range(0x00, 0x1F) | 1 << 0x7F,
    "digit": DIGITS,
    "graph": mask_range(0x21, 0x7E),
    "lower": LOWER,
    "print": mask_range(0x20, 0x7E),
    "punct": mask_range(0x21, 0x7E) & ~(DIGITS | UPPER | LOWER),
    "space": SPACE,
    "upper": UPPER,
    "xdigit": DIGITS | mask_range(0x41, 0x46) | mask_range(0x61, 0x66),
}


def fold_mask(mask: int) -> int:
    """Return the set with both cases of each ASCII letter in it."""
    return mask | (mask & UPPER) << 32 | (mask & LOWER) >> 32


def group_count(node: Node) -> int:
    """Return the highest group number below `node`, 0 without groups."""
    return max((part.number for part in walk(node) if isinstance(part, Group)), default=0)


def children(node: Node) -> tuple[Node, ...]:
    """Return the direct parts of `node`."""
    match node:
        case Sequence(items) | Alternatives(items):
            return items
        case Repeat(item=item) | Group(item=item) | Look(item=item) | Atomic(item=item):
            return (item,)
        case Conditional(test, yes, no):
            return (yes, no) if isinstance(test, int) else (test, yes, no)
        case _:
            return ()


def walk(node: Node) -> Iterable[Node]:
    """Yield `node` and everything below it, without recursion."""
    waiting: list[Node] = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(children(node))


def can_be_empty(node: Node) -> bool:
    """True when `node` may match without consuming anything (True when in doubt)."""
    match node:
        case Chars():
            return False
        case Sequence(items):
            return all(can_be_empty(item) for item in items)
        case Alternatives(items):
            return any(can_be_empty(item) for item in items)
        case Repeat(item=item, least=least):
            return least == 0 or can_be_empty(item)
        case Group(item=item) | Atomic(item=item):
            return can_be_empty(item)
        case _:
            return True


def fixed_length(node: Node) -> int | None:
    """Return how many bytes `node` always consumes, None when that varies."""
    match node:
        case Chars():
            return 1
        case Sequence(items):
            lengths = [fixed_length(item) for item in items]
            return None if None in lengths else sum(length or 0 for length in lengths)
        case Alternatives(items):
            choices = {fixed_length(item) for item in items}
            return choices.pop() if len(choices) == 1 else None
        case Group(item=item) | Atomic(item=item):
            return fixed_length(item)
        case Repeat(item=item, least=least, most=most):
            length = fixed_length(item)
            return None if length is None or least != most else length * least
        case Conditional(yes=yes, no=no):
            length = fixed_length(yes)
            return length if length == fixed_length(no) else None
        case Assertion() | Look():
            return 0
        case _:
            return None
