"""lock - one process for each shard, by flock(2) on a file in it.

SUMMARY      lock_shard(directory) -> descriptor; closing it, or dying, gives the shard free
ERRORS       ShardBusy: another process has it, or has just adopted and removed it
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from delivery.errors import DeliveryError

LOCK_FILE = "lock"


class ShardBusy(DeliveryError):
    """Another process has this shard of the spool."""


def lock_shard(directory: Path) -> int:
    """The open lock file of a shard, exclusively ours until closed; raises ShardBusy."""
    path = directory / LOCK_FILE
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_ino != path.stat().st_ino:
            raise FileNotFoundError(path)
    except (BlockingIOError, FileNotFoundError) as error:
        os.close(handle)
        raise ShardBusy(f"shard {directory.name} of the spool is in use") from error
    return handle
