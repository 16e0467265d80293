"""log - the engine's log: one event, one line, fit for a postmaster's eyes and for grep.

SUMMARY      event(name, key=value ...) writes "name key=value ..." to standard output
             with background(): lines go by a thread, and nobody waits for who reads them
RULES        values are made printable, cut at VALUE_LIMIT and quoted when they hold blanks, so that
             no outsider can end a line or fill the disk; None and '' are left out
             never a password, never message content: callers give ids, addresses and reasons only
             one write holds whole lines and at most PIPE_BUF bytes: all processes of the engine
             write to the same pipe, and longer ones might mix (pipe(7))
             in the background lines that cannot be written are lost, and counted in a later line
SOURCE       CWE-117
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Iterator
from select import PIPE_BUF
from typing import Any, TextIO

from delivery.linequeue import LineQueue
from delivery.printable import printable

VALUE_LIMIT = 512  # characters of one value

_is_plain = re.compile(rf"[!#-<>-~]{{1,{VALUE_LIMIT}}}").fullmatch  # _shown() changes nothing

_background: list[LineQueue[str]] = []  # the queue in use, if any


def event(name: str, stream: TextIO | None = None, /, **values: object) -> None:
    """Write one line; at once, or by the thread of background()."""
    parts = [name]
    for key, value in values.items():
        if value is None or value == "":
            continue
        text = value if type(value) is str else str(value)
        parts.append(f"{key}={text if _is_plain(text) else _shown(text)}")
    line = " ".join(parts)
    if stream is None and _background:
        _background[-1].put(line)
        return
    out = sys.stdout if stream is None else stream
    out.write(encodable(line, out) + "\n")
    out.flush()


def loop_problem(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What an event loop met, a callback that failed or sockets that ran out, is one line."""
    error = context.get("exception")
    kind = "" if error is None else f" {type(error).__name__}: {error}"
    event("engine", problem=f"{context.get('message', '')}{kind}")


@contextlib.contextmanager
def background(stream: TextIO | None = None) -> Iterator[None]:
    """Within it, event() never waits; at its end everything is written."""
    sink = _Sink(sys.stdout if stream is None else stream)
    queue = LineQueue("log", sink.take)
    _background.append(queue)
    try:
        yield
    finally:
        _background.remove(queue)
        queue.close()


class _Sink:
    """Where lines go; a stream that fails is tried again with the next ones."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = 0

    def take(self, lines: list[str], dropped: int) -> None:
        self._lost += dropped
        if self._lost:
            lines = [f"log lines_lost={self._lost}", *lines]
        try:
            for part in _parts([encodable(line, self._stream) + "\n" for line in lines]):
                self._stream.write(part)
                self._stream.flush()
        except (OSError, ValueError):  # ValueError: it was closed
            self._lost += len(lines) - (1 if self._lost else 0)
        else:
            self._lost = 0


def _parts(lines: list[str]) -> Iterator[str]:
    """As many lines at a time as one write takes."""
    part: list[str] = []
    size = 0
    for line in lines:
        length = len(line) if line.isascii() else len(line.encode(errors="replace"))
        if part and size + length > PIPE_BUF:
            yield "".join(part)
            part, size = [], 0
        part.append(line)
        size += length
    yield "".join(part)


def encodable(text: str, stream: TextIO) -> str:
    """The text as far as the stream can write it; escapes for the rest."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    if encoding.lower() in ("utf-8", "utf8"):
        return text  # printable() lets no surrogate through
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _shown(text: str) -> str:
    """The text on one line, quoted where it holds a blank or a quote."""
    if len(text) > VALUE_LIMIT:
        text = text[:VALUE_LIMIT] + "..."
    text = printable(text)
    if " " in text or '"' in text or "=" in text:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text
