"""substitution - the result of a pattern rule: text with $1, ${1}, $(1) and $$ in it.

SUMMARY      parse("see $1") -> Substitution; .expand(captured texts) -> the result
RULES        $$ is one dollar; a plain $name runs over letters, digits and underscores, so that $1st
             is no number: write ${1}st. Names other than numbers from 1 on are refused.
ERRORS       EntryError in Postfix's words
SOURCE       regexp_table(5), pcre_table(5) TEXT SUBSTITUTION; Postfix mac_parse(3)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tables.errors import EntryError

# More than any pattern has.
MOST_GROUPS = 10**9

_PLAIN_NAME = re.compile("[A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Substitution:
    """Literal texts and numbers of groups, in order."""

    parts: tuple[str | int, ...]

    @property
    def highest(self) -> int:
        """The highest number used, 0 when there is none."""
        return max((part for part in self.parts if isinstance(part, int)), default=0)

    @property
    def constant(self) -> str | None:
        """The result where it is always the same one, else None."""
        return None if self.highest else self.expand(())

    def expand(self, groups: Sequence[str]) -> str:
        """Return the result; `groups[1]` is what $1 stands for, "" when it matched nothing."""
        return "".join(groups[part] if isinstance(part, int) else part for part in self.parts)


def parse(text: str) -> Substitution:
    """Return the parts of a result text."""
    parts: list[str | int] = []
    literal = ""
    at = 0
    while at < len(text):
        if text[at] != "$":
            literal += text[at]
            at += 1
        elif text.startswith("$$", at):
            literal += "$"
            at += 2
        else:
            name, at = _name(text, at + 1)
            if literal:
                parts.append(literal)
                literal = ""
            parts.append(_number(name))
    if literal:
        parts.append(literal)
    return Substitution(tuple(parts))


def _name(text: str, at: int) -> tuple[str, int]:
    """Return the name that begins at `at`, behind the dollar, and where it ends."""
    opening = text[at : at + 1]
    if opening not in ("{", "("):
        found = _PLAIN_NAME.match(text, at)
        assert found is not None
        name, end = found[0], found.end()
    else:
        closing = {"{": "}", "(": ")"}[opening]
        depth, end = 1, at + 1
        while depth:
            if end >= len(text):
                raise EntryError("truncated macro reference, bad replacement syntax")
            depth += (text[end] == opening) - (text[end] == closing)
            end += 1
        name = text[at + 1 : end - 1]
    if not name:
        raise EntryError("empty macro name, bad replacement syntax")
    return name, end


def _number(name: str) -> int:
    if not (name.isascii() and name.isdigit()):
        raise EntryError(f'non-numeric replacement index "{name}", bad replacement syntax')
    number = int(name[-9:]) if name[:-9].strip("0") == "" else MOST_GROUPS
    if number < 1:
        raise EntryError(f'out-of-range replacement index "{name}", bad replacement syntax')
    return number
