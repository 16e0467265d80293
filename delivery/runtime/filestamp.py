"""filestamp - whether a file has changed since it was read.

SUMMARY      stamp(name) -> what is another value once the file is another one; None: no file
RULES        one stat(2); what was written within the clock's grain with the same size is not seen
"""

from __future__ import annotations

import os

Stamp = tuple[int, int, int] | None


def stamp(name: str | os.PathLike[str]) -> Stamp:
    """Time of change, inode, size."""
    try:
        status = os.stat(name)
    except (OSError, ValueError):  # ValueError: no name that a file could have
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
