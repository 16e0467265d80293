"""objects - the content-addressed files that generations are made of.

SUMMARY      Objects(directory).open(digest, size) -> descriptor of a file that is what it should be
FOR          writing.store (before it switches), reading.snapshot (before it answers)
RULES        the name of an object is the SHA-256 of its content, in hex; an object never changes.
             What was verified once is remembered by device, inode, size and times, so that an edit
             of a small table does not read a large one again; a file that was touched in any way is
             read again. The descriptor that was verified is the one that is given out: a file that
             is removed or replaced later does not matter to whoever holds it.
ERRORS       GenerationError: missing, not a plain file, wrong size, wrong content, unreadable
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import OrderedDict
from pathlib import Path

from tables.errors import GenerationError

REMEMBERED = 65_536  # verified objects; more than any store keeps, yet bounded
DIGEST = re.compile(r"[0-9a-f]{64}")

_Identity = tuple[int, int, int, int, int]


def _identity(status: os.stat_result) -> _Identity:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def file_digest(descriptor: int) -> str:
    """SHA-256 of the whole file in hex; the position of the descriptor is left at the start."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    os.lseek(descriptor, 0, os.SEEK_SET)
    return digest


class Objects:
    """One directory of objects and the memory of what was verified in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._verified: OrderedDict[str, _Identity] = OrderedDict()

    def path(self, digest: str) -> Path:
        """Where the object lies or would lie."""
        if not DIGEST.fullmatch(digest):
            raise GenerationError(f"{digest[:80]!r} is not the digest of an object")
        return self.directory / digest

    def open(self, digest: str, size: int) -> int:
        """A descriptor, open for reading, of the verified object; the caller closes it."""
        path = self.path(digest)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError as error:
            raise GenerationError(f"map file {digest} is missing; publish again") from error
        except OSError as error:
            raise GenerationError(
                f"map file {digest} cannot be opened: {error.strerror}"
            ) from error
        try:
            self._verify(descriptor, digest, size)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def verify(self, digest: str, size: int) -> None:
        """Raise GenerationError unless the object is there and whole."""
        os.close(self.open(digest, size))

    def _verify(self, descriptor: int, digest: str, size: int) -> None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise GenerationError(
                f"map file {digest} is not a plain file; remove it and publish again"
            )
        if status.st_size != size:
            raise GenerationError(
                f"map file {digest} has {status.st_size} bytes where the manifest says {size}: "
                "it is torn or was changed; publish again"
            )
        if self._verified.get(digest) == _identity(status):
            self._verified.move_to_end(digest)
            return
        try:
            found = file_digest(descriptor)
        except OSError as error:
            raise GenerationError(
                f"map file {digest} cannot be read: {error.strerror}; look at the disk"
            ) from error
        if found != digest:
            self._verified.pop(digest, None)
            raise GenerationError(
                f"map file {digest} does not have the content its name says: "
                "it was changed or damaged; publish again"
            )
        self.remember(digest, descriptor)

    def remember(self, digest: str, descriptor: int) -> None:
        """Take the open file as verified: it was, or the caller has just made it."""
        self._verified[digest] = _identity(os.fstat(descriptor))
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
