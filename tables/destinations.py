"""destinations - what a line of an alias, a .forward or an :include: file names, one by one.

SUMMARY      read_destinations(text) -> Destination, ... as the engine delivers to them
             parse_alias_destinations(text): the same, for whom each of them has to be right
RULES        |command, /file, ~/file, :include:/file; everything else is an address
             what one of them gets wrong is its own failure: the others are delivered to
LIMITS       LINE_LIMIT characters a line of a file
ERRORS       read_...: none, what cannot be read is of the kind BAD; parse_...: EntryError, its text
             a sentence for the administrator
SOURCE       aliases(5), local(8); Postfix local/token.c
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from tables.addresses import NULL, Address
from tables.errors import AddressSyntaxError, EntryError
from tables.lexical import internal_items
from tables.values import read_address

LINE_LIMIT = 100_000


class Kind(Enum):
    """What a destination is."""

    ADDRESS = "address"
    COMMAND = "command"
    FILE = "file"
    HOME_FILE = "file in the home directory"
    INCLUDE = "include"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Destination:
    """`text` is the command, the path, or what was written; `address` is not yet completed.

    `problem`: what is wrong with it, where the kind does not say so.
    """

    kind: Kind
    text: str
    address: Address | None = None
    problem: str = ""

    @property
    def written(self) -> str:
        """As it stands in an alias table."""
        match self.kind:
            case Kind.ADDRESS if self.address is not None:
                return self.address.text
            case Kind.COMMAND:
                return _quote_if_needed("|" + self.text)
            case Kind.INCLUDE:
                return ":include:" + _quote_if_needed(self.text)
            case _:
                return _quote_if_needed(self.text)


def read_destinations(text: str) -> tuple[Destination, ...]:
    """The destinations in one line or in the value of an alias, in order."""
    try:
        items = internal_items(_plain_blanks(text))
    except AddressSyntaxError as error:
        return (Destination(Kind.BAD, text.strip(), problem=str(error)),)
    if not items and text.strip() in ('""', "<>"):
        return (Destination(Kind.ADDRESS, "", NULL),)
    return tuple(map(_read, items))


def parse_alias_destinations(text: str) -> tuple[Destination, ...]:
    """The destinations of an alias, in order. Raises EntryError. aliases(5)."""
    found = read_destinations(text)
    if not found:
        raise EntryError("There is no destination.")
    for each in found:
        if problem := _problem(each):
            raise EntryError(problem)
    return found


def _problem(found: Destination) -> str:
    """What is wrong with a destination, beside what a delivery to it may meet."""
    match found.kind:
        case Kind.COMMAND if not found.text:
            return 'After "|" a command must follow.'
        case Kind.INCLUDE if not found.text.startswith("/"):
            return 'After ":include:" the full path of a file must follow.'
        case Kind.HOME_FILE:
            return "An alias has no home directory: give the full path of the file."
        case Kind.ADDRESS if found.address is not None and not found.address.local:
            return f"{found.text!r} has no user name." if found.text else "There is no destination."
    return found.problem


def read_relay(text: str) -> Address | None:
    """The one address in a text; |commands and /files are names of users here. None: no address."""
    try:
        items = internal_items(_plain_blanks(text))
        return read_address(_without_route(items[0])) if items else None
    except (AddressSyntaxError, EntryError):
        return None


def read_file(text: str) -> Iterator[str]:
    """The lines of a .forward or :include: file that count."""
    for line in text.split("\n"):
        if line and not line.startswith("#") and not line.isspace():
            yield line[:LINE_LIMIT]


def _read(item: str) -> Destination:
    match item[:1]:
        case "/":
            return Destination(Kind.FILE, item)
        case "~":
            return Destination(Kind.HOME_FILE, item)
        case "|":
            return Destination(Kind.COMMAND, item[1:].strip())
    if item.lower().startswith(":include:"):
        return Destination(Kind.INCLUDE, item[len(":include:") :])
    written = _without_route(item)
    try:
        address = read_address(written)
    except EntryError as error:
        return Destination(Kind.BAD, item, problem=str(error))
    # the domain as it is written: other servers see it
    spelled = replace(address, domain=written.rpartition("@")[2] if address.domain else "")
    return Destination(Kind.ADDRESS, item, spelled)


def _without_route(item: str) -> str:
    """The address behind a source route, @a,@b:user@domain. RFC 5321 appendix C."""
    route, colon, address = item.partition(":")
    return address if colon and route.startswith("@") and "@" in address else item


_NEEDS_QUOTES = re.compile(r'[\x00-\x20"(),:;<>@\[\\\]]')


def _quote_if_needed(text: str) -> str:
    if not _NEEDS_QUOTES.search(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _plain_blanks(text: str) -> str:
    """Tabs and line ends are blanks."""
    return text.replace("\r", " ").replace("\n", " ")
