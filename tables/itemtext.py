"""itemtext - lists in parameter values, split into items.

SUMMARY      split_items("a, b c {d, e}") -> ("a", "b", "c", "{d, e}")
RULES        commas and blanks separate; {braces} hold an item together and stay part of it
             an open brace runs to the end of the text, as in Postfix
SOURCE       postconf(5); Postfix mystrtokq(3)
"""

from __future__ import annotations

import re

_WORDS = re.compile(r"[^, \t\r\n\f\v]+")  # blanks are ASCII's, as in Postfix


def split_items(text: str) -> tuple[str, ...]:
    """The items of a list, in order."""
    if "{" not in text:
        return tuple(_WORDS.findall(text))
    items: list[str] = []
    start, level = -1, 0  # of the item being read; -1: none
    for place, character in enumerate(text):
        if level == 0 and character in ", \t\r\n\f\v":
            if start >= 0:
                items.append(text[start:place])
            start = -1
            continue
        if start < 0:
            start = place
        if character == "{":
            level += 1
        elif character == "}" and level:
            level -= 1
    if start >= 0:
        items.append(text[start:])
    return tuple(items)
