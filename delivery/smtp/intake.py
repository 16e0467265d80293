"""intake - octets received and not used yet: taken as lines, as counted octets, or all at once.

SUMMARY      Intake: put, take_line, take, take_all, put_back, clear; len(); is_empty
RULES        how the octets were cut on their way does not matter: the lines are the same
LIMITS       of a line above the limit only the beginning is kept, the rest is drained as it comes
SOURCE       RFC 5321 2.3.8, 4.5.3.1.4
"""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):  # a tuple, because one is made for every command
    """`text` has no line end; `bare`: LF alone ended it; `cut`: too long, this is the beginning."""

    text: bytes
    bare: bool = False
    cut: bool = False


class Intake:
    """A buffer with a reading position: octets are copied only when new ones come in between.

    Nothing waits when the buffer is empty: what was read to its end is dropped at once.
    """

    __slots__ = ("_at", "_beginning", "_buffer", "line_limit")

    def __init__(self, line_limit: int) -> None:
        self.line_limit = line_limit
        self._buffer = b""
        self._at = 0
        self._beginning: bytes | None = None  # of an overlong line whose end is not here yet

    def __len__(self) -> int:
        return len(self._buffer) - self._at

    @property
    def is_empty(self) -> bool:
        """True when nothing waits."""
        return not self._buffer

    def put(self, data: bytes) -> None:
        """Octets from the peer."""
        self._buffer = self._buffer[self._at :] + data if self._buffer else data
        self._at = 0

    def put_back(self, rest: bytes) -> None:
        """What take() gave too much; only right after it."""
        self._buffer, self._at = rest + self._buffer[self._at :], 0

    def clear(self) -> None:
        """Forget everything."""
        self._buffer, self._at, self._beginning = b"", 0, None

    def take_all(self) -> bytes:
        """Everything there is."""
        data = self._buffer[self._at :] if self._at else self._buffer
        self._buffer, self._at = b"", 0
        return data

    def take(self, count: int) -> bytes:
        """At most `count` octets."""
        if count >= len(self._buffer) - self._at:
            return self.take_all()
        data = self._buffer[self._at : self._at + count]
        self._at += count
        return data

    def take_line(self) -> Line | None:
        """The next line, or None while its end is not here. CR LF or LF ends it."""
        buffer = self._buffer
        if not buffer:
            return None
        end = buffer.find(b"\n", self._at)
        if end < 0:
            self._drain()
            return None
        text, self._at = buffer[self._at : end], end + 1
        if self._at == len(buffer):
            self._buffer, self._at = b"", 0
        if self._beginning is not None:
            text, self._beginning = self._beginning, None
            return Line(text, cut=True)
        if len(text) > self.line_limit + 1:  # one more for the CR
            return Line(text[: self.line_limit], cut=True)
        if text[-1:] == b"\r":
            return Line(text[:-1])
        return Line(text, bare=True)

    def _drain(self) -> None:
        """Keep the beginning of a line that is too long already, drop the rest."""
        if self._beginning is not None:
            self._buffer, self._at = b"", 0
        elif len(self) > self.line_limit + 1:
            self._beginning = self._buffer[self._at : self._at + self.line_limit]
            self._buffer, self._at = b"", 0
