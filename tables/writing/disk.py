"""disk - the file operations that publishing consists of, each one step that can fail.

SUMMARY      create, write, sync, rename, link and remove, with the modes of the store
FOR          store.py; tests put a disk that fails or dies at a chosen step in its place
RULES        files 0600, directories 0700, nothing is followed or overwritten by `create`;
             a file is durable after `sync`, its name after `sync_directory` of its directory
ERRORS       OSError, as the system gives it (ENOSPC, EIO, EDQUOT ...)
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class Disk:
    """The real disk."""

    def make_directory(self, path: Path) -> bool:
        """Create one directory; False when it is there already."""
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            return False
        return True

    def create(self, path: Path) -> int:
        """A descriptor, open for reading and writing, of a file that was not there before."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(path, flags, 0o600)

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of `data`."""
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    def sync(self, descriptor: int) -> None:
        """The content of the file is on disk when this returns."""
        os.fsync(descriptor)

    def sync_directory(self, path: Path) -> None:
        """The names in the directory are on disk when this returns."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Atomically give `source` the name `target`, in the place of what was there."""
        source.rename(target)

    def link(self, path: Path, text: str) -> None:
        """Create a symbolic link at `path` that says `text`."""
        path.symlink_to(text)

    def remove(self, path: Path) -> None:
        """Remove a file or link; it may be gone already."""
        path.unlink(missing_ok=True)

    def remove_directory(self, path: Path) -> None:
        """Remove an empty directory; it may be gone already."""
        with contextlib.suppress(FileNotFoundError):
            path.rmdir()
