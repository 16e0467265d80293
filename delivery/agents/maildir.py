"""maildir - messages become files in Maildirs, many with few waits for the disk.

SUMMARY      await MaildirWriter.deliver(Letter) -> file name; threads do the work, off the event
             loop
DURABLE      when deliver() returns: file written to tmp/, fsynced, renamed into new/, new/ fsynced
             (and the directories above it, when they were made for this message)
RULES        letters of one moment, and while a batch is written the next ones, are a batch: all are
             written and made durable together (disk.py), then all renamed, then every new/ once.
             A directory is opened once for a batch. Where that takes long, up to HANDS threads
             write a batch each (batches.py); where it does not they would only be in each other's
             way
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from delivery.agents.base import PIECE_BYTES, pieces
from delivery.agents.disk import Disk
from delivery.agents.quota import OverQuota, UsageCache
from delivery.batches import Batches
from delivery.values import Content
from tables.frozen import dataclass

BATCH_LIMIT = 64
HANDS = 8
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


@dataclass(slots=True)
class _Task:
    """A letter on its way through one batch."""

    letter: Letter
    future: asyncio.Future[str]
    error: Exception | None = None
    box: int = -1  # descriptors: the Maildir, its tmp/ and new/, the file
    tmp: int = -1
    new: int = -1
    file: int = -1
    name: str = ""
    size: int = 0


_Batch = list[_Task]


class MaildirWriter:
    """Writes into Maildirs with a thread or more; one for the whole engine."""

    def __init__(self, *, hostname: str, hands: int = HANDS, disk: Disk | None = None) -> None:
        # maildir.html: "/" and ":" cannot be in the name
        self.host = hostname.replace("/", "\\057").replace(":", "\\072")
        self._count = itertools.count()
        self._inbox: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()  # None: the end
        self._batches = Batches[_Task](self._hand_over, hands=hands, most=BATCH_LIMIT)
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._running: dict[int, _Directories] = {}  # of the batch of each thread at work
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
        directories = _Directories()
        with self._lock:
            self._running[threading.get_ident()] = directories
        try:
            for task in batch:
                self._attempt(task, partial(self._write, directories))
            self._sync(_alive(batch), [task.file for task in _alive(batch)])
            for task in _alive(batch):
                self._attempt(task, self._publish)
            self._sync_names(_alive(batch))
            for task in _alive(batch):
                self._usage.added(task.box, task.letter.quota_bytes, task.size)
        finally:
            with self._lock:
                del self._running[threading.get_ident()]
            directories.close()
            for task in batch:
                if task.file >= 0:
                    os.close(task.file)

    def _attempt(self, task: _Task, step: Callable[[_Task], None]) -> None:
        try:
            step(task)
        except (OSError, OverQuota, UnsafePath) as error:
            task.error = error
            self._discard(task)

    def _write(self, directories: _Directories, task: _Task) -> None:
        """Open the Maildir and write the file in tmp/."""
        letter = task.letter
        names = split_path(letter.maildir)
        task.box = directories.open(letter.base, names)
        if letter.quota_bytes:
            size = letter.content.size + len(letter.headers) + len(letter.content.headers)
            self._usage.check(task.box, letter.quota_bytes, size)
        now = time.time_ns()
        task.name = (
            f"{now // 10**9}.M{now // 1000 % 10**6}P{os.getpid()}Q{next(self._count)}.{self.host}"
        )
        task.tmp, task.new = directories.open_parts(letter.base, names)
        task.file = os.open(task.name, _NEW_FILE, 0o600, dir_fd=task.tmp)
        text = itertools.chain((letter.headers,), pieces(letter.content))
        for piece in with_newlines(gathered(text)):
            view = memoryview(piece)
            while view:
                view = view[os.write(task.file, view) :]
            task.size += len(piece)

    def _publish(self, task: _Task) -> None:
        """Rename into new/ under the final name."""
        final = f"{task.name},S={task.size}"
        os.rename(task.name, final, src_dir_fd=task.tmp, dst_dir_fd=task.new)
        task.name = final

    def _sync_names(self, tasks: _Batch) -> None:
        """Make the new names durable: every new/ once, and parents of directories just made.

        Also of those that another batch has made and not synced yet: a letter may be in them.
        """
        names = dict.fromkeys(task.new for task in tasks)
        with self._lock:
            parents = [os.dup(item) for each in self._running.values() for item in each.made]
        try:
            self._sync(tasks, [*names, *parents])
        finally:
            for parent in parents:
                os.close(parent)

    def _sync(self, tasks: _Batch, descriptors: list[int]) -> None:
        """When that fails, none of the tasks is known to be durable: better twice than never."""
        try:
            self._disk.sync(descriptors)
        except OSError as error:
            for task in tasks:
                task.error = error
                self._discard(task)

    def _discard(self, task: _Task) -> None:
        """Remove what was begun in tmp/."""
        if task.file >= 0:
            with suppress(FileNotFoundError):
                os.unlink(task.name, dir_fd=task.tmp)


def _alive(batch: _Batch) -> _Batch:
    return [task for task in batch if task.error is None]


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


def gathered(source: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces that are worth a system call: each gives the interpreter to another thread."""
    held: list[bytes] = []
    size = 0
    for piece in source:
        held.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def split_path(text: str) -> list[str]:
    """The names of a relative mailbox path; raises UnsafePath."""
    names = [name for name in text.split("/") if name not in {"", "."}]
    if not names or ".." in names or "\0" in text:
        raise UnsafePath("mailbox path leaves virtual_mailbox_base")
    return names


