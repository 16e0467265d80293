"""powercut - what the disk holds when the power fails, told from the system calls of an engine.

SUMMARY      for moment in moments(trace, roots): moment.acknowledged, moment.image(kept) -> files
RULES        a write counts from the end of the fsync(2) or fdatasync(2) that began after it, a name
             in a directory (made, renamed, removed) from such a sync of the directory: POSIX
             promises no more, whatever a file system does
             what a sync that failed was to write counts as written for the system and is not on the
             disk: later syncs pass it over, until it is written anew ("fsyncgate")
             what was not synced may be there or not. Four images stand for all that may be: with
             and without the data, with and without the names that nobody waited for
             a call that changes files and that this model does not know is an error
SOURCE       fsync(2), open(2), rename(2); strace(1) -f -ttt -y -xx
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

WRITES = ("write", "pwrite64", "writev", "pwritev", "sendto", "sendmsg")
NAMES = ("open", "openat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "link", "linkat")
REMOVALS = ("unlink", "unlinkat")
SYNCS = ("fsync", "fdatasync", "syncfs")
UNKNOWN = ("sendfile", "copy_file_range", "splice", "truncate", "fallocate", "pwritev2")
CALLS = (*WRITES, *NAMES, *REMOVALS, *SYNCS, "ftruncate", *UNKNOWN)
PAGE = 4096
STRING_LIMIT = 1024 * 1024  # of what one call writes
COMMAND = (
    "strace", "-f", "-ttt", "-y", "-xx", "--seccomp-bpf", "-s", str(STRING_LIMIT),
    "-e", f"trace={','.join(CALLS)}", "-e", "signal=none",
)  # fmt: skip

_LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"(?:AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2}|[^<>])*)>")
_ANSWER = re.compile(rb"250 2\.0\.0 Ok: queued as (\w+)\r\n")


class Call(NamedTuple):
    """One system call, at its beginning or at its end; of those that fail, syncs alone."""

    name: str
    arguments: str
    is_end: bool
    started: float
    has_failed: bool = False


@dataclass
class File:
    """What was written, and what of it is on disk for certain."""

    data: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    lost: set[int] = field(default_factory=set)  # pages that no sync will write

    def write(self, place: int, text: bytes) -> None:
        """What was lost there will be written after all."""
        self.data.extend(bytes(max(0, place - len(self.data))))
        self.data[place : place + len(text)] = text
        self.lost.difference_update(range(place // PAGE, -(-(place + len(text)) // PAGE)))

    def cut(self, size: int) -> None:
        """It has that size now."""
        self.write(size, b"")
        del self.data[size:]

    def keep(self, state: bytes) -> None:
        """A sync has ended that began in that state."""
        durable = bytearray(state)
        for start in (page * PAGE for page in self.lost):
            part = slice(start, min(start + PAGE, len(state)))
            old = self.durable[part]
            durable[part] = old + bytes(len(state[part]) - len(old))
        self.durable = bytes(durable)

    def lose(self, state: bytes) -> None:
        """The same, but it has failed."""
        for start in range(0, len(state), PAGE):
            part = slice(start, start + PAGE)
            if self.durable[part] != state[part] == self.data[part]:
                self.lost.add(start // PAGE)


class Sync(NamedTuple):
    """A sync under way: of a file, or of the names in a directory."""

    path: str
    number: int
    file: File | None
    state: dict[str, File | None] | bytes


class Kept(NamedTuple):
    """Which of the things that nobody waited for the disk happens to have."""

    names: bool
    data: bool


EVERYTHING_MAY_BE = tuple(Kept(names, data) for names in (False, True) for data in (False, True))


class Disk:
    """The files below some directories, as written and as durable."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self._roots = tuple(str(root) for root in roots)
        self._files: dict[str, File | None] = {}  # None: a directory
        self._durable: dict[str, File | None] = {}
        self._begun = 0  # syncs
        self._newest: dict[str, int] = {}  # of the syncs that have ended

    def holds(self, path: str) -> bool:
        """True for what lies below the roots."""
        return any(path == root or path.startswith(f"{root}/") for root in self._roots)

    def file(self, path: str) -> File:
        """The file of that name."""
        found = self._files.get(path)
        assert found is not None, f"nobody has made {path}"
        return found

    def make(self, path: str, *, directory: bool = False) -> None:
        """A new name, unless it is there."""
        if path not in self._roots and path not in self._files:
            self._files[path] = None if directory else File()

    def link(self, old: str, new: str) -> None:
        """Another name of a file; what no call has opened is a socket."""
        self._files[new] = self._files.get(old, File())

    def remove(self, path: str) -> None:
        """A name goes."""
        self._files.pop(path, None)

    def begin_sync(self, path: str) -> Sync:
        """What a sync of this that begins now will have made durable when it ends."""
        self._begun += 1
        found = self._files.get(path)
        state = bytes(found.data) if found is not None else self._entries(path)
        return Sync(path, self._begun, found, state)

    def fail_sync(self, sync: Sync) -> None:
        """It has ended in vain. Names in a directory are written again with the next one."""
        if isinstance(sync.state, bytes):
            assert sync.file is not None
            sync.file.lose(sync.state)

    def end_sync(self, sync: Sync) -> None:
        """It has ended; one that began later may have ended before."""
        if sync.number < self._newest.get(sync.path, 0):
            return
        self._newest[sync.path] = sync.number
        if isinstance(sync.state, bytes):
            assert sync.file is not None
            sync.file.keep(sync.state)
            return
        for name in [each for each in self._durable if _parent(each) == sync.path]:
            del self._durable[name]
        self._durable.update(sync.state)

    def image(self, kept: Kept) -> dict[str, bytes]:
        """The files that may be found after a power cut now."""
        names = self._files if kept.names else self._durable
        return {
            path: bytes(found.data) if kept.data else found.durable
            for path, found in names.items()
            if found is not None and self._is_reachable(path, names)
        }

    def paths(self) -> list[str]:
        """All names there are."""
        return [*self._roots, *self._files]

    def _entries(self, path: str) -> dict[str, File | None]:
        return {name: found for name, found in self._files.items() if _parent(name) == path}

    def _is_reachable(self, path: str, names: dict[str, File | None]) -> bool:
        return all(
            str(above) in names or str(above) in self._roots
            for above in PurePosixPath(path).parents
            if self.holds(str(above))
        )


