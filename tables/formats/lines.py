"""lines - logical lines of table source text, with line numbers.

SUMMARY      logical_lines(text or lines) -> (number of the first line, text) of each logical line
RULES        empty lines and lines whose first visible character is # are left out, also between the
             parts of a logical line; a line that starts with white space continues the one before
             it, its white space included. White space is ASCII's. A continuation with nothing
             before it is skipped with all that continues it.
SOURCE       Postfix readlline(3), postmap(1)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

BLANKS = " \t\n\v\f\r"


def logical_lines(text: str | Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the logical lines of `text`, or of its lines without their ends; not stripped."""
    first, parts = 0, list[str]()
    for number, line in enumerate(text.split("\n") if isinstance(text, str) else text, 1):
        start = line.lstrip(BLANKS)[:1]
        if start in ("", "#"):
            continue
        if line[0] not in BLANKS:
            if parts:
                yield first, "".join(parts)
            first, parts = number, [line]
        elif parts:
            parts.append(line)
    if parts:
        yield first, "".join(parts)
