"""quota - how full a Maildir is, without counting it for every message.

SUMMARY      UsageCache.check(maildir descriptor, limit, size) raises OverQuota; added() afterwards
RULES        usage is the sum of the sizes of all messages in new/ and cur/ of the Maildir and its
             folders (.name/), from ",S=" in their names, else from the file; Trash counts
             it is counted again whenever a directory has changed behind our back (mtime): what a
             user deletes by IMAP is noticed at once
             a message that does not fit is kept and tried again: the user may make room
LIMITS       CACHED Maildirs are remembered, the least used are forgotten
ERRORS       OSError when the Maildir cannot be read
SOURCE       Maildir++ (http://www.inter7.com/courierimap/README.maildirquota.html)
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

CACHED = 10_000
_SIZE = re.compile(r",S=([0-9]{1,18})(?:[,:]|$)")

_Key = tuple[int, int]
_Times = tuple[tuple[str, int], ...]


class OverQuota(Exception):
    """The message does not fit into the mailbox."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"mailbox is full (quota {limit} bytes)")


@dataclass(slots=True)
class _Usage:
    total: int
    times: _Times  # of every directory counted


class UsageCache:
    """Usage of many Maildirs; safe to use from several threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[_Key, _Usage] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, box: int, limit: int, size: int) -> None:
        """Raise OverQuota when `size` more bytes do not fit into the Maildir open as `box`."""
        key = _key(box)
        times = _directory_times(box)
        with self._lock:
            known = self._known.get(key)
        if known is None or known.times != times:
            known = _Usage(_count(box, times), times)
            self._remember(key, known)
        if known.total + size > limit:
            raise OverQuota(limit)

    def added(self, box: int, size: int) -> None:
        """Our own delivery of `size` bytes: no reason to count everything again."""
        key = _key(box)
        times = _directory_times(box)
        with self._lock:
            known = self._known.get(key)
            if known is None:
                return
            ours = {name: when for name, when in times if name != "new"}
            if ours == {name: when for name, when in known.times if name != "new"}:
                known.total += size
                known.times = times
            else:
                del self._known[key]

    def _remember(self, key: _Key, usage: _Usage) -> None:
        with self._lock:
            self._known[key] = usage
            self._known.move_to_end(key)
            while len(self._known) > CACHED:
                self._known.popitem(last=False)


def _key(box: int) -> _Key:
    state = os.fstat(box)
    return state.st_dev, state.st_ino


def _directory_times(box: int) -> _Times:
    """Every directory that holds messages, with the time of its last change."""
    found = []
    for name in _message_directories(box):
        try:
            found.append((name, os.stat(name, dir_fd=box, follow_symlinks=False).st_mtime_ns))
        except FileNotFoundError:
            continue
    return tuple(sorted(found))


def _message_directories(box: int) -> Iterator[str]:
    yield from ("new", "cur")
    with os.scandir(box) as entries:
        folders = [
            entry.name
            for entry in entries
            if entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
        ]
    for folder in folders:
        yield from (f"{folder}/new", f"{folder}/cur")


def _count(box: int, times: _Times) -> int:
    total = 0
    for name, _ in times:
        handle = os.open(
            name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=box
        )
        try:
            with os.scandir(handle) as entries:
                total += sum(_size(entry) for entry in entries)
        finally:
            os.close(handle)
    return total


def _size(entry: os.DirEntry[str]) -> int:
    match = _SIZE.search(entry.name)
    if match:
        return int(match[1])
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:  # moved or deleted while we look
        return 0
