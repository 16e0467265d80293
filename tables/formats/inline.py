"""inline - a table written in the parameter itself: inline:{ key=value, { key = long value } }.

SUMMARY      open_inline("{ a=b }") -> MemoryMap
RULES        commas and blanks separate entries; an entry with blanks stands in braces of its own.
             The key ends at the first blank or = outside double quotes, which stay part of it; a
             key that occurs twice has the last value. Nothing is expanded.
ERRORS       EntryError
SOURCE       DATABASE_README inline; Postfix dict_inline(3), split_qnameval(3)
"""

from __future__ import annotations

import re

from tables.errors import EntryError
from tables.formats.braces import inner, stripped
from tables.formats.lines import BLANKS
from tables.formats.memory import MemoryMap
from tables.itemtext import split_items

_KEY = re.compile(r'(?:\\.|[^\\" \t\n\v\f\r=]|"(?:\\.|[^\\"])*")*', re.DOTALL)


def open_inline(name: str) -> MemoryMap:
    """Return the table that `name`, braces included, describes."""
    usage = f'"inline:{name}"; need "inline:{{name=value...}}"'
    try:
        items = split_items(inner(name))
    except EntryError:
        raise EntryError(f"bad syntax: {usage}") from None
    if not items:
        raise EntryError(f"empty table: {usage}")
    try:
        return MemoryMap([_entry(item) for item in items])
    except EntryError as error:
        raise EntryError(f"{error}: {usage}") from None


def _entry(item: str) -> tuple[str, str]:
    text = stripped(item) if item.startswith("{") else item
    if not text:
        raise EntryError("no key found; expected format: key = value")
    found = _KEY.match(text)
    assert found is not None
    rest = text[found.end() :].lstrip(BLANKS)
    if rest.startswith('"'):
        raise EntryError("unbalanced '\"'")
    if not rest.startswith("="):
        raise EntryError("missing '=' after attribute name")
    return found[0], rest[1:].strip(BLANKS)
