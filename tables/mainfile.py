"""mainfile - main.cf as a file: read it with line numbers, write it.

SUMMARY      parse_main(text) -> MainFile(settings, problems); print_main(parameters) -> text
RULES        "name = value"; a line that begins with blanks continues the one before; "#" begins a
             comment line. A name that is set again counts with its last value; both are in
             `problems`. A value keeps its text, references and all; where a continuation line was
             joined one blank stands
             printed: sorted by name, the items of long lists on lines of their own
ERRORS       parsing never raises: a line that is no setting is a problem. print_main: EntryError
             for a name or value that cannot stand in the file
NOT DONE     the meaning of names and values: parameters.py
SOURCE       main.cf(5), postconf(5); Postfix dict_load_fp(3), split_nameval(3)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tables.errors import EntryError
from tables.formats.lines import BLANKS

WIDTH = 100  # a longer list is printed with one member a line
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_SETTING = re.compile(r"([^\s=]*)\s*(=?)\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter as set; `line` is where it begins."""

    line: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FileProblem:
    """What is to be said about one line of main.cf or master.cf."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class MainFile:
    """What counts in a main.cf, by name, and what was wrong or set twice."""

    settings: Mapping[str, Setting]
    problems: tuple[FileProblem, ...]


def parse_main(text: str) -> MainFile:
    """All settings; of two with one name the last counts. main.cf(5)"""
    settings: dict[str, Setting] = {}
    problems = line_problems(text)
    for line, content in joined_lines(text):
        match = _SETTING.fullmatch(content.strip(BLANKS))
        assert match is not None  # every part of the pattern may be empty
        name, equals, value = match.groups()
        if not equals or not _NAME.fullmatch(name):
            what = "a name" if not name else f'"=" after {name[:100]!r}' if not equals else "a name"
            problems.append(FileProblem(line, f"This is no setting: {what} is missing."))
            continue
        if (before := settings.get(name)) is not None:
            message = f"{name} is set again in line {line}: this value does not count."
            problems.append(FileProblem(before.line, message))
            del settings[name]
        settings[name] = Setting(line, name, value)
    return MainFile(settings, tuple(problems))


def joined_lines(text: str) -> list[tuple[int, str]]:
    """Logical lines with the number of the first; continuations are joined with one blank.

    What line_problems() names is not among them.
    """
    found: list[tuple[int, list[str]]] = []
    for number, line in _lines(text):
        if line[0] not in BLANKS:
            found.append((number, [line.rstrip(BLANKS)]))
        elif found:
            found[-1][1].append(line.strip(BLANKS))
    joined = ((number, " ".join(parts)) for number, parts in found)
    return [(number, content) for number, content in joined if "\x00" not in content]


def line_problems(text: str) -> list[FileProblem]:
    """Lines that cannot be read at all."""
    found = []
    for place, (number, line) in enumerate(_lines(text)):
        if place == 0 and line[0] in BLANKS:
            message = "A line that begins with blanks continues the one before, and there is none."
            found.append(FileProblem(number, message))
        if "\x00" in line:
            found.append(FileProblem(number, "There is a NUL character in the line."))
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, without comments and empty ones."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip(BLANKS)[:1] not in ("", "#"):
            yield number, line


def print_main(parameters: Mapping[str, str]) -> str:
    """The text of a main.cf with these parameters. Raises EntryError."""
    return "".join(f"{_printed(name, parameters[name])}\n" for name in sorted(parameters))


def _printed(name: str, value: str) -> str:
    if not _NAME.fullmatch(name):
        raise EntryError(f"{name!r} cannot be the name of a parameter.")
    if re.search(r"[\n\r\x00]", value):
        raise EntryError(f"The value of {name} is one line of text.")
    line = f"{name} = {value}".rstrip()
    members = _members(value)
    if len(line) <= WIDTH or ", ".join(members) != value:
        return line
    return f"{name} =\n    " + ",\n    ".join(members)


def _members(value: str) -> list[str]:
    """What stands between the commas of a list; those inside of braces do not count."""
    members: list[str] = []
    level, start = 0, 0
    for place, character in enumerate(value):
        level += (character == "{") - (character == "}")
        if character == "," and level == 0:
            members.append(value[start:place].strip())
            start = place + 1
    members.append(value[start:].strip())
    return [member for member in members if member]
