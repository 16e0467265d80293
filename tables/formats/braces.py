"""braces - {text in braces} as the names of inline tables are written.

SUMMARY      inner("{ a, b }") -> " a, b "; stripped("{ a }") -> "a"
ERRORS       EntryError when the braces are not balanced or something follows them
SOURCE       Postfix balpar(3), extpar(3)
"""

from __future__ import annotations

from tables.errors import EntryError
from tables.formats.lines import BLANKS


def inner(text: str) -> str:
    """Return what stands between the braces that begin and end `text`."""
    if not text.startswith("{"):
        raise EntryError(f"no '{{' at start of text in \"{text}\"")
    depth = 0
    for place, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            if place != len(text) - 1:
                raise EntryError(f"syntax error after '}}' in \"{text}\"")
            return text[1:-1]
    raise EntryError(f"missing '}}' in \"{text}\"")


def stripped(text: str) -> str:
    """Return what stands between the braces, without blanks around it."""
    return inner(text).strip(BLANKS)
