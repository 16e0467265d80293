"""printable - text of somebody else as it may be shown: in a reply, in the log, on a terminal.

SUMMARY      printable(text, instead) -> the text with `instead` for what cannot be printed
RULES        nobody outside can end a line of ours, or give a terminal orders
SOURCE       Postfix printable(3); CWE-117, CWE-150
"""

from __future__ import annotations


def printable(text: str, instead: str = "?") -> str:
    """Character by character; surrogates, which stand for octets, cannot be printed either."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else instead for character in text)