class Moment(NamedTuple):
    """The state after one call: whose answers were under way, and what the disk has."""

    time: float
    acknowledged: frozenset[str]
    disk: Disk


def moments(trace: Path, roots: Iterable[Path]) -> Iterator[Moment]:
    """A moment after each beginning of an answer, and after each change of what is on disk."""
    disk = Disk(roots)
    acknowledged: frozenset[str] = frozenset()
    syncing: dict[int, list[Sync]] = {}  # by thread
    for thread, call in calls(trace):
        if call.name in UNKNOWN:
            raise AssertionError(f"the model knows no {call.name}: {call.arguments[:100]}")
        if call.name in SYNCS:
            if not call.is_end:
                syncing[thread] = _syncs(disk, call)
                continue
            end = disk.fail_sync if call.has_failed else disk.end_sync
            for sync in syncing.pop(thread):
                end(sync)
        elif call.name in WRITES and not call.is_end:
            new = _answers(call)
            if not new:
                continue
            acknowledged |= new  # it may have arrived before the call ends
        elif not call.is_end or not _apply(disk, call):
            continue
        yield Moment(call.started, acknowledged, disk)


def calls(trace: Path) -> Iterator[tuple[int, Call]]:
    """Beginnings and ends of calls that matter, in their order, with the thread's number."""
    begun: dict[int, tuple[str, float]] = {}
    with trace.open(encoding="ascii") as lines:
        for line in lines:
            match = _LINE.match(line)
            assert match is not None, line[:200]
            thread, moment, text = int(match[1]), float(match[2]), match[3]
            if text.endswith("<unfinished ...>"):
                begun[thread] = (text.removesuffix("<unfinished ...>").rstrip(), moment)
                if (parts := _split(begun[thread][0])) is not None:
                    yield thread, Call(*parts, is_end=False, started=moment)
                continue
            resumed = _RESUMED.match(text)
            if resumed is not None:
                start, moment = begun.pop(thread)
                text = start + resumed[2]
            whole = _CALL.match(text)
            if whole is None:
                continue  # the end of a thread
            name, arguments, has_failed = whole[1], whole[2], int(whole[3]) < 0
            if has_failed and name not in SYNCS:
                continue
            if resumed is None:
                yield thread, Call(name, arguments, is_end=False, started=moment)
            yield thread, Call(name, arguments, is_end=True, started=moment, has_failed=has_failed)


