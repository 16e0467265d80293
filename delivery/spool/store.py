"""store - the door of the spool: enter, lease, settle, finish; one shard for each engine process.

SUMMARY      Spool.open(root, shard) locks and recovers <root>/<shard>/; the rest is async
             Spool.operator: what operators ask (operator.py)
LIFE         enter() -> [ACTIVE, fresh] -> lease() -> settle()* -> finish() -> gone | DEFERRED
             due() names fresh messages first, then the deferred ones whose time has come
RULES        enter() returns when the message is on disk: its caller may say 250 (RFC 5321 4.2.5)
             lease() of a deferred message writes the time of the attempt after this one first, so a
             crash costs a delay, never a hot loop; a fresh message was written as active when it
             was entered and costs nothing more (recovery.py knows what to do with both)
             finish() removes settled recipients and enters their reports in one transaction
             new messages that have no place in memory are written as deferred, due now: while
             SpoolLimits.active are active, or others have as many recipients as may be (room.py)
ERRORS       enter, begin and lease: SmtpFailure 452 4.3.1 when the disk does not take it; the spool
             stays usable. settle and finish do not fail for the disk: they wait for it
             ShardBusy: another process has the shard
SOURCE       docs/QUEUE.md
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from delivery.batches import COMPANY_S
from delivery.errors import SmtpFailure
from delivery.spool import database, operations, queueid, reading, recovery, rowform
from delivery.spool.adopt import Adoption, adopt_shards
from delivery.spool.committer import Committer, EntryRows, Operation
from delivery.spool.content import ContentFiles, ContentWriter
from delivery.spool.early import Early
from delivery.spool.entries import content_of, lease_of, make_rows, passed_by
from delivery.spool.intake import CONTENT_DIRECTORY, Intake
from delivery.spool.lock import lock_shard
from delivery.spool.memory import Memory
from delivery.spool.operator import Operator
from delivery.spool.records import (
    Corrupt,
    Lease,
    QueueState,
    Recovery,
    SpoolLimits,
    Submission,
)
from delivery.values import Content, Envelope, Outcome, Status

L = TypeVar("L", bound=Lease | None)


class Spool:
    """One shard of the queue. All methods belong to the thread of one event loop."""

    def __init__(
        self,
        directory: Path,
        lock: int,
        connection: sqlite3.Connection,
        files: ContentFiles,
        recovery: Recovery,
        limits: SpoolLimits,
        on_trouble: Callable[[str], None],
    ) -> None:
        """Use Spool.open()."""
        self.directory = directory
        self.recovery = recovery
        self.on_trouble = on_trouble
        self._lock = lock
        self._connection = connection
        self._files = files
        self._committer: Committer | None = None
        self._readers = reading.Readers(directory / database.FILE_NAME)
        self._memory = Memory(limits)
        #: for those who look after the queue
        self.operator = Operator(self._submit, self._readers, self._memory)
        #: the highest queue id there is; none below it is given again
        self.last = int(connection.execute("SELECT max(id) FROM message").fetchone()[0] or 0)
        ids = queueid.IdMaker(int(directory.name), last=self.last)
        self._intake = Intake(directory, ids, files, limits)
        self._leasing = 0  # messages whose lease is not on disk yet
        self._has_passed_by = False

    @classmethod
    def open(
        cls,
        root: Path,
        shard: int = 0,
        *,
        limits: SpoolLimits | None = None,
        files: Callable[[Path], ContentFiles] = ContentFiles,
        on_trouble: Callable[[str], None] = lambda text: None,
        now: float | None = None,
    ) -> Spool:
        """Lock, check and recover a shard. Blocking: seconds with 100,000 messages.

        `on_trouble` gets one line for whatever an operator must know; `files` is the layer that
        writes content files. Raises ShardBusy, OSError, sqlite3.OperationalError (cannot open).
        """
        directory = root / str(shard)
        for each in (root, directory, directory / CONTENT_DIRECTORY):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = lock_shard(directory)
        try:
            layer = files(directory / CONTENT_DIRECTORY)
            limits = limits or SpoolLimits()
            moment = time.time() if now is None else now
            connection, found = recovery.open_shard(
                directory, layer, on_trouble, now=moment, max_bytes=limits.database_bytes
            )
            return cls(directory, lock, connection, layer, found, limits, on_trouble)
        except BaseException:
            os.close(lock)
            raise

    async def start(self, lost: Callable[[], None] = lambda: None) -> None:
        """Begin to commit; call once, in the event loop that uses the spool.

        `lost` is called when nothing can be committed any more: open it anew.
        """
        loop = asyncio.get_running_loop()
        self._committer = Committer(self._connection, self._files, loop, self.on_trouble, lost)
        self._early = Early(self._committer, self._memory, self._files)
        self._committer.start()

    async def close(self) -> None:
        """Commit what was submitted, note the clean end, release the shard."""
        if self._committer is not None:
            await self._committer.stop()
        await asyncio.to_thread(self._close_files)

    @property
    def commits(self) -> int:
        """Transactions committed since start()."""
        return 0 if self._committer is None else self._committer.commits

    @property
    def recipients_in_memory(self) -> int:
        """Of messages that are fresh or leased."""
        return self._memory.room.total

    @property
    def limits(self) -> SpoolLimits:
        """Bounds of this shard; may be replaced at any time."""
        return self._intake.limits

    @limits.setter
    def limits(self, limits: SpoolLimits) -> None:
        self._intake.limits = limits

    @property
    def loose_files(self) -> int:
        """Content files that belong to no message yet."""
        return self._intake.loose_files

    # entering

    def begin(self) -> ContentWriter:
        """A writer for the content of one message; its `queue_id` is the message's name.

        Raises SmtpFailure 452 4.3.1 when the disk has less than SpoolLimits.free_bytes.
        """
        return self._intake.begin()

    def check_room(self, size: int = 0) -> None:
        """Raise SmtpFailure 452 4.3.1 when a message of that size must be refused now."""
        self._intake.check_room(size)

    def forget(self, content: Content) -> None:
        """Remove finished content that will not be entered (the message was discarded)."""
        self._intake.forget(content)

    async def enter(
        self,
        envelope: Envelope,
        content: Content,
        *,
        queue_id: str = "",
        hold: str = "",
        now: float | None = None,
    ) -> str:
        """Queue a message; its queue id, when it is on disk. `hold` is why it is held ('': it is
        not).

        `queue_id` is that of the writer the content came from. Raises SmtpFailure 452 4.3.1.
        """
        submission = Submission(envelope=envelope, content=content, queue_id=queue_id, hold=hold)
        return await self.enter_submission(submission, now=now)

    async def enter_submission(self, submission: Submission, *, now: float | None = None) -> str:
        """The same, of a message that is ready."""
        entry = self._entry(submission, time.time() if now is None else now)
        try:
            await asyncio.shield(self.enter_rows(entry))  # it is entered, whoever still waits
        except SmtpFailure:
            self.forget(submission.content)
            raise
        return queueid.to_text(entry.message[0])

    def enter_rows(
        self, entry: EntryRows, begin: Callable[[Lease], bool] = lambda lease: False
    ) -> asyncio.Future[None]:
        """The same, of rows, also those that another process made; done when they are on disk.

        `begin(lease)`: True when the first attempt begins already, by that lease. What does not
        deliver the message has to wait until it is kept(); what does, before its rows were written,
        spares them: the future is done then. Raises RowError for rows that cannot be read.
        """
        entry, lease = self._place(entry, lease_of(entry))
        return self._early.enter(entry, lease, begin) or self._enter([(entry, lease)])

    async def kept(self, lease: Lease) -> bool:
        """True once the message is on disk. False: it cannot be, and the lease has ended."""
        return await self._early.kept(lease)

    # trying

    def fresh(self, limit: int = 1000) -> list[str]:
        """Queue ids of messages that came in and were not leased yet; costs no look at the disk."""
        return self._memory.fresh(limit)

    @property
    def has_fresh(self) -> bool:
        """True when there are such."""
        return self._memory.has_fresh

    @property
    def has_passed_by(self) -> bool:
        """True when new messages went to the disk alone since due() last looked there."""
        return self._has_passed_by

    async def due(
        self, now: float, limit: int = 1000, *, longest: float = float("inf")
    ) -> list[str]:
        """Queue ids to lease next: fresh messages, then deferred ones whose time has come.

        No message waits for longer than `longest`, whatever was done to the clock.
        """
        ids = self.fresh(limit)
        if len(ids) < limit:
            self._has_passed_by = False
            wanted = limit - len(ids) + self._leasing  # these may be there still
            numbers = await self._readers.call(
                lambda connection: reading.due(connection, now, wanted, longest)
            )
            ids += queueid.to_texts(
                number for number in numbers if not self._memory.is_leased(number)
            )
        return ids[:limit]

    async def next_due(self) -> float | None:
        """When the next deferred message is due, or None; fresh messages are not looked at."""
        rows = await self._readers.rows("SELECT min(due) FROM message WHERE state = 1")
        return None if rows[0][0] is None else float(rows[0][0])

    async def lease(self, queue_id: str, *, next_attempt: float) -> Lease | None:
        """Take a message for an attempt; None when it is gone, held, or leased already.

        `next_attempt` is when it is due again should this engine die.
        """
        number = queueid.to_number(queue_id)
        if self._memory.is_leased(number):
            return None
        fresh = self._memory.lease(number)
        if fresh is not None:
            return fresh
        self._leasing += 1
        try:
            lease: Lease | None = await self._submit(
                action=lambda work: self._read(
                    number, lambda limit: operations.lease(work, number, next_attempt, limit)
                )
            )
        except rowform.RowError as error:
            self._memory.leave(number)
            await self._set_aside(number, str(error))
            return None
        except BaseException:
            self._memory.leave(number)
            raise
        finally:
            self._leasing -= 1
        if lease is None:
            self._memory.leave(number)
        return lease

    async def window(self, lease: Lease) -> Lease:
        """The next recipients of a lease that has `more`, after those it names now."""
        number = queueid.to_number(lease.queue_id)
        last = lease.last_number
        return await self._readers.call(
            lambda connection: self._read(
                number, lambda limit: reading.next_window(connection, lease, number, last, limit)
            )
        )

    async def content(self, lease: Lease) -> Content | None:
        """The message itself; None when it is unreadable: it was then set aside and reported."""
        number = queueid.to_number(lease.queue_id)
        known = self._memory.content(number)
        if known is not None:
            return known
        try:
            return await self._readers.call(
                lambda connection: reading.read_content(connection, number, self._files)
            )
        except rowform.RowError as error:
            await self._set_aside(number, str(error))
            return None

    async def settle(self, lease: Lease, outcomes: Sequence[Outcome]) -> None:
        """Record outcomes while other recipients of the message are still being tried.

        SENT ends a recipient unless a success report is owed; BOUNCED and EXPIRED are kept until
        finish() enters their reports; DEFERRED is noted.
        """
        number = queueid.to_number(lease.queue_id)
        rows = operations.outcome_rows(lease, outcomes)
        await self._submit(
            action=lambda work: operations.settle(work, number, rows, reports_follow=True),
            must=True,
        )

    async def finish(
        self,
        lease: Lease,
        outcomes: Sequence[Outcome] = (),
        *,
        next_attempt: float,
        enter: Sequence[Submission] = (),
        warned: bool = False,
        now: float | None = None,
    ) -> list[str]:
        """End a lease: record outcomes, enter reports and forwards, all in one transaction.

        Recipients still waiting make the message DEFERRED until `next_attempt`; with none left it
        is gone. `warned`: a delay warning is among the reports. Returns the queue ids of `enter`.
        """
        number = queueid.to_number(lease.queue_id)
        moment = time.time() if now is None else now
        entries = [self._entry(submission, moment) for submission in enter]
        if _all_final(lease, outcomes):
            if entries or not await self._early.spare(number):
                unlink = [lease.queue_id] if self._is_in_file(lease) else []
                await self._end(entries, remove=number, unlink=unlink)
        else:
            rows = operations.outcome_rows(lease, outcomes)
            await self._end(
                entries,
                action=lambda work: operations.finish(
                    work, number, rows, next_attempt, lease.attempts, warned=warned or lease.warned
                ),
            )
        self._memory.leave(number)
        return [queueid.to_text(entry.message[0]) for entry in entries]

    async def defer(self, lease: Lease, until: float) -> None:
        """Give a lease back untried; it is due at `until`."""
        await self.finish(lease, next_attempt=until)

    async def flush(self, now: float, *, ids: Iterable[str] | None = None, site: str = "") -> int:
        """Make deferred messages due now: all, some, or those with a recipient in `site`."""
        chosen = operations.Chosen.named(ids)
        found: list[int] = await self._submit(
            action=lambda work: operations.flush(work, now, chosen, site)
        )
        return len(found)

    # taking over from dead processes

    async def adopt_shards(self, alive: Collection[int] = ()) -> list[Adoption]:
        """Take the messages of sibling shards that no process has; what was done.

        `alive` are shards that have a process of their own, even if it is not up yet.
        Adopted messages are due like any deferred one: call due() afterwards.
        """
        return await adopt_shards(
            self.directory, alive, self.on_trouble, known=self._known, take=self._take
        )

    async def _known(self, numbers: list[int]) -> set[int]:
        rows = await self._readers.rows(
            f"SELECT id FROM message WHERE id IN ({', '.join('?' * len(numbers))})",  # noqa: S608
            tuple(numbers),
        )
        return {number for (number,) in rows}

    async def _take(self, entries: list[EntryRows]) -> None:
        if entries:
            await self._submit(entries=entries)

    # inside

    def _submit(self, **members: Any) -> asyncio.Future[Any]:
        """Have an Operation committed."""
        assert self._committer is not None, "the spool was not started"
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._committer.submit(Operation(future=future, **members))
        return future

    def _end(self, entries: Sequence[EntryRows], **operation: Any) -> asyncio.Future[None]:
        """Commit the end of an attempt, with the new messages that it causes."""
        if not entries:
            return self._submit(**operation, must=True, can_wait_s=COMPANY_S)
        made = [self._place(entry, lease_of(entry)) for entry in entries]
        return self._enter(made, **operation, must=True)

    def _enter(self, made: list[tuple[EntryRows, Lease]], **operation: Any) -> asyncio.Future[None]:
        """Commit new messages, and what else is to be in that transaction."""
        try:
            future = self._submit(entries=[entry for entry, _ in made], **operation)
        except BaseException:
            self._turned_away(made)
            raise

        def done(future: asyncio.Future[None]) -> None:
            if future.cancelled() or future.exception() is not None:
                self._turned_away(made)
                return
            for entry, lease in made:
                self._entered(entry, lease)

        future.add_done_callback(done)
        return future

    def _place(self, entry: EntryRows, lease: Lease) -> tuple[EntryRows, Lease]:
        """In the state in which it comes in: what is not held is active while there is room."""
        if entry.message[1] == QueueState.ACTIVE:
            if self._memory.is_busy(len(lease.numbers), self.limits.active):
                return passed_by(entry), lease
            self._memory.room.take(entry.message[0], len(lease.numbers))
        return entry, lease

    def _turned_away(self, made: list[tuple[EntryRows, Lease]]) -> None:
        for entry, _ in made:
            self._memory.room.leave(entry.message[0])

    def _read(self, number: int, read: Callable[[int], L]) -> L:
        """What `read` finds, with as many recipients as there is room for."""
        lease = read(self._memory.room.take_rest(number))
        self._memory.room.take(number, 0 if lease is None else len(lease.numbers))
        return lease

    def _entry(self, submission: Submission, now: float) -> EntryRows:
        queue_id = submission.queue_id
        number = queueid.to_number(queue_id) if queue_id else self._intake.next_number()
        return make_rows(number, submission, now)

    def _entered(self, entry: EntryRows, lease: Lease) -> None:
        """Keep a message that is now on disk for its first attempt."""
        self._intake.entered(lease.queue_id)
        if entry.message[1] != QueueState.ACTIVE:
            self._has_passed_by = self._has_passed_by or entry.message[1] == QueueState.DEFERRED
            return
        number = entry.message[0]
        self._memory.enter(number, lease)
        self._memory.keep(number, content_of(entry, self._files))

    def _is_in_file(self, lease: Lease) -> bool:
        known = self._memory.content(queueid.to_number(lease.queue_id))
        return known is None or bool(known.path)

    async def _set_aside(self, number: int, reason: str) -> None:
        self.on_trouble(str(Corrupt(queue_id=queueid.to_text(number), reason=reason)))
        await self._submit(
            action=lambda work: recovery.set_aside(work.connection, number, reason), must=True
        )
        self._memory.leave(number)

    def _close_files(self) -> None:
        self._intake.close()
        self._readers.close()
        try:
            database.set_meta(self._connection, "clean", "1")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            self.on_trouble(f"queue database: {error}")
        finally:
            self._connection.close()
            os.close(self._lock)


def _all_final(lease: Lease, outcomes: Sequence[Outcome]) -> bool:
    """True when these outcomes end every recipient that the message has."""
    if lease.more or lease.has_earlier or len(outcomes) < len(lease.numbers):
        return False
    final = {item.recipient for item in outcomes if item.status is not Status.DEFERRED}
    return final.issuperset(lease.numbers)
