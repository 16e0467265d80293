"""texthash - a table of fixed strings read straight from its source text.

SUMMARY      open_texthash(source text) -> TextHashMap
RULES        the lines that postmap(1) accepts; of equal keys the first counts. What is wrong is in
             `problems`; a repeated key is such a problem too, because a Postfix daemon refuses the
             whole table for it.
SOURCE       DATABASE_README texthash; Postfix dict_thash(3)
"""

from __future__ import annotations

from tables.formats.base import Problem
from tables.formats.memory import MemoryMap
from tables.textform import parse_postmap


class TextHashMap(MemoryMap):
    """A table of fixed strings with what was wrong in its text."""

    __slots__ = ("problems",)

    def __init__(self, text: str) -> None:
        source = parse_postmap(text)
        super().__init__((entry.key, entry.value) for entry in reversed(source.entries))
        kept = {entry.line for entry in source.entries}
        self.problems = tuple(
            Problem(warning.line, warning.message, skipped=warning.line not in kept)
            for warning in source.warnings
        )


def open_texthash(text: str) -> TextHashMap:
    """Return the table with this source text."""
    return TextHashMap(text)
