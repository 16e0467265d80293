"""expansion - $name references in parameter values and in templates.

SUMMARY      text + a look-up function -> text with every reference replaced
FORMS        $name  ${name}  $(name)  $$ is one "$"
             ${name?text}  ${name:text}     when name is not empty / is empty; the rest is all text
             ${name?{text}:{text}}          branches need braces: ${a?yes:no} gives "yes:no"
             ${{left} OP {right}?{a}:{b}}   OP is == != < <= > >=; numbers compare as numbers
             ${{$compatibility_level} <level {3.6}?{a}:{b}}   "level": compare dotted versions
RULES        values found are expanded too, to a bounded depth, length and number of references;
             an unknown name is ''
ERRORS       EntryError for a broken reference or endless nesting
NOT DONE     ${function{text}}: Postfix 3.10
SOURCE       postconf(5), main.cf(5) "parameter references"; Postfix mac_parse(3), mac_expand(3)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tables.errors import EntryError

Lookup = Callable[[str], str | None]

DEPTH_LIMIT = 100  # mac_expand(3)
COST_LIMIT = 1_000_000  # characters and references of one expansion: a=$b$b, b=$c$c ... doubles

_NAME = re.compile(r"[A-Za-z0-9_]+")
_BLANKS = " \t\r\n"
_SIGNS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_OPERATOR = re.compile(r"([<>!=?+\-*/~&|%]*)([A-Za-z0-9]*)[ \t\r\n]*")


def expand(text: str, lookup: Lookup, *, recurse: bool = True) -> str:
    """`text` with its references replaced by what `lookup` gives (None: unknown, it is empty).

    With `recurse` the values found are expanded as well, as in main.cf; without it they are taken
    as they are, which is what a template filled with outsiders' text needs. Raises EntryError.
    """
    if "$" not in text:
        return text
    return _Expansion(lookup, recurse).run(text, 0)


def names(text: str) -> frozenset[str]:
    """Every name that `text` refers to, in all branches. Raises EntryError as expand() does."""
    found: set[str] = set()
    _scan(text, found, 0)
    return frozenset(found)


class _Expansion:
    """One call of expand(): its look-up, and the cost so far."""

    __slots__ = ("cost", "lookup", "recurse")

    def __init__(self, lookup: Lookup, recurse: bool) -> None:
        self.lookup = lookup
        self.recurse = recurse
        self.cost = 0

    def run(self, text: str, depth: int) -> str:
        if depth > DEPTH_LIMIT:
            raise EntryError("The references refer to each other without end.")
        parts: list[str] = []
        for is_reference, piece in split(text):
            self.cost += 1 + len(piece)
            if self.cost > COST_LIMIT:
                raise EntryError("The references expand to an unreasonable length.")
            parts.append(self.reference(piece, depth) if is_reference else piece)
        return "".join(parts)

    def reference(self, inside: str, depth: int) -> str:
        condition = _Condition.parse(inside)
        if condition.name is None:
            value = self.comparison(condition, depth)
        else:
            value = self.lookup(condition.name) or ""
        if condition.branches is not None:
            chosen = condition.branches[0] if value else condition.branches[1]
            return self.run(chosen, depth + 1) if chosen else ""
        if value and self.recurse and condition.name is not None:
            return self.run(value, depth + 1)
        return value

    def comparison(self, condition: _Condition, depth: int) -> str:
        """What stands for true and false where a name's value would stand: "true" and ''."""
        left = self.run(condition.left or "", depth + 1)
        right = self.run(condition.right or "", depth + 1)
        return "true" if _compare(left, condition.operator, right) else ""


def _scan(text: str, found: set[str], depth: int) -> None:
    if depth > DEPTH_LIMIT:
        raise EntryError("The braces are nested too deeply.")
    for is_reference, piece in split(text):
        if not is_reference:
            continue
        condition = _Condition.parse(piece)
        if condition.name is not None:
            found.add(condition.name)
        for part in (*(condition.branches or ()), condition.left, condition.right):
            if part is not None:
                _scan(part, found, depth + 1)


def split(text: str) -> Iterator[tuple[bool, str]]:
    """(is a reference?, literal text or inside of the reference), in order. Raises EntryError."""
    place = 0
    while True:
        dollar = text.find("$", place)
        if dollar < 0:
            if place < len(text):
                yield False, text[place:]
            return
        if dollar > place:
            yield False, text[place:dollar]
        following = text[dollar + 1 : dollar + 2]
        if following == "$":
            yield False, "$"
            place = dollar + 2
            continue
        if following and following in "{(":
            place = _closing(text, dollar + 1) + 1
            inside = text[dollar + 2 : place - 1]
        else:
            match = _NAME.match(text, dollar + 1)
            inside = match[0] if match else ""
            place = dollar + 1 + len(inside)
        if not inside:
            raise EntryError(f'A name is missing after the "$" in {text!r}; write "$$" for a "$".')
        yield True, inside


