"""content - message text on its way in: small in memory, large in a file of its own.

SUMMARY      ContentWriter.write() for every piece, then await finish() -> Content
RULES        beyond SpoolLimits.inline_bytes, or when all sessions together hold buffer_bytes, the
             text goes to <shard>/content/<queue id>; finish() returns after fsync of that file; the
             committer fsyncs the directory before it commits the row that names the file
ERRORS       write() never fails for the disk: the failure is kept and finish() raises it as
             SmtpFailure 452 4.3.1, so that a session reads the message to its end and answers once
             finish() after abandon(), or twice, is OurError
SOURCE       RFC 5321 4.2.5; RFC 3463 X.3.1; Postfix cleanup(8)
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import zlib
from concurrent.futures import Executor
from pathlib import Path
from typing import BinaryIO

from delivery.durable import sync_directory
from delivery.errors import OurError, SmtpFailure
from delivery.values import Content


class ContentFiles:
    """The content files of one shard, and the only place that touches them.

    Tests put a recording or failing layer here by deriving from it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, name: str) -> Path:
        """Where the content file of that queue id is."""
        return self.directory / name

    def create(self, name: str) -> BinaryIO:
        """A new unbuffered file, mode 0600; it must not exist."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.fdopen(os.open(self.path(name), flags, 0o600), "wb", buffering=0)

    def write(self, file: BinaryIO, data: bytes) -> None:
        """Write all of `data`."""
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]

    def sync(self, file: BinaryIO) -> None:
        """Return when the file's data is on disk."""
        os.fsync(file.fileno())

    def sync_directory(self) -> None:
        """Return when all names in the directory are on disk."""
        sync_directory(self.directory)

    def link(self, source: str, name: str) -> None:
        """Take the file `source` (a path) of another shard under this one's roof as well."""
        os.link(source, self.path(name), follow_symlinks=False)

    def remove(self, name: str) -> None:
        """Remove a content file; one that is gone already is fine."""
        self.path(name).unlink(missing_ok=True)

    def size(self, name: str) -> int | None:
        """Its size in bytes, or None when there is no such file."""
        try:
            return self.path(name).stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """All names in the directory."""
        return os.listdir(self.directory)


class BufferBudget:
    """How many bytes of content all writers of one shard hold in memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0

    def fits(self, count: int) -> bool:
        """True when so much can be taken."""
        return self.used + count <= self._limit

    def take(self, count: int) -> bool:
        """Reserve `count` bytes; False when that is too much."""
        if not self.fits(count):
            return False
        self.used += count
        return True

    def give_back(self, count: int) -> None:
        """Return reserved bytes."""
        self.used -= count


class ContentWriter:
    """Collects one message. `queue_id` is already its name, for the Received header."""

    def __init__(
        self,
        queue_id: str,
        files: ContentFiles,
        budget: BufferBudget,
        *,
        inline_bytes: int,
        executor: Executor | None = None,
        loose: set[str] | None = None,
    ) -> None:
        """`loose` gets the name of a file that is made here, and loses it with the file."""
        self.queue_id = queue_id
        self.size = 0
        self._files = files
        self._budget = budget
        self._inline_bytes = inline_bytes
        self._executor = executor
        self._loose = set() if loose is None else loose
        self._pieces: list[bytes] = []
        self._held = 0
        self._file: BinaryIO | None = None
        self._failure: OSError | None = None
        self._closed = False

    def write(self, data: bytes) -> None:
        """Append a piece; any size."""
        if self._closed:
            raise OurError("content written after its end")
        self.size += len(data)
        if self._failure is not None:
            return
        if self._file is None:
            if self.size <= self._inline_bytes and self._budget.take(len(data)):
                self._pieces.append(data)
                self._held += len(data)
                return
            self._spill()
        if self._file is not None:
            try:
                self._files.write(self._file, data)
            except OSError as error:
                self._fail(error)

    async def finish(self, headers: bytes = b"") -> Content:
        """The complete Content, durable when it is in a file; `headers` are to stand before it.

        Raises SmtpFailure 452 4.3.1 when the disk did not take it; nothing is left behind then.
        """
        if self._closed:
            raise OurError("content finished twice")
        if self._file is not None and self._failure is None:
            loop = asyncio.get_running_loop()
            try:
                await loop.run_in_executor(self._executor, self._files.sync, self._file)
            except OSError as error:
                self._fail(error)
            except asyncio.CancelledError:
                self.abandon()
                raise
        if self._failure is not None:
            failure = self._failure
            self.abandon()
            raise storage_failure(failure) from failure
        data = b"".join(self._pieces)
        path = "" if self._file is None else str(self._files.path(self.queue_id))
        self._close()
        return Content(size=self.size, data=data, path=path, headers=headers)

    def abandon(self) -> None:
        """Forget everything written; harmless after finish() or a second time."""
        if self._closed:
            return
        had_file = self._file is not None
        self._close()
        if had_file:
            self._files.remove(self.queue_id)
            self._loose.discard(self.queue_id)

    def _spill(self) -> None:
        """Move what is in memory to a file."""
        try:
            self._file = self._files.create(self.queue_id)
            self._loose.add(self.queue_id)
            for piece in self._pieces:
                self._files.write(self._file, piece)
        except OSError as error:
            self._fail(error)
        self._pieces.clear()
        self._budget.give_back(self._held)
        self._held = 0

    def _fail(self, error: OSError) -> None:
        self._failure = error

    def _close(self) -> None:
        self._closed = True
        self._budget.give_back(self._held)
        self._held = 0
        self._pieces = []
        if self._file is not None:
            self._file.close()


def storage_failure(cause: Exception) -> SmtpFailure:
    """What a client is told when the queue cannot take a message. RFC 3463 X.3.1."""
    full = isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT}
    if isinstance(cause, sqlite3.Error):
        full = getattr(cause, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
    text = "Insufficient system storage" if full else "Queue file write error"
    return SmtpFailure(452, "4.3.1", text, cause=f"{type(cause).__name__}: {cause}")


def checksum(data: bytes) -> int:
    """CRC-32 of content kept in the database: SQLite itself has no page checksums."""
    return zlib.crc32(data)
