"""textform - source text of indexed tables: what postmap(1) and postalias(1) read; printing it.

SUMMARY      parse_postmap(text), parse_postalias(text) -> Source(entries, warnings)
             read_entries(lines) -> the same, one by one, for files of any length
             print_postmap(entries), print_postalias(entries) -> text, sorted
RULES        a line that begins with blanks continues the one before; "#" begins a comment line
             postmap: key, blanks, value; a quoted key keeps its quotes
             postalias: name: value, token by token; the name comes back unquoted
             a bad line gives a warning and is left out, the rest of the table counts; of equal
             keys (case does not count) the first counts
ERRORS       parsing never raises; printing raises EntryError for what cannot be written
NOT DONE     ordered tables (regexp, pcre, cidr): formats/
SOURCE       postmap(1), postalias(1), aliases(5); Postfix postmap.c, postalias.c, readlline(3)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tables.aliastext import split_alias
from tables.errors import EntryError
from tables.formats.lines import BLANKS, logical_lines


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One entry as written, not folded; `line` is where it begins."""

    line: int
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class SourceWarning:
    """What Postfix would say about one line; the entry may be kept nevertheless."""

    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Source:
    """A table as read from text: all usable entries in order, and what was wrong."""

    entries: tuple[SourceEntry, ...]
    warnings: tuple[SourceWarning, ...]


# an entry of one logical line, or EntryError; what there is to say about it may be added
_Split = Callable[[str], tuple[str, str]]
_BROKEN = re.compile("[\ud800-\udfff]")  # surrogate escapes: bytes that are not UTF-8


def parse_postmap(text: str) -> Source:
    """Entries "key value". Bytes that are not UTF-8 come as surrogate escapes. postmap(1)."""
    return _parse(text, _split_postmap)


def parse_postalias(text: str) -> Source:
    """Entries "name: value". postalias(1)."""
    return _parse(text, split_alias)


def read_entries(
    lines: Iterable[str], *, aliases: bool = False
) -> Iterator[SourceEntry | SourceWarning]:
    """The entries of a source of any length, and what there is to say, in order.

    `lines` come without their ends. Equal keys are not looked for: that needs all of them at once.
    """
    yield from _read(lines, split_alias if aliases else _split_postmap)


def _parse(text: str, split: _Split) -> Source:
    entries: list[SourceEntry] = []
    warnings: list[SourceWarning] = []
    seen: set[str] = set()
    for found in _read(text, split):
        if isinstance(found, SourceWarning):
            warnings.append(found)
            continue
        folded = found.key.casefold()
        if folded in seen:
            warnings.append(SourceWarning(found.line, f'duplicate entry: "{folded}"'))
            continue
        seen.add(folded)
        entries.append(found)
    return Source(tuple(entries), tuple(warnings))


def _read(source: str | Iterable[str], split: _Split) -> Iterator[SourceEntry | SourceWarning]:
    for line, content in logical_lines(source):
        if not content.isascii() and _BROKEN.search(content):
            message = f'non-UTF-8 input "{_shown(content)}" -- ignoring this line'
            yield SourceWarning(line, message)
            continue
        try:
            key, value = split(content)
        except EntryError as error:
            yield SourceWarning(line, str(error))
            continue
        if split is _split_postmap and key.endswith(":"):
            yield SourceWarning(line, 'record is in "key: value" format; is this an alias file?')
        yield SourceEntry(line, key, value)


def _split_postmap(line: str) -> tuple[str, str]:
    """The key ends at the first blank outside quotes."""
    end, quoted = _key_end(line)
    if quoted:
        raise EntryError(f"unbalanced '\"' in '{_shown(line)}' -- ignoring this line")
    key, value = line[:end], line[end:].strip(BLANKS)
    if not key or not value:
        raise EntryError("expected format: key whitespace value")
    return key, value


def _key_end(line: str) -> tuple[int, bool]:
    """(index of the first blank outside quotes, is a quote still open there?)."""
    place, quoted = 0, False
    while place < len(line):
        character = line[place]
        if character == "\\":
            place += 1
        elif character == '"':
            quoted = not quoted
        elif character in BLANKS and not quoted:
            break
        place += 1
    return min(place, len(line)), quoted


def _shown(line: str) -> str:
    """A line for a message: what is not UTF-8 as "?", and not all of a long one."""
    return line[:200].encode("utf-8", "replace").decode()


def print_postmap(entries: Iterable[tuple[str, str]]) -> str:
    """Source text for postmap(1), sorted by key. Raises EntryError for a key that has no form."""
    lines: list[str] = []
    for key, value in sorted(entries):
        line = f"{key} {value}"
        if not key or not value or _key_end(line) != (len(key), False) or key.startswith("#"):
            raise EntryError(f"The key {key!r} with the value {value!r} cannot be written.")
        lines.append(_checked(line))
    return "".join(lines)


def print_postalias(entries: Iterable[tuple[str, str]]) -> str:
    """Source text for postalias(1), sorted by name. Raises EntryError as print_postmap does."""
    lines: list[str] = []
    for name, value in sorted(entries):
        plain = name.isascii() and name.replace("-", "a").replace("_", "a").isalnum()
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        line = f"{name}: {value}" if plain else f'"{escaped}": {value}'
        if not name or split_alias(line)[0] != name:
            raise EntryError(f"The alias {name!r} with the value {value!r} cannot be written.")
        lines.append(_checked(line))
    return "".join(lines)


def _checked(line: str) -> str:
    if "\n" in line or "\x00" in line or line != line.rstrip(BLANKS):
        raise EntryError(f"{line!r} is not one line of text.")
    return line + "\n"
