"""log - the engine's log: one event, one line, fit for a postmaster's eyes and for grep.

SUMMARY      event(name, key=value ...) writes "name key=value ..." to standard output
RULES        values are made printable, cut at VALUE_LIMIT and quoted when they hold blanks, so that
             no outsider can end a line or fill the disk; None and '' are left out
             never a password, never message content: callers give ids, addresses and reasons only
SOURCE       CWE-117
"""

from __future__ import annotations

import sys
from typing import TextIO

VALUE_LIMIT = 512  # characters of one value


def event(name: str, stream: TextIO | None = None, /, **values: object) -> None:
    """Write one line."""
    parts = [name]
    for key, value in values.items():
        if value is None or value == "":
            continue
        parts.append(f"{key}={printable(str(value))}")
    out = sys.stdout if stream is None else stream
    out.write(" ".join(parts) + "\n")
    out.flush()


def printable(text: str) -> str:
    """The text on one line, quoted where it holds a blank or a quote."""
    if len(text) > VALUE_LIMIT:
        text = text[:VALUE_LIMIT] + "..."
    if not text.isprintable():
        text = "".join(character if character.isprintable() else "?" for character in text)
    if " " in text or '"' in text or "=" in text:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text
