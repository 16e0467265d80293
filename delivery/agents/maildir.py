"""maildir - messages become files in Maildirs, many with few waits for the disk.

SUMMARY      await MaildirWriter.deliver(Letter) -> file name; threads do the work, off the event
             loop
DURABLE      when deliver() returns: file written to tmp/, fsynced, renamed into new/, new/ fsynced.
             tmp/ is made last, when all the other directories of a Maildir are on disk: whoever
             finds it, while others make them, finds them all
RULES        letters of one moment, and while a batch is written the next ones, are a batch: all are
             written and made durable together (disk.py), then all renamed, then every new/ once.
             A directory is opened once for a batch. Where one thread is not enough, up to HANDS of
             them write a batch each (batches.py); where it is, others would only be in its way
             the path stays below the base: no "..", and nothing on the way may be a symbolic link
             line ends become LF; files are 0600, directories 0700
             names are time.MmicrosecondsPpidQcount.host,S=size: unique on this host, the size is
             that of the file (Maildir++)
ERRORS       deliver() raises OSError (with errno), OverQuota, or UnsafePath; nothing is left in
             tmp/
SOURCE       https://cr.yp.to/proto/maildir.html, Maildir++; Postfix virtual(8) maildir.c
"""

from __future__ import annotations

import asyncio
import itertools
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from delivery.agents.base import pieces
from delivery.agents.disk import Disk
from delivery.agents.quota import OverQuota, UsageCache
from delivery.batches import Batches
from delivery.durable import sync_directory_or_all
from delivery.values import Content
from tables.frozen import dataclass

BATCH_LIMIT = 32  # a letter may need six descriptors
HANDS = 4
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class UnsafePath(ValueError):
    """A mailbox path that would leave the base directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message for one Maildir. `maildir` is relative to `base`; `headers` go first (CRLF)."""

    base: str
    maildir: str
    headers: bytes
    content: Content
    quota_bytes: int = 0  # of the whole Maildir; 0: none


class _Maildir(NamedTuple):
    """Descriptors of its directories."""

    top: int = -1
    tmp: int = -1
    new: int = -1


_NOT_OPEN = _Maildir()


@dataclass(slots=True, eq=False)
class _Task:
    """A letter on its way through one batch."""

    letter: Letter
    future: asyncio.Future[str]
    error: Exception | None = None
    box: _Maildir = _NOT_OPEN
    file: int = -1
    name: str = ""
    size: int = 0


_Batch = list[_Task]


class MaildirWriter:
    """Writes into Maildirs with a thread or more; one for the whole engine."""

    def __init__(self, *, hostname: str, hands: int = HANDS, disk: Disk | None = None) -> None:
        # maildir.html: "/" and ":" cannot be in the name
        self.host = hostname.replace("/", "\\057").replace(":", "\\072")
        self._pid = os.getpid()
        self._count = itertools.count()
        self._inbox: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()  # None: the end
        self._batches = Batches[_Task](self._hand_over, hands=hands, most=BATCH_LIMIT)
        self._threads: list[threading.Thread] = []
        self._usage = UsageCache()
        self._disk = disk or Disk()
        self._start_thread()

    async def deliver(self, letter: Letter) -> str:
        """Deliver; the name of the file in new/. See DURABLE and ERRORS."""
        task = _Task(letter, asyncio.get_running_loop().create_future())
        self._batches.add(task)
        return await task.future

    def close(self) -> None:
        """Wait for what was begun; nothing may be delivered afterwards."""
        if rest := self._batches.rest():
            self._inbox.put(rest)
        for _ in self._threads:
            self._inbox.put(None)
        for thread in self._threads:
            thread.join()

    def _hand_over(self, batch: _Batch) -> None:
        self._inbox.put(batch)
        if self._batches.under_way > len(self._threads):
            self._start_thread()

    def _start_thread(self) -> None:
        name = f"maildir-{len(self._threads)}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    # in the threads

    def _run(self) -> None:
        while batch := self._inbox.get():
            failure: Exception | None = None
            try:
                self._write_batch(batch)
            except Exception as error:  # noqa: BLE001 - goes to whoever waits for the letters
                failure = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                batch[0].future.get_loop().call_soon_threadsafe(self._tell, batch, failure)

    def _tell(self, batch: _Batch, failure: Exception | None) -> None:
        """In the event loop: each letter is delivered, or has failed."""
        for task in batch:
            error = task.error or failure
            if task.future.done():  # cancelled meanwhile
                continue
            if error is not None:
                task.future.set_exception(error)
            else:
                task.future.set_result(task.name)
        self._batches.ready()

    def _write_batch(self, batch: _Batch) -> None:
        """Deliver a batch; each task gets its name or its error."""
        directories = _Directories(self._disk)
        try:
            tasks = self._attempt(batch, partial(self._write, directories))
            tasks = self._sync(tasks, [task.file for task in tasks])
            tasks = self._attempt(tasks, self._publish)
            tasks = self._sync(tasks, list({task.box.new for task in tasks}))
            for task in tasks:
                if task.letter.quota_bytes:
                    self._usage.added(task.box.top, task.size)
        finally:
            directories.close()
            for task in batch:
                if task.file >= 0:
                    os.close(task.file)

    def _attempt(self, tasks: _Batch, step: Callable[[_Task], None]) -> _Batch:
        """Those that it succeeds with; the others have an error."""
        done = []
        for task in tasks:
            try:
                step(task)
            except (OSError, OverQuota, UnsafePath) as error:
                self._fail(task, error)
            else:
                done.append(task)
        return done

    def _write(self, directories: _Directories, task: _Task) -> None:
        """Open the Maildir and write the file in tmp/."""
        letter = task.letter
        task.box = directories.maildir(letter.base, letter.maildir)
        if letter.quota_bytes:
            size = letter.content.size + len(letter.headers) + len(letter.content.headers)
            self._usage.check(task.box.top, letter.quota_bytes, size)
        seconds, rest = divmod(time.time_ns(), 10**9)
        task.name = f"{seconds}.M{rest // 1000}P{self._pid}Q{next(self._count)}.{self.host}"
        task.file = os.open(task.name, _NEW_FILE, 0o600, dir_fd=task.box.tmp)
        for piece in with_newlines(pieces(letter.content, before=letter.headers)):
            task.size += len(piece)
            left = piece
            while left:
                left = left[os.write(task.file, left) :]

    def _publish(self, task: _Task) -> None:
        """Rename into new/ under the final name."""
        final = f"{task.name},S={task.size}"
        os.rename(task.name, final, src_dir_fd=task.box.tmp, dst_dir_fd=task.box.new)
        task.name = final

    def _sync(self, tasks: _Batch, descriptors: list[int]) -> _Batch:
        """When that fails, none of the tasks is known to be durable: better twice than never."""
        try:
            self._disk.sync(descriptors)
        except OSError as error:
            for task in tasks:
                self._fail(task, error)
            return []
        return tasks

    def _fail(self, task: _Task, error: Exception) -> None:
        """Its error, and nothing left of it in tmp/."""
        task.error = error
        if task.file >= 0:
            with suppress(FileNotFoundError):
                os.unlink(task.name, dir_fd=task.box.tmp)