def _closing(text: str, opening: int) -> int:
    """Index of the brace that closes the one at `opening`; only its own kind is counted."""
    left = text[opening]
    right = "}" if left == "{" else ")"
    level = 0
    for place in range(opening, len(text)):
        if text[place] == left:
            level += 1
        elif text[place] == right:
            level -= 1
            if level == 0:
                return place
    raise EntryError(f'The closing "{right}" is missing in {text!r}.')


class _Condition:
    """The inside of one reference: a name or a comparison, and what to put for true and false.

    `branches` is None for a plain reference; a branch is None where none was written.
    """

    __slots__ = ("branches", "left", "name", "operator", "right")

    def __init__(self, name: str | None, left: str | None, sign: str, right: str | None) -> None:
        self.name = name
        self.left = left
        self.operator = sign
        self.right = right
        self.branches: tuple[str | None, str | None] | None = None

    @classmethod
    def parse(cls, inside: str) -> _Condition:
        rest = inside.lstrip(_BLANKS)
        if rest.startswith("{"):
            left, rest = _braced(rest)
            match = _OPERATOR.match(rest)
            assert match is not None  # the pattern matches the empty text
            sign = match[1] + match[2]
            if match[1] not in _SIGNS or match[2] not in ("", "level"):
                raise EntryError(f"One of == != < <= > >= is expected before {rest!r}.")
            rest = rest[match.end() :]
            if not rest.startswith("{"):
                raise EntryError(f'"{{" is expected after "{sign}" in {inside!r}.')
            right, rest = _braced(rest)
            condition = cls(None, left, sign, right)
        else:
            match = _NAME.match(rest)
            name = match[0] if match else ""
            rest = rest[len(name) :].lstrip(_BLANKS)
            condition = cls(name, None, "", None)
        if rest:
            condition.branches = _branches(rest, inside)
        return condition


def _branches(rest: str, inside: str) -> tuple[str | None, str | None]:
    """(text for true, text for false) of "?a", ":b", "?{a}:{b}"."""
    if rest[0] not in "?:":
        raise EntryError(f'"?" or ":" is expected before {rest!r} in {inside!r}.')
    true: str | None = None
    if rest[0] == "?":
        true, rest = _operand(rest[1:])
        if not rest:
            return true, None
        if rest[0] != ":":
            raise EntryError(f'":" is expected before {rest!r} in {inside!r}.')
    false, rest = _operand(rest[1:])
    if rest:
        raise EntryError(f"{rest!r} is not expected in {inside!r}.")
    return true, false


def _operand(text: str) -> tuple[str, str]:
    """(operand, rest): the content of braces, or else all of the text."""
    stripped = text.lstrip(_BLANKS)
    return _braced(stripped) if stripped.startswith("{") else (stripped, "")


def _braced(text: str) -> tuple[str, str]:
    """(content of the braces that `text` begins with, rest without leading blanks)."""
    end = _closing(text, 0)
    return text[1:end], text[end + 1 :].lstrip(_BLANKS)


def _compare(left: str, sign: str, right: str) -> bool:
    if sign.endswith("level"):
        return _holds(sign.removesuffix("level"), _order(read_level(left), read_level(right)))
    if _is_number(left) and _is_number(right):
        return _holds(sign, _order((int(left),), (int(right),)))
    return _holds(sign, (left > right) - (left < right))


def _order(left: tuple[int, ...], right: tuple[int, ...]) -> int:
    return (left > right) - (left < right)


def _holds(sign: str, order: int) -> bool:
    """Does "left sign right" hold, when left - right has the sign of `order`?"""
    match sign:
        case "==":
            return order == 0
        case "!=":
            return order != 0
        case "<":
            return order < 0
        case "<=":
            return order <= 0
        case ">":
            return order > 0
        case _:
            return order >= 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18  # a C long


def read_level(text: str) -> tuple[int, ...]:
    """A compatibility level, 3.6 or 3.10.1, as numbers. postconf(5) compatibility_level."""
    parts = text.strip(_BLANKS).split(".")
    if not 1 <= len(parts) <= 3 or not all(map(_is_number, parts)):
        raise EntryError(f"{text!r} is not a compatibility level such as 3.6.")
    return tuple(int(part) for part in parts) + (0,) * (3 - len(parts))
