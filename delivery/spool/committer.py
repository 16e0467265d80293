"""committer - the one thread that writes a shard: group commit.

SUMMARY      submit(Operation) from the event loop; its future is done after the commit it is part
             of
RULES        while one batch is being synced the next one collects: an idle shard commits a message
             at once, a busy one makes its batches larger by itself (batches.py). The end of a
             delivery, which nobody is waiting for, goes with the next message that comes in
             order in a batch: content directory fsynced, rows inserted, finished messages deleted,
             other actions in the order given, COMMIT (the write-ahead log is fsynced), futures
             done, content files of deleted messages removed
             content files are complete and fsynced before their operation is submitted
ERRORS       a batch that fails is rolled back and its operations are tried one by one, so that one
             bad operation cannot fail its neighbours. Then: SmtpFailure 452 4.3.1 for an entry; an
             operation that `must` happen (the end of a delivery) is kept and tried again with the
             next batch, at the latest after RETRY_S; its future stays open
             when the thread itself ends by a bug, who waits hears OurError, and `lost` is called
SOURCE       DESIGN.md section 3; RFC 5321 4.2.5
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from delivery.batches import Batches
from delivery.errors import DeliveryError, OurError
from delivery.spool import database
from delivery.spool.content import ContentFiles, storage_failure
from delivery.spool.rowform import RecipientRow

RETRY_S = 1.0


@dataclass(slots=True)
class EntryRows:
    """One message as rows; `link_from` is its content file in the shard that it comes from."""

    message: tuple[Any, ...]
    content: tuple[int, bytes, bytes | None]
    recipients: list[RecipientRow]
    file_name: str = ""
    link_from: str = ""


@dataclass(slots=True)
class Work:
    """What an action may use: its transaction, and files to remove once that is committed."""

    connection: sqlite3.Connection
    unlink: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Operation:
    """Something to commit. It may be run twice (after a rollback): actions only touch `Work`."""

    future: asyncio.Future[Any]
    entries: list[EntryRows] = field(default_factory=list)
    remove: int = 0  # a whole message; 0: none
    unlink: list[str] = field(default_factory=list)
    action: Callable[[Work], Any] | None = None
    must: bool = False
    can_wait_s: float = 0.0  # for others to share its transaction with


_Batch = list[Operation]


class Committer:
    """Owns the writing connection of a shard from start() to stop()."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        files: ContentFiles,
        loop: asyncio.AbstractEventLoop,
        on_trouble: Callable[[str], None],
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.commits = 0
        self.operations = 0
        self._connection = connection
        self._files = files
        self._loop = loop
        self._on_trouble = on_trouble  # called in the event loop
        self._lost = lost  # too
        self._inbox: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()  # None: the end
        self._batches = Batches[Operation](self._inbox.put)
        self._kept: _Batch = []
        self._working: _Batch = []  # on the way to the disk
        self._thread = threading.Thread(target=self._run, name="spool-committer", daemon=True)
        self._failure: BaseException | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def submit(self, operation: Operation) -> None:
        """Hand over an operation; its future tells the rest."""
        if self._stopped or self._failure is not None:
            raise OurError("the spool is closed") from self._failure
        self._batches.add(operation, can_wait_s=operation.can_wait_s)

    def hurry(self, operation: Operation) -> None:
        """It can wait no longer."""
        self._batches.hurry(operation)

    def withdraw(self, operation: Operation) -> bool:
        """Not to be committed after all; False when it is on its way to the disk, or there."""
        return self._batches.withdraw(operation)

    async def stop(self) -> None:
        """Commit what was submitted, then end the thread."""
        if not self._stopped:
            self._stopped = True
            self._inbox.put(self._batches.rest())
            self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        try:
            running = True
            while running:
                kept, self._kept = self._kept, []
                batch, running = self._next(within_s=RETRY_S if kept else None)
                self._working = [*kept, *(batch or ())]
                if self._working:
                    self._commit(self._working)
                self._working = []
                if batch is not None:
                    self._post(self._batches.ready)
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._post(self._abort_rest)

    def _next(self, *, within_s: float | None) -> tuple[_Batch | None, bool]:
        """The next batch, None when there is none in time; and whether more are to come."""
        try:
            batch = self._inbox.get(timeout=within_s)
        except queue.Empty:
            return None, True
        return batch, batch is not None

    def _commit(self, batch: _Batch) -> None:
        try:
            results, unlink = self._transaction(batch)
        except Exception as error:  # noqa: BLE001 - goes to whoever waits for the operation
            self._roll_back()
            if len(batch) > 1:
                for operation in batch:
                    self._commit([operation])
            else:
                self._refuse(batch[0], error)
            return
        self._post(self._succeed, batch, results)
        for name in unlink:
            try:
                self._files.remove(name)
            except OSError as error:
                # harmless: the next start removes files that no row names
                self._post(self._on_trouble, f"cannot remove content file {name}: {error}")

    def _transaction(self, batch: _Batch) -> tuple[list[Any], list[str]]:
        entries = [entry for operation in batch for entry in operation.entries]
        self._sync_files(entries)
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        if entries:
            self._insert(entries)
        removed = [operation.remove for operation in batch if operation.remove]
        if removed:
            database.delete(connection, removed)
        work = Work(connection, [name for operation in batch for name in operation.unlink])
        results = [
            None if operation.action is None else operation.action(work) for operation in batch
        ]
        connection.execute("COMMIT")
        self.commits += 1
        self.operations += len(batch)
        return results, work.unlink

    def _sync_files(self, entries: list[EntryRows]) -> None:
        """Make the names of content files durable before a row names them."""
        for entry in entries:
            if entry.link_from:
                try:
                    self._files.link(entry.link_from, entry.file_name)
                except FileExistsError:
                    continue  # done by the first try of this batch
        if any(entry.file_name for entry in entries):
            self._files.sync_directory()

    def _insert(self, entries: list[EntryRows]) -> None:
        connection = self._connection
        database.insert(
            connection, "message", database.MESSAGE_COLUMNS, [entry.message for entry in entries]
        )
        database.insert_content(connection, [entry.content for entry in entries])
        rows = [row for entry in entries for row in entry.recipients]
        database.insert(connection, "recipient", database.RECIPIENT_COLUMNS, rows)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _refuse(self, operation: Operation, error: Exception) -> None:
        if isinstance(error, DeliveryError):
            self._post(_set_exception, operation.future, error)
        elif not _is_storage(error):
            bug = OurError(f"the spool was used wrongly: {error!r}")
            self._post(_set_exception, operation.future, bug)
        elif operation.must:
            self._kept.append(operation)
            self._post(self._on_trouble, f"queue database: {error}: will try again")
        else:
            self._post(_set_exception, operation.future, storage_failure(error))
            self._post(self._on_trouble, f"queue database: {error}")

    def _succeed(self, batch: _Batch, results: list[Any]) -> None:
        for operation, result in zip(batch, results, strict=True):
            if not operation.future.done():  # its task may have been cancelled meanwhile
                operation.future.set_result(result)

    def _abort_rest(self) -> None:
        """Nobody may wait for ever: fail what is left when the thread has ended."""
        left = [*self._working, *self._kept, *self._batches.rest()]
        while not self._inbox.empty():
            left += self._inbox.get_nowait() or []
        for operation in left:
            _set_exception(operation.future, OurError("the spool was closed"))
        if self._failure is not None:
            self._lost()

    def _post(self, call: Callable[..., object], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)


def _is_storage(error: Exception) -> bool:
    """True when the disk or the database failed, not the caller."""
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError):
        return False
    return isinstance(error, sqlite3.Error | OSError)


def _set_exception(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
