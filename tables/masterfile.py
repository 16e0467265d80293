"""masterfile - master.cf as a file: read it with line numbers, write it.

SUMMARY      parse_master(text) -> MasterFile(entries, problems); print_master(services) -> text
RULES        one service a logical line (services.py reads it); a service that is there again
             replaces the first one
ERRORS       parsing never raises: a line that is no service is a problem. print_master: EntryError
SOURCE       master(5)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tables.errors import EntryError
from tables.mainfile import FileProblem, joined_lines, line_problems
from tables.services import Service, parse_service, print_service

_HEAD = "# service type  private unpriv  chroot  wakeup  maxproc command + args\n"


@dataclass(frozen=True, slots=True)
class MasterEntry:
    """One service; `line` is where it begins."""

    line: int
    service: Service


@dataclass(frozen=True, slots=True)
class MasterFile:
    """The services of a master.cf in order, and what was wrong."""

    entries: tuple[MasterEntry, ...]
    problems: tuple[FileProblem, ...]


def parse_master(text: str) -> MasterFile:
    """All services that can be read. master(5)"""
    entries: dict[tuple[str, str], MasterEntry] = {}
    problems = line_problems(text)
    for line, content in joined_lines(text):
        try:
            service = parse_service(content)
        except EntryError as error:
            problems.append(FileProblem(line, f"This is no service: {error}"))
            continue
        key = service.name, service.type
        if (before := entries.pop(key, None)) is not None:
            message = f"{key[0]} {key[1]} is there again in line {line}: this one does not count."
            problems.append(FileProblem(before.line, message))
        entries[key] = MasterEntry(line, service)
    return MasterFile(tuple(entries.values()), tuple(problems))


def print_master(services: Iterable[Service]) -> str:
    """The text of a master.cf with these services. Raises EntryError."""
    ordered = sorted(services, key=lambda service: (service.type, service.name))
    return _HEAD + "".join(print_service(service) for service in ordered)
