"""durable - a name lasts when its directory is on disk, not when the file is.

SUMMARY      sync_directory(path): on return all names in it are on disk
             sync_directory_or_all(path): also for who may write in it and not list it
RULES        whoever makes, links or renames a file syncs the file, gives it its name, then syncs
             the directory; a directory that is new is a name in the one above it
             a directory that may not be listed cannot be opened, so sync(2) takes everything along
             many directories that were opened already are synced with their files (agents/disk.py)
ERRORS       OSError: nothing is known of those names. PermissionError of sync_directory() alone
SOURCE       fsync(2): the entry in the directory needs an fsync of its own; sync(2), NOTES
"""

from __future__ import annotations

import os

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def sync_directory(path: str | os.PathLike[str]) -> None:
    """Make the names in a directory durable. Raises OSError."""
    directory = os.open(path, _DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def sync_directory_or_all(path: str | os.PathLike[str]) -> None:
    """The same, whatever it costs where we may not list it. Raises OSError."""
    try:
        sync_directory(path)
    except PermissionError:
        os.sync()
