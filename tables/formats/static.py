"""static - the same value for every key: static:value, static:{ value with blanks }.

ERRORS       EntryError for unbalanced braces
SOURCE       DATABASE_README static; Postfix dict_static(3)
"""

from __future__ import annotations

from tables.formats.braces import stripped


class StaticMap:
    """Answers every key, the empty one too; counts as a table of fixed strings."""

    __slots__ = ("value",)

    is_pattern = False

    def __init__(self, value: str) -> None:
        self.value = value

    def get(self, key: str, /) -> str | None:
        """Return the value."""
        return self.value


def open_static(name: str) -> StaticMap:
    """Return the table of static:`name`; braces and the blanks inside them are not the value's."""
    return StaticMap(stripped(name) if name.startswith("{") else name)
