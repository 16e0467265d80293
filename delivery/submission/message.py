"""message - what a program writes to sendmail(1): a message, and perhaps who is to get it.

SUMMARY      copy(source, write, ends_at_dot, names) -> nothing; RecipientHeaders: -t
             read_addresses(text) -> addresses of a command line argument or a header
RULES        a line "." ends the message, unless it may not; lines "From ..." at the very beginning
             belong to a mailbox file, not to the message
             recipients are taken from To, Cc, Bcc; from their Resent- sisters instead, when there
             is any Resent- header
LIMITS       HEADER_LIMIT octets of one header, where recipients are taken; lines are read in pieces
ERRORS       HeaderTooLong: some of its recipients might not be seen
SOURCE       Postfix sendmail.c; RFC 5322 3.6.3, 3.6.6
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from delivery.content import addresslist
from delivery.content.headers import KNOWN, name_length
from delivery.trace import HEADER_LIMIT
from tables.addresses import Address

PIECE = 64 * 1024
_TO = frozenset({"to", "cc", "bcc"})


class HeaderTooLong(Exception):
    """A header of more than HEADER_LIMIT octets."""


class RecipientHeaders:
    """Reads the recipients in passing."""

    def __init__(self) -> None:
        self._header = b""
        self._is_over = False
        self._is_resent = False
        self._plain: list[Address] = []
        self._resent: list[Address] = []

    @property
    def recipients(self) -> list[Address]:
        """Those that were found."""
        return self._resent if self._is_resent else self._plain

    def feed(self, line: bytes, *, is_start: bool) -> None:
        """A line of the message, or a piece of one. Raises HeaderTooLong."""
        if self._is_over:
            return
        if not is_start or (self._header and line[:1] in (b" ", b"\t")):
            self._header += line
            if len(self._header) > HEADER_LIMIT:
                raise HeaderTooLong
            return
        self._take()
        if name_length(line):
            self._header = line
        else:
            self._is_over = True

    def finish(self) -> None:
        """The message ended."""
        self._take()
        self._is_over = True

    def _take(self) -> None:
        header, self._header = self._header, b""
        name = header[: name_length(header)].decode("latin-1").lower()
        known = KNOWN.get(name)
        if known is None:
            return
        self._is_resent = self._is_resent or known.resent
        if name.removeprefix("resent-") in _TO:
            value = header.partition(b":")[2].decode("utf-8", "surrogateescape")
            (self._resent if known.resent else self._plain).extend(read_addresses(value))


def read_addresses(text: str) -> Iterator[Address]:
    """The addresses of a list, as they are written: a domain may be missing."""
    octets = text.encode("utf-8", "surrogateescape").decode("latin-1")
    for item in addresslist.parse(octets.replace("\r\n", "\n")):
        if not isinstance(item, addresslist.Mailbox):
            continue
        found = addresslist.internal_text(item.tokens)
        inner = found.encode("latin-1").decode("utf-8", "surrogateescape")
        if inner.startswith("@") and ":" in inner:  # RFC 5321 C: a source route is dropped
            inner = inner.partition(":")[2]
        local, at, domain = inner.rpartition("@")
        if inner:
            yield Address(local, domain) if at else Address(inner, "")


def copy(
    source: BinaryIO,
    write: Callable[[bytes], None],
    *,
    ends_at_dot: bool = True,
    headers: RecipientHeaders | None = None,
) -> None:
    """Write the message that `source` holds. Raises OSError, HeaderTooLong."""
    is_start = may_be_from = True
    while piece := source.readline(PIECE):
        starts, is_start = is_start, piece.endswith(b"\n")
        if may_be_from and starts:
            if piece.lstrip(b">").startswith(b"From "):
                while not is_start and (piece := source.readline(PIECE)):
                    is_start = piece.endswith(b"\n")
                continue
            may_be_from = False
        if ends_at_dot and starts and piece.rstrip(b"\r\n") == b".":
            break
        if headers is not None:
            headers.feed(piece, is_start=starts)
        write(piece)
    if headers is not None:
        headers.finish()
