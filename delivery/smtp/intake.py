"""intake - octets received and not used yet: taken as lines, as counted octets, or all at once.

SUMMARY      Intake: put, take_line, take, take_all, put_back, clear, close; len(); waits: octets do
             take_line() -> octets without line end; .flaw: what was wrong with them
RULES        how the octets were cut on their way does not matter: the lines are the same
LIMITS       of a line above the limit only the beginning is kept, the rest is drained as it comes
SOURCE       RFC 5321 2.3.8, 4.5.3.1.4
"""

from __future__ import annotations

from enum import Enum

_CR = 0x0D


class Flaw(Enum):
    """What is wrong with a line."""

    BARE = "LF alone ended it"
    CUT = "too long, this is the beginning"


class Intake:
    """A buffer with a reading position: octets are copied only when new ones come in between.

    Nothing waits when the buffer is empty: what was read to its end is dropped at once.
    """

    __slots__ = ("_at", "_beginning", "_is_closed", "flaw", "line_limit", "waits")

    def __init__(self, line_limit: int) -> None:
        self.line_limit = line_limit
        self.flaw: Flaw | None = None  # of the line that was taken last
        self.waits = b""  # what is left of it begins at _at
        self._at = 0
        self._beginning: bytes | None = None  # of an overlong line whose end is not here yet
        self._is_closed = False

    def __len__(self) -> int:
        return len(self.waits) - self._at

    def put(self, data: bytes) -> None:
        """Octets from the peer."""
        if self._is_closed:
            return
        self.waits = self.waits[self._at :] + data if self.waits else data
        self._at = 0

    def put_back(self, rest: bytes) -> None:
        """What take() gave too much; only right after it."""
        self.waits, self._at = rest + self.waits[self._at :], 0

    def clear(self) -> None:
        """Forget everything."""
        self.waits, self._at, self._beginning = b"", 0, None

    def close(self) -> None:
        """Forget everything, and what comes yet."""
        self.clear()
        self._is_closed = True

    def take_all(self) -> bytes:
        """Everything there is."""
        data = self.waits[self._at :] if self._at else self.waits
        self.waits, self._at = b"", 0
        return data

    def take(self, count: int) -> bytes:
        """At most `count` octets."""
        if count >= len(self.waits) - self._at:
            return self.take_all()
        data = self.waits[self._at : self._at + count]
        self._at += count
        return data

    def take_line(self) -> bytes | None:
        """The next line, or None while its end is not here. CR LF or LF ends it."""
        buffer, at = self.waits, self._at
        end = buffer.find(b"\n", at)
        if end < 0:
            self._drain()
            return None
        if end + 1 == len(buffer):
            self.waits, self._at = b"", 0
        else:
            self._at = end + 1
        is_short = at < end <= at + self.line_limit + 1
        if is_short and buffer[end - 1] == _CR and self._beginning is None:
            self.flaw = None
            return buffer[at : end - 1]
        return self._flawed(buffer[at:end])

    def _flawed(self, text: bytes) -> bytes:
        self.flaw = Flaw.CUT
        if self._beginning is not None:
            text, self._beginning = self._beginning, None
        elif len(text) > self.line_limit + 1:  # one more for the CR
            text = text[: self.line_limit]
        else:
            self.flaw = Flaw.BARE
        return text

    def _drain(self) -> None:
        """Keep the beginning of a line that is too long already, drop the rest."""
        if self._beginning is not None:
            self.waits, self._at = b"", 0
        elif len(self) > self.line_limit + 1:
            self._beginning = self.waits[self._at : self._at + self.line_limit]
            self.waits, self._at = b"", 0
