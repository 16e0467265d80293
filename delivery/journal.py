"""journal - what was decided and done with every message and recipient, kept by the engine itself.

SUMMARY      Journal(directory).write(event, ...); read by the panel's worker, which ships it
             pass_on(lines): those of another process of the engine, ready to be written
FORM         <directory>/<UTC date>-<n>.jsonl, a JSON object a line; empty values are absent
             names grow: whoever ships takes files in their order, and may remove one as soon as a
             later one is there, for this one is then closed
RULES        mail never waits for the journal: lines gather in memory and a thread writes them
             (linequeue.py). What could not be kept (a full disk) is counted, and the count is the
             next line written. Only whole lines stay in a file
             a file ends at FILE_BYTES and at midnight (UTC); beyond KEPT_FILES the oldest go
             one process writes the files; the other one hands its lines over (a call in place of a
             directory)
ERRORS       trouble with the disk goes to `on_trouble`, once until it is over
NOT DONE     durability: the spool is what must not lose anything, the journal says what happened
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from delivery import jsontext
from delivery.linequeue import BACKLOG, LineQueue

FILE_BYTES = 16 * 1024 * 1024
KEPT_FILES = 64
VALUE_LIMIT = 1000  # characters of a text value; outsiders choose some of them

_NAME = re.compile(r"(\d{4}-\d\d-\d\d)-(\d{1,9})\.jsonl\Z")
_Event = tuple[float, str, Mapping[str, object]]
_encode = jsontext.encoder(default=str)


class Journal:
    """Appends events; write() may be called from the event loop."""

    def __init__(
        self,
        place: Path | Callable[[bytes], None],
        *,
        clock: Callable[[], float] = time.time,
        on_trouble: Callable[[str], None] = lambda text: None,
        file_bytes: int = FILE_BYTES,
        backlog: int = BACKLOG,
    ) -> None:
        """`place`: the directory, or who takes whole lines instead.

        That, and `on_trouble`, are called in the journal's thread.
        """
        self._clock = clock
        self._files: _Files | None = None
        if isinstance(place, Path):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._files = _Files(place, clock, file_bytes)
            self._write: Callable[[bytes], None] = self._files.append
        else:
            self._write = place
        self._on_trouble = on_trouble
        self._trouble = ""
        self._lost = 0
        self._queue: LineQueue[bytes | _Event] = LineQueue("journal", self._take, backlog=backlog)

    def write(self, event: str, at: float | None = None, /, **values: object) -> None:
        """Add one event, of this moment unless `at` says which; empty values are left out.

        The values must not change afterwards.
        """
        self._queue.put((self._clock() if at is None else at, event, values))

    def pass_on(self, lines: bytes) -> None:
        """Add whole lines that another journal made."""
        for line in lines.splitlines(keepends=True):
            self._queue.put(line)

    def close(self) -> None:
        """Write what waits and stop; blocks for as long as that takes, within reason."""
        self._queue.close()
        if self._files is not None:
            self._files.close()

    # the thread

    def _take(self, events: list[bytes | _Event], dropped: int) -> None:
        self._lost += dropped
        lines = [event if isinstance(event, bytes) else _line(*event) for event in events]
        if self._lost:
            lines.insert(0, _line(self._clock(), "journal_lines_dropped", {"count": self._lost}))
        try:
            self._write(b"".join(lines))
        except OSError as error:
            self._lost += len(events)
            if str(error) != self._trouble:
                self._trouble = str(error)
                self._on_trouble(f"journal: {error}")
        else:
            self._trouble, self._lost = "", 0


def _line(moment: float, event: str, values: Mapping[str, object]) -> bytes:
    kept = {
        key: value[:VALUE_LIMIT] if isinstance(value, str) else value
        for key, value in values.items()
        if value is not None and value != ""
    }
    return _encode({"time": round(moment, 3), "event": event, **kept}).encode() + b"\n"


class _Files:
    """The file that is written, and those before it."""

    def __init__(self, directory: Path, clock: Callable[[], float], file_bytes: int) -> None:
        self._directory = directory
        self._clock = clock
        self._file_bytes = file_bytes
        self._file = -1
        self._size = 0
        self._day = ""

    def append(self, data: bytes) -> None:
        """Write all of it, or none of it but whole lines. Raises OSError."""
        file = self._open()
        written = 0
        try:
            while written < len(data):
                written += os.write(file, memoryview(data)[written:])
        except OSError:
            whole = data.rfind(b"\n", 0, written) + 1
            self._size += whole
            with contextlib.suppress(OSError):
                os.ftruncate(file, self._size)
            self.close()
            raise
        self._size += written

    def close(self) -> None:
        """The next line begins a new file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> int:
        day = time.strftime("%Y-%m-%d", time.gmtime(self._clock()))
        if self._file >= 0 and (day > self._day or self._size >= self._file_bytes):
            self.close()
        if self._file < 0:
            self._day, number = self._next(day)
            path = self._directory / f"{self._day}-{number:06}.jsonl"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(path, flags, 0o600)
            self._size = 0
            self._prune()
        return self._file

    def _next(self, day: str) -> tuple[str, int]:
        """The name behind all others, also when the clock was set back."""
        taken = [(match[1], int(match[2])) for match in self._matches()]
        latest, number = max(taken, default=("", 0))
        return (latest, number + 1) if latest >= day else (day, 1)

    def _prune(self) -> None:
        for match in self._matches()[:-KEPT_FILES]:
            (self._directory / match[0]).unlink(missing_ok=True)

    def _matches(self) -> list[re.Match[str]]:
        names = sorted(os.listdir(self._directory))
        return [match for name in names if (match := _NAME.fullmatch(name))]
