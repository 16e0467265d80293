"""journal - what was decided and done with every message and recipient, kept by the engine itself.

SUMMARY      Journal(directory).write(event, ...); read by the panel's worker, which ships it
FORM         <directory>/<UTC date>-<n>.jsonl, a JSON object a line; empty values are absent
RULES        mail never waits for the journal: lines gather in memory and a thread writes them; when
             more than BACKLOG lines wait (a full disk) new ones are dropped and counted, and the
             count is the next line written
             a file ends at FILE_BYTES and at midnight (UTC); whoever shipped a file removes it;
             beyond KEPT_FILES the oldest are removed
NOT DONE     durability: the spool is what must not lose anything, the journal says what happened
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

BACKLOG = 100_000  # lines in memory at most
FILE_BYTES = 16 * 1024 * 1024
KEPT_FILES = 64
VALUE_LIMIT = 1000  # characters of a text value; outsiders choose some of them


class Journal:
    """Appends events; all methods may be called from the event loop."""

    def __init__(
        self,
        directory: Path,
        *,
        clock: Callable[[], float] = time.time,
        on_trouble: Callable[[str], None] = lambda text: None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._clock = clock
        self._on_trouble = on_trouble
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._dropped = 0
        self._file: BinaryIO | None = None
        self._size = 0
        self._day = ""
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def write(self, event: str, **values: object) -> None:
        """Add one event; empty values are left out."""
        if self._lines.qsize() >= BACKLOG:
            self._dropped += 1
            return
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._put({"event": "journal_lines_dropped", "count": dropped})
        self._put({"event": event, **values})

    def close(self) -> None:
        """Write what waits and stop; blocks for as long as that takes."""
        self._lines.put(None)
        self._thread.join()

    def _put(self, values: dict[str, object]) -> None:
        kept = {
            key: value[:VALUE_LIMIT] if isinstance(value, str) else value
            for key, value in values.items()
            if value not in (None, "")
        }
        moment = round(self._clock(), 3)
        line = json.dumps({"time": moment, **kept}, ensure_ascii=True, separators=(",", ":"))
        self._lines.put(line.encode() + b"\n")

    # the thread

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            batch = [line]
            ended = False
            with contextlib.suppress(queue.Empty):
                while len(batch) < 1000:
                    more = self._lines.get_nowait()
                    if more is None:
                        ended = True
                        break
                    batch.append(more)
            self._append(batch)
            if ended:
                break
        if self._file is not None:
            self._file.close()

    def _append(self, batch: list[bytes]) -> None:
        data = b"".join(batch)
        try:
            file = self._open()
            file.write(data)
            self._size += len(data)
        except OSError as error:
            self._dropped += len(batch)
            self._on_trouble(f"journal: {error}")

    def _open(self) -> BinaryIO:
        day = time.strftime("%Y-%m-%d", time.gmtime(self._clock()))
        if self._file is not None and (day != self._day or self._size >= FILE_BYTES):
            self._file.close()
            self._file = None
        if self._file is None:
            self._file, self._day, self._size = self._next_file(day), day, 0
            self._prune()
        return self._file

    def _next_file(self, day: str) -> BinaryIO:
        taken = [
            int(path.stem.rpartition("-")[2]) for path in self._directory.glob(f"{day}-*.jsonl")
        ]
        number = max(taken, default=0) + 1
        path = self._directory / f"{day}-{number:06}.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        return os.fdopen(os.open(path, flags, 0o600), "ab", buffering=0)

    def _prune(self) -> None:
        files = sorted(self._directory.glob("*.jsonl"))
        for path in files[:-KEPT_FILES]:
            path.unlink(missing_ok=True)