def _split(text: str) -> tuple[str, str] | None:
    name, bracket, arguments = text.partition("(")
    return (name, arguments.rstrip(", ")) if bracket else None


def _answers(call: Call) -> frozenset[str]:
    """Queue ids that a client is told."""
    found = _ANSWER.findall(b"".join(_strings(call.arguments)))
    return frozenset(name.decode() for name in found)


def _syncs(disk: Disk, call: Call) -> list[Sync]:
    [path] = _descriptors(call.arguments)
    paths = disk.paths() if call.name == "syncfs" else [path]
    return [disk.begin_sync(each) for each in paths if disk.holds(each)]


def _apply(disk: Disk, call: Call) -> bool:
    """Change the disk; False when the call has nothing to do with it."""
    name = call.name
    if name in (*WRITES, "ftruncate"):
        return _write(disk, call)
    paths = [path for path in _paths(call.arguments) if disk.holds(path)]
    if not paths:
        return False
    if name in ("open", "openat"):
        if "O_CREAT" not in call.arguments:
            return False
        disk.make(paths[0])
        if "O_TRUNC" in call.arguments:
            disk.file(paths[0]).cut(0)
    elif name in ("mkdir", "mkdirat"):
        disk.make(paths[0], directory=True)
    elif name in REMOVALS:
        disk.remove(paths[0])
    else:
        old, new = paths
        disk.link(old, new)
        if name.startswith("rename"):
            disk.remove(old)
    return True


def _write(disk: Disk, call: Call) -> bool:
    descriptors = _descriptors(call.arguments)
    if not descriptors or not disk.holds(descriptors[0]):
        return False
    assert '"...' not in call.arguments, f"more than {STRING_LIMIT} bytes for {descriptors[0]}"
    file = disk.file(descriptors[0])
    if call.name == "write":  # everybody here writes on from the end
        file.write(len(file.data), b"".join(_strings(call.arguments)))
        return True
    number = int(call.arguments.rpartition(", ")[2])
    if call.name == "ftruncate":
        file.cut(number)
    else:
        assert call.name == "pwrite64", call.name
        file.write(number, b"".join(_strings(call.arguments)))
    return True


def _paths(arguments: str) -> list[str]:
    """Paths that a call names, each below the descriptor that stands before it."""
    found = []
    for part in re.finditer(rf"(?:{_DESCRIPTOR.pattern}, )?{_TEXT.pattern}", arguments):
        above = "" if part[1] is None else _decoded(part[1])
        found.append(str(PurePosixPath(above, _decoded(part[2]))))
    return found


def _descriptors(arguments: str) -> list[str]:
    return [_decoded(text) for text in _DESCRIPTOR.findall(arguments)]


def _strings(arguments: str) -> list[bytes]:
    return [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(arguments)]


def _decoded(text: str) -> str:
    if "\\x" not in text:
        return text
    return bytes.fromhex(text.replace("\\x", "")).decode()


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