class _Directories:
    """Those of one batch, opened from the base down, each once; made when they are missing."""

    def __init__(self) -> None:
        self.made: list[int] = []  # parents of new ones, to be fsynced
        self._open: dict[tuple[str, ...], int] = {}

    def open(self, base: str, names: Sequence[str]) -> int:
        """A descriptor of base/name/name ..., none of the names a symbolic link."""
        found = self._open.get((base, *names))
        if found is not None:
            return found
        if not names:
            return self._keep((base,), _open_base(base))
        parent = self.open(base, names[:-1])
        try:
            opened = os.open(names[-1], _DIRECTORY, dir_fd=parent)
        except FileNotFoundError:
            self._make(parent, names[-1:])
            opened = os.open(names[-1], _DIRECTORY, dir_fd=parent)
        return self._keep((base, *names), opened)

    def open_parts(self, base: str, names: Sequence[str]) -> tuple[int, int]:
        """Descriptors of tmp/ and new/ of a Maildir; cur/ is made together with these."""
        tmp, new = ((base, *names, part) for part in ("tmp", "new"))
        if new not in self._open:
            box = self.open(base, names)
            try:
                self._open_pair(box, tmp, new)
            except FileNotFoundError:
                self._make(box, ("cur", "new", "tmp"))
                self._open_pair(box, tmp, new)
        return self._open[tmp], self._open[new]

    def close(self) -> None:
        """The batch is done."""
        for descriptor in (*self._open.values(), *self.made):
            os.close(descriptor)

    def _open_pair(self, box: int, *paths: tuple[str, ...]) -> None:
        for path in paths:
            if path not in self._open:
                self._keep(path, os.open(path[-1], _DIRECTORY, dir_fd=box))

    def _keep(self, path: tuple[str, ...], descriptor: int) -> int:
        self._open[path] = descriptor
        return descriptor

    def _make(self, parent: int, names: Iterable[str]) -> None:
        self.made.append(os.dup(parent))  # before another thread finds them there
        for name in names:
            with suppress(FileExistsError):  # another thread was quicker
                os.mkdir(name, 0o700, dir_fd=parent)


def _open_base(path: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    with suppress(FileNotFoundError):
        return os.open(path, flags)
    os.makedirs(path, 0o700, exist_ok=True)
    return os.open(path, flags)
