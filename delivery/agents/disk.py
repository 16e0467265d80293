"""disk - make many files durable at the price of a few waits.

SUMMARY      Disk.sync(descriptors): return when all these files and directories are on disk
RULES        two ways, the cheaper one is taken by what each has cost lately:
             fsync(2) of each, after writing out was started for all of them;
             syncfs(2), once for each file system: one wait for any number of files, but it waits
             for other people's data on that file system too
             an expensive way is forgotten slowly, so it is tried again when times have changed
ERRORS       OSError: at least one of them is not known to be durable
SOURCE       fsync(2), syncfs(2) (reports errors since Linux 5.8)
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Sequence

FEW = 4  # up to so many files are synced one by one
_WEIGHT = 0.2  # of the newest measurement
_FORGET = 0.98  # per use of the other way


class Disk:
    """Knows what syncing costs here; safe to use from several threads."""

    def __init__(self, *, use_syncfs: bool = True) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        # absent outside Linux
        self._syncfs = getattr(library, "syncfs", None) if use_syncfs else None
        self._lock = threading.Lock()
        self._fsync_s = 0.001  # for one file
        self._syncfs_s = 0.002  # for one file system

    def sync(self, descriptors: Sequence[int]) -> None:
        """Return when everything written to these, and every name in them, is on disk."""
        by_device: dict[int, int] = {}
        if len(descriptors) > FEW:
            by_device = {os.fstat(item).st_dev: item for item in descriptors}
        started = time.monotonic()
        if by_device and self._prefers_syncfs(len(descriptors), len(by_device)):
            for descriptor in by_device.values():
                self.sync_file_system(descriptor)
            self._learn((time.monotonic() - started) / len(by_device), syncfs=True)
        elif descriptors:
            self.start_writing_out(descriptors)
            for descriptor in descriptors:
                self.sync_file(descriptor)
            self._learn((time.monotonic() - started) / len(descriptors), syncfs=False)

    def start_writing_out(self, descriptors: Sequence[int]) -> None:
        """Let the disk begin with all of them before we wait for the first."""
        if len(descriptors) > 1:
            for descriptor in descriptors:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def sync_file(self, descriptor: int) -> None:
        """fsync(2)."""
        os.fsync(descriptor)

    def sync_file_system(self, descriptor: int) -> None:
        """syncfs(2) of the file system that holds this file."""
        assert self._syncfs is not None
        if self._syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def _prefers_syncfs(self, files: int, devices: int) -> bool:
        if self._syncfs is None:
            return False
        with self._lock:
            return self._syncfs_s * devices < self._fsync_s * files

    def _learn(self, seconds: float, *, syncfs: bool) -> None:
        with self._lock:
            if syncfs:
                self._syncfs_s += _WEIGHT * (seconds - self._syncfs_s)
                self._fsync_s *= _FORGET
            else:
                self._fsync_s += _WEIGHT * (seconds - self._fsync_s)
                self._syncfs_s *= _FORGET