def with_newlines(source: Iterable[bytes]) -> Iterator[bytes]:
    """CRLF becomes LF, also where a piece ends between the two; a missing last LF is added."""
    held = b""
    last = b"\n"
    for piece in source:
        data = held + piece
        held = b"\r" if data.endswith(b"\r") else b""
        data = data[: len(data) - len(held)].replace(b"\r\n", b"\n")
        if data:
            last = data[-1:]
            yield data
    if held:
        last = held
        yield held
    if last != b"\n":
        yield b"\n"


def split_path(text: str) -> list[str]:
    """The names of a relative mailbox path; raises UnsafePath."""
    names = [name for name in text.split("/") if name not in {"", "."}]
    if not names or ".." in names or "\0" in text:
        raise UnsafePath("mailbox path leaves virtual_mailbox_base")
    return names


class _Directories:
    """Those of one batch, opened from the base down, each once; made when they are missing."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._opened: list[int] = []
        self._known: dict[tuple[str, ...], int] = {}
        self._maildirs: dict[tuple[str, str], _Maildir] = {}

    def maildir(self, base: str, path: str) -> _Maildir:
        """Descriptors of the Maildir base/path. No name of the path is a symbolic link."""
        found = self._maildirs.get((base, path))
        if found is None:
            names = (base, *split_path(path))
            top = self._directory(names)
            try:
                found = self._parts(top)
            except FileNotFoundError:
                self._make_parts(top, names)
                found = self._parts(top)
            self._maildirs[base, path] = found
        return found

    def close(self) -> None:
        """The batch is done."""
        for descriptor in self._opened:
            os.close(descriptor)

    def _directory(self, path: tuple[str, ...]) -> int:
        """A descriptor of that base, or of a directory below it."""
        found = self._known.get(path)
        if found is None:
            if len(path) == 1:
                found = _open_base(path[0])
                self._opened.append(found)
            else:
                parent, name = self._directory(path[:-1]), path[-1]
                try:
                    found = self._open(name, parent)
                except FileNotFoundError:
                    _make(name, parent)
                    found = self._open(name, parent)
            self._known[path] = found
        return found

    def _parts(self, top: int) -> _Maildir:
        return _Maildir(top, self._open("tmp", top), self._open("new", top))

    def _open(self, name: str, parent: int) -> int:
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
        self._opened.append(descriptor)
        return descriptor

    def _make_parts(self, top: int, names: tuple[str, ...]) -> None:
        """What a Maildir consists of, all that is above it on disk first."""
        _make("cur", top)
        _make("new", top)
        self._disk.sync([self._known[names[: end + 1]] for end in range(len(names))])
        _make("tmp", top)


def _make(name: str, parent: int) -> None:
    with suppress(FileExistsError):  # another thread was quicker
        os.mkdir(name, 0o700, dir_fd=parent)


def _open_base(path: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    with suppress(FileNotFoundError):
        return os.open(path, flags)
    missing = [path.rstrip("/")]
    while not os.path.isdir(above := os.path.dirname(missing[-1])):
        missing.append(above)
    os.makedirs(path, 0o700, exist_ok=True)
    for each in missing:
        sync_directory_or_all(os.path.dirname(each))
    return os.open(path, flags)
