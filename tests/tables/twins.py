"""twins - complete stand-ins for what tables works with: a disk that fails or dies at a step."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from tables.writing.disk import Disk

Fault = Callable[[], None]


def disk_full() -> None:
    """What every system call says when the disk is full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def die() -> None:
    """The process is gone, as by kill -9: no handler, no finally, no flush."""
    os._exit(9)


class FaultyDisk(Disk):
    """The real disk; step number `at` (from 1) hits `fault`; without one it only records.

    A write is two steps: at the second one half of the data is already in the file.
    """

    def __init__(self, *, at: int = 0, fault: Fault = disk_full, after: bool = False) -> None:
        self.at = at
        self.fault = fault
        self.after = after  # every step from `at` on fails, not just that one
        self.steps: list[str] = []

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if len(self.steps) == self.at or (self.after and len(self.steps) > self.at):
            self.fault()

    def make_directory(self, path: Path) -> bool:
        self._step(f"make_directory {path.name}")
        return super().make_directory(path)

    def create(self, path: Path) -> int:
        self._step(f"create {path.name}")
        return super().create(path)

    def write(self, descriptor: int, data: bytes) -> None:
        self._step("write")
        half = len(data) // 2
        super().write(descriptor, data[:half])
        self._step("write on")
        super().write(descriptor, data[half:])

    def sync(self, descriptor: int) -> None:
        self._step("sync")
        super().sync(descriptor)

    def sync_directory(self, path: Path) -> None:
        self._step(f"sync_directory {path.name}")
        super().sync_directory(path)

    def rename(self, source: Path, target: Path) -> None:
        self._step(f"rename {source.name} {target.name}")
        super().rename(source, target)

    def link(self, path: Path, text: str) -> None:
        self._step(f"link {path.name}")
        super().link(path, text)

    def remove(self, path: Path) -> None:
        self._step(f"remove {path.name}")
        super().remove(path)

    def remove_directory(self, path: Path) -> None:
        self._step(f"remove_directory {path.name}")
        super().remove_directory(path)
