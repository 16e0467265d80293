"""locks - keep others out of a mailbox while it is written: dotlock, fcntl, flock.

SUMMARY      DotLock(path, patience).acquire() / release(); lock_file(descriptor, ways, patience)
RULES        FILE.lock is made with O_EXCL; one older than `stale_s` is broken
             everything is tried `attempts` times, with pauses around `delay_s`
ERRORS       Busy: somebody else has it; OSError: it cannot be made
SOURCE       postconf(5) mailbox_delivery_lock, deliver_lock_attempts, deliver_lock_delay,
             stale_lock_time; Postfix dot_lockfile(3), deliver_flock(3)
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass


class Busy(Exception):
    """Somebody else holds the lock, for as long as we were ready to wait."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a lock; `pause` sleeps for so many seconds."""

    attempts: int
    delay_s: float
    stale_s: float
    pause: Callable[[float], None] = time.sleep

    def wait(self) -> None:
        """Wait before the next attempt; not all for the same time."""
        self.pause(self.delay_s * random.uniform(0.5, 1.5))


class DotLock:
    """The lock file beside a mailbox."""

    def __init__(self, path: str, patience: Patience) -> None:
        self.path = f"{path}.lock"
        self._patience = patience

    def acquire(self) -> None:
        """Make the file. Raises Busy, OSError."""
        for attempt in range(1, self._patience.attempts + 1):
            try:
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0))
                return
            except FileExistsError:
                pass
            if attempt < self._patience.attempts:
                self._break_stale()
                self._patience.wait()
        raise Busy(f"unable to create lock file {self.path}: {os.strerror(errno.EEXIST)}")

    def release(self) -> None:
        """Remove the file; somebody may have broken the lock meanwhile."""
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def _break_stale(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if time.time() > os.stat(self.path).st_ctime + self._patience.stale_s:
                os.unlink(self.path)


def lock_file(descriptor: int, ways: Collection[str], patience: Patience) -> None:
    """Lock an open file until it is closed. Raises Busy, OSError."""
    locks: list[Callable[[], None]] = []
    if "flock" in ways:
        locks.append(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB))
    if "fcntl" in ways:
        locks.append(lambda: fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB))
    for lock in locks:
        _try_for(lock, patience)


def _try_for(lock: Callable[[], None], patience: Patience) -> None:
    for attempt in range(1, patience.attempts + 1):
        try:
            lock()
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        if attempt < patience.attempts:
            patience.wait()
    raise Busy("unable to lock for exclusive access")
