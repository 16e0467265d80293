"""reception - the process that clients speak to (smtpd.py), as the process with the queue knows it.

SUMMARY      Reception.split() forks: None in the child; start(...), look(), status(), close()
RULES        one process speaks to clients, the other one has the queue: two cores, one scheduler,
             one set of limits on each side. They live and die together: when one is gone the other
             one ends, and whoever started the engine starts it again
             the child is forked before there are threads, sockets or a loop; what the parent may
             do to users of this machine (the courier) is not the child's
             what comes over the link is as untrusted as the clients: rows are rows, and a number is
             one that this process can have given
ERRORS       DeliveryError: the process has ended
SOURCE       decision 0024; Postfix master(8), smtpd(8), qmgr(8)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from delivery import log
from delivery.errors import DeliveryError, OurError
from delivery.journal import Journal
from delivery.policy.facts import Probe
from delivery.runtime.link import Handler, Link
from delivery.spool import queueid
from delivery.spool.committer import EntryRows
from delivery.spool.records import QueueState
from delivery.spool.rowform import RecipientRow, RowError
from delivery.spool.store import Spool
from tables.addresses import Address

NUMBER = 1024  # behind the "z" of its queue ids; numbers of shards are lower
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# of columns, as spool/entries.py makes them
MESSAGE_TYPES = (int, int, float, float, *(int,) * 7, str, str, str)
RECIPIENT_TYPES = (int, int, str, str, str, str, int)  # without the outcome
AHEAD_S = 86_400.0  # a queue id may be so far ahead of the clock, which may have been set back
ANSWER_S = 60.0  # rules with thousands of patterns take seconds to be compiled
END_S = 5.0  # for the process to end, once it was told


class Reception:
    """One such process, from the outside."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        """Use split()."""
        self.pid = pid
        self._channel = channel
        self._link: Link | None = None
        self._ending = False
        self.known: dict[str, Any] = {}  # what it said of itself last

    @classmethod
    def split(cls, child: Callable[[socket.socket], None]) -> Reception:
        """Fork. `child(channel)` is the life of the new process; it never comes back from here."""
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid:
            theirs.close()
            return cls(pid, ours)
        status = 1
        try:
            ours.close()
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            child(theirs)
            status = 0
        except DeliveryError as error:
            log.event("smtpd", problem=str(error))
        except Exception:  # noqa: BLE001 - this process has nobody else who would say it
            traceback.print_exc()
        finally:
            os._exit(status)

    async def start(
        self,
        spool: Spool,
        journal: Journal,
        *,
        queued: Callable[[], None],
        flush: Callable[[str], Awaitable[int]],
        verify: Callable[[Address], Awaitable[Probe]],
        lost: Callable[[], None],
    ) -> None:
        """Have it take clients; what it sends goes to these. `lost`: it ended by itself."""
        self._lost = lost
        self._spool = spool
        self._journal = journal
        self._queued = queued
        self._flush = flush
        self._verify = verify
        self._link = await Link.over(self._channel, self._handlers(), self._gone)
        shard = int(spool.directory.name)
        self._number = NUMBER + shard  # its own in queue ids
        self._take(await self._ask("begin", (shard, self._number, spool.last)))

    async def look(self, *, again: bool) -> None:
        """Have it put a newer generation in force. `again`: also one that was refused before."""
        self._take(await self._ask("look", again))

    async def status(self) -> dict[str, Any]:
        """What it does at the moment."""
        self._take(await self._ask("status"))
        return self.known

    async def close(self, grace_s: float) -> None:
        """No more clients; sessions finish within `grace_s`. Then it ends."""
        self._ending = True
        if self._link is not None:
            with contextlib.suppress(OurError, TimeoutError):
                await asyncio.wait_for(self._link.ask("close", grace_s), grace_s + END_S)
            self._link.close()
        else:
            self._channel.close()
        await self._reap()

    # inside

    async def _ask(self, name: str, value: object = None) -> dict[str, Any]:
        if self._link is None:
            raise OurError("there are no clients yet")
        try:
            answer: dict[str, Any] = await asyncio.wait_for(self._link.ask(name, value), ANSWER_S)
        except TimeoutError:
            raise OurError("the process that clients speak to does not answer") from None
        return answer

    def _take(self, status: dict[str, Any]) -> None:
        self.known = status

    def _gone(self) -> None:
        if not self._ending:
            self._lost()

    async def _reap(self) -> None:
        """Wait for its end; one that does not end is ended."""
        ended = asyncio.create_task(asyncio.to_thread(_wait, self.pid))
        try:
            await asyncio.wait_for(asyncio.shield(ended), END_S)
        except TimeoutError:
            log.event("smtpd", problem="it does not end", pid=self.pid)
            os.kill(self.pid, signal.SIGKILL)
            await ended

    # what it asks for

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            "enter": self._enter,
            "flush": self._flush_site,
            "verify": self._probe,
            "journal": lambda value, data: self._journal.pass_on(data),
        }

    def _enter(self, value: Any, data: bytes) -> asyncio.Future[None]:
        rows = _rows(value, data)
        self._check_id(rows.message[0])
        future = self._spool.enter_rows(rows)
        future.add_done_callback(self._entered)
        return future

    def _entered(self, done: asyncio.Future[None]) -> None:
        self._queued()

    def _check_id(self, number: int) -> None:
        """Ids grow: one from far beyond now would leave none for later."""
        latest = max(queueid.moment_of(self._spool.last), time.time()) + AHEAD_S
        moment = queueid.moment_of(number)
        if queueid.shard_of(number) != self._number or not 0 < moment < latest:
            raise RowError("the queue id is none of its own")

    async def _flush_site(self, value: Any, data: bytes) -> int:
        return await self._flush(str(value))

    async def _probe(self, value: Any, data: bytes) -> tuple[str, str]:
        local, domain = value
        found = await self._verify(Address(str(local), str(domain)))
        return found.status.value, found.reason


def _rows(value: Any, data: bytes) -> EntryRows:
    """A message as the other process made it. Raises RowError."""
    try:
        message, recipients, headers, in_file = value
        if tuple(map(type, message)) != MESSAGE_TYPES:
            raise RowError("columns of a message")
        number, state, _, _, *counts = message[:11]
        if state not in (QueueState.ACTIVE, QueueState.HOLD):
            raise RowError("a new message is active or held")
        size, is_in_file = counts[2:4]
        if min(counts) < 0 or is_in_file != in_file or not 0 <= headers <= len(data):
            raise RowError("columns of a message")
        if size != len(data) - headers and not in_file:
            raise RowError("the size is not that of the content")
        return EntryRows(
            message=tuple(message),
            content=(number, data[:headers], None if in_file else data[headers:]),
            recipients=[_recipient(number, place, row) for place, row in enumerate(recipients)],
            file_name=queueid.to_text(number) if in_file else "",
        )
    except (TypeError, ValueError, LookupError) as error:
        raise RowError(f"rows of a message: {error}") from error


def _recipient(number: int, place: int, row: Any) -> RecipientRow:
    *columns, outcome = row
    if tuple(map(type, columns)) != RECIPIENT_TYPES or columns[:2] != [number, place]:
        raise RowError("columns of a recipient")
    if outcome is not None and type(outcome) is not str:
        raise RowError("an outcome is a text")
    return RecipientRow(*row)


def _wait(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
