"""intake - where content enters: names, files and memory for messages that are on their way in.

SUMMARY      Intake(directory, ids).begin() -> ContentWriter; check_room(); forget(content)
             Door: what whoever takes mail in needs of the queue, in this process or in another
RULES        each process that takes mail in has an intake of its own, with queue ids of its own
             (the number that follows the "z"), over the content directory of the same shard
             a file that no message was entered with is removed by forget() or close(); after a
             crash recovery.py does it
ERRORS       SmtpFailure 452 4.3.1: the disk has less than SpoolLimits.free_bytes
SOURCE       postconf(5) queue_minfree; RFC 1870 6.1
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from delivery.errors import SmtpFailure
from delivery.spool import database, queueid
from delivery.spool.content import BufferBudget, ContentFiles, ContentWriter
from delivery.spool.records import SpoolLimits, Submission
from delivery.values import Content

CONTENT_DIRECTORY = "content"
FSYNC_THREADS = 4
ROOM_S = 0.01  # so long the disk is taken to have the room that it had: much fits into a second


class Door(Protocol):
    """The way into the queue."""

    def begin(self) -> ContentWriter:
        """A writer for the content of one message; raises SmtpFailure 452 4.3.1."""
        ...

    def check_room(self, size: int = 0) -> None:
        """Raise SmtpFailure 452 4.3.1 when a message of that size must be refused now."""
        ...

    def forget(self, content: Content) -> None:
        """Remove finished content that will not be entered."""
        ...

    async def enter_submission(self, submission: Submission, *, now: float | None = None) -> str:
        """Queue a message; its id, when it is on disk. Raises SmtpFailure 452 4.3.1."""
        ...

    async def flush(self, now: float, *, site: str) -> int:
        """Make deferred messages with a recipient in `site` due now; how many."""
        ...


class Intake:
    """The writers of one process."""

    def __init__(
        self, directory: Path, ids: queueid.IdMaker, files: ContentFiles, limits: SpoolLimits
    ) -> None:
        """`directory`: of the shard. `limits` may be replaced at any time."""
        self.limits = limits
        self._directory = str(directory)
        self._log = database.log_path(directory)
        self._ids = ids
        self._files = files
        self._executor = ThreadPoolExecutor(FSYNC_THREADS, thread_name_prefix="spool-fsync")
        self._budget = BufferBudget(limits.buffer_bytes)
        self._loose: set[str] = set()  # content files written, not yet entered
        self._left = 0  # octets that the disk had for us
        self._looked = -ROOM_S  # when

    @property
    def loose_files(self) -> int:
        """Content files that belong to no message yet."""
        return len(self._loose)

    def next_number(self) -> int:
        """A queue id that was never given before, as a number."""
        return self._ids.next()

    def begin(self) -> ContentWriter:
        """A writer for the content of one message; its `queue_id` is the message's name.

        Raises SmtpFailure 452 4.3.1 when the disk has less than SpoolLimits.free_bytes.
        """
        self.check_room()
        return ContentWriter(
            queueid.to_text(self._ids.next()),
            self._files,
            self._budget,
            inline_bytes=self.limits.inline_bytes,
            executor=self._executor,
            loose=self._loose,
        )

    def check_room(self, size: int = 0) -> None:
        """Raise SmtpFailure 452 4.3.1 when a message of that size must be refused now.

        What the write-ahead log holds is to go into the database, and needs its room there as well.
        """
        if not self.limits.free_bytes:
            return
        now = time.monotonic()
        if now - self._looked >= ROOM_S:
            state = os.statvfs(self._directory)
            free = state.f_bavail * state.f_frsize
            self._left, self._looked = free - database.log_bytes(self._log), now
        if self._left < self.limits.free_bytes + size:
            raise SmtpFailure(452, "4.3.1", "Insufficient system storage", cause="queue_minfree")

    def forget(self, content: Content) -> None:
        """Remove finished content that will not be entered (the message was discarded)."""
        name = os.path.basename(content.path)
        if name in self._loose:
            self._loose.discard(name)
            self._files.remove(name)

    def entered(self, queue_id: str) -> None:
        """The message is in the queue: its file is no longer ours."""
        self._loose.discard(queue_id)

    def close(self) -> None:
        """End what is being synced, remove files of messages that were never entered."""
        self._executor.shutdown()
        for name in self._loose:
            self._files.remove(name)
        self._loose.clear()
