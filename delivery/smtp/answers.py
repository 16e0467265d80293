"""answers - the replies of another server: read with bounds, made harmless, their status chosen.

SUMMARY      AnswerReader: bytes -> Answer; Answer(code, dsn, lines)
RULES        lines of one reply are joined, the code of the last one counts (RFC 5321 4.2.1); dsn is
             the enhanced code of the last line when its class agrees with the code (RFC 2034 4),
             else "5.0.0", "4.0.0", "2.0.0"; for replies of no such class "5.5.0", as Postfix has
             it; whatever is not printable ASCII becomes "?": an answer may be logged and put in a
             report. `rewrite` may replace a line before it is understood (smtp_reply_filter)
LIMITS       a line is cut at line_length_limit, an answer at ANSWER_LIMIT octets and LINES_LIMIT
             lines
ERRORS       PeerError: a line that is no reply at all, or an answer beyond its bounds
SOURCE       RFC 5321 4.2, RFC 2034, RFC 3463; Postfix smtp_chat.c
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from delivery.errors import PeerError
from tables.frozen import dataclass

ANSWER_LIMIT = 64 * 1024  # octets of one answer, line ends included
LINES_LIMIT = 500  # an EHLO answer has about 15
_REMEMBERED = 128  # "250 2.1.0 Ok" is said again and again

_is_reply = re.compile(rb"[0-9]{3}(?:[ -]|\Z)").match  # RFC 5321 4.2 Reply-line
_ENHANCED = re.compile(r" *([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |\Z)")
_UNSAFE = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply of the other server. `lines` are as received, with their codes, made printable."""

    code: int
    dsn: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All lines in one, as Postfix shows them: "550-5.1.1 No such 550 5.1.1 user"."""
        return " ".join(self.lines)

    @property
    def is_success(self) -> bool:
        """2yz."""
        return 200 <= self.code <= 299

    @property
    def is_temporary(self) -> bool:
        """4yz: may be tried again."""
        return 400 <= self.code <= 499


class AnswerReader:
    """Takes bytes as they come, gives one Answer after the other."""

    def __init__(self, line_limit: int, rewrite: Callable[[str], str | None] | None = None) -> None:
        self._line_limit = line_limit
        self._rewrite = rewrite
        self.buffer = b""  # what no line was made of yet
        self._lines: list[str] = []  # of the answer being read
        self._size = 0  # octets of the answer being read

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self.buffer += data

    @property
    def has_unread(self) -> bool:
        """True when octets came that no answer was made of yet."""
        return bool(self.buffer or self._lines)

    def next_answer(self) -> Answer | None:
        """The next complete answer, or None; PeerError when there can be none."""
        while self.buffer and (end := self.buffer.find(b"\n")) >= 0:
            line, self.buffer = self.buffer[:end], self.buffer[end + 1 :]
            self._size += end + 1
            answer = self._take_line(line.removesuffix(b"\r"))
            if answer is not None:
                self._size = 0
                return answer
        if self._size + len(self.buffer) > ANSWER_LIMIT:
            raise PeerError("the reply is too long")
        return None

    def _take_line(self, line: bytes) -> Answer | None:
        """The answer, when the line is its last one."""
        line = line[: self._line_limit]
        if self._rewrite is not None:
            line = (self._rewrite(_printable(line)) or _printable(line)).encode()
        is_last = line[3:4] != b"-"
        if is_last and not self._lines:
            return _answer_of(line)
        self._lines.append(_text_of(line))
        if is_last:
            lines, self._lines = tuple(self._lines), []
            return _answer(lines)
        if len(self._lines) >= LINES_LIMIT or self._size > ANSWER_LIMIT:
            raise PeerError("the reply has too many lines")
        return None


@lru_cache(_REMEMBERED)
def _answer_of(line: bytes) -> Answer:
    return _answer((_text_of(line),))


def _text_of(line: bytes) -> str:
    if _is_reply(line) is None:
        raise PeerError(f"not an SMTP reply: {_printable(line[:60])}")
    return _printable(line)


def _answer(lines: tuple[str, ...]) -> Answer:
    last = lines[-1]
    digit = last[0]
    if digit not in "245":
        dsn = "5.5.0"  # out of protocol: 1yz, 3yz where none is due
    elif (match := _ENHANCED.match(last, 4)) and match[1][0] == digit:
        dsn = match[1]
    else:
        dsn = f"{digit}.0.0"
    return Answer(int(last[:3]), dsn, lines)


def _printable(line: bytes) -> str:
    return _UNSAFE.sub("?", line.decode("latin-1"))
