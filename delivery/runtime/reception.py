"""reception - the processes that clients speak to (smtpd.py), as the one with the queue knows them.

SUMMARY      Receptions.split(count, child) forks; start(...), look(), status(), close()
             Reception is one of them
RULES        these processes speak to clients, the other one has the queue: all cores, one
             scheduler, one count of clients (anvil.py). They live and die together: when one is
             gone the others end, and whoever started the engine starts it again
             the first one says where to listen, the others follow: so a port that another program
             has is reported once, and is not shared with it
             a child is forked before there are threads, sockets or a loop; what the parent may
             do to users of this machine (the courier) is not the child's, nor are its channels to
             other children
             what comes over the link is as untrusted as the clients: rows are rows (crossing.py),
             and a number is one that this process can have given
ERRORS       DeliveryError: a process has ended
SOURCE       decisions 0024, 0025; Postfix master(8), smtpd(8), qmgr(8)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

from delivery import log
from delivery.errors import DeliveryError, OurError
from delivery.journal import Journal
from delivery.policy.facts import Probe
from delivery.runtime.anvil import answers
from delivery.runtime.link import Handler, Link
from delivery.runtime.rates import Rates
from delivery.spool import queueid
from delivery.spool.crossing import unpacked
from delivery.spool.records import Lease
from delivery.spool.rowform import RowError
from delivery.spool.store import Spool
from tables.addresses import Address

NUMBER = 1024  # behind the "z" of the first one's queue ids; numbers of shards are lower
NUMBERS = 128  # from there to the next one's
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AHEAD_S = 86_400.0  # a queue id may be so far ahead of the clock, which may have been set back
ANSWER_S = 60.0  # rules with thousands of patterns take seconds to be compiled
END_S = 5.0  # for the process to end, once it was told
CHANGES = 3  # of where to listen that are followed at once; the rest waits for the next look()


class Reception:
    """One such process, from the outside."""

    def __init__(self, pid: int, channel: socket.socket, place: int = 0) -> None:
        """Use split(). `place`: 0 for the first one."""
        self.pid = pid
        self._place = place
        self._channel = channel
        self._link: Link | None = None
        self._ending = False
        self.known: dict[str, Any] = {}  # what it said of itself last

    @classmethod
    def split(
        cls, child: Callable[[socket.socket], None], before: Sequence[Reception] = ()
    ) -> Reception:
        """Fork. `child(channel)` is the life of the new process; it never comes back from here.

        `before`: those that were made before it.
        """
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid:
            theirs.close()
            return cls(pid, ours, len(before))
        status = 1
        try:
            ours.close()
            for other in before:  # or it would not hear that this process has ended
                other._channel.close()
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
        rates: Rates,
        *,
        begin: Callable[[Lease], bool],
        queued: Callable[[], None],
        flush: Callable[[str], Awaitable[int]],
        verify: Callable[[Address], Awaitable[Probe]],
        lost: Callable[[], None],
        processes: int = 1,
        first: Sequence[str] | None = None,
    ) -> None:
        """Have it take clients; what it sends goes to these. `lost`: it ended by itself.

        `processes`: how many there are; `first`: what the first one listens for, None for that one.
        """
        self._lost = lost
        self._spool = spool
        self._journal = journal
        self._rates = rates
        shard = int(spool.directory.name)
        self._number = NUMBER + NUMBERS * self._place + shard
        self._begin = begin
        self._queued = queued
        self._flush = flush
        self._verify = verify
        self._link = await Link.over(self._channel, self._handlers(), self._gone)
        self._take(await self._ask("begin", (shard, self._number, spool.last, processes, first)))

    async def look(self, *, again: bool, first: Sequence[str] | None = None) -> None:
        """Have it put a newer generation in force. `again`: also one that was refused before."""
        self._take(await self._ask("look", (again, first)))

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
            **answers(self._rates),
            "enter": self._enter,
            "flush": self._flush_site,
            "verify": self._probe,
            "journal": lambda value, data: self._journal.pass_on(bytes(data)),
        }

    def _enter(self, value: Any, data: memoryview) -> asyncio.Future[None]:
        rows = unpacked(value, data)
        self._check_id(rows.message[0])
        future = self._spool.enter_rows(rows, self._begin)
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

    async def _flush_site(self, value: Any, data: memoryview) -> int:
        return await self._flush(str(value))

    async def _probe(self, value: Any, data: memoryview) -> tuple[str, str]:
        local, domain = value
        found = await self._verify(Address(str(local), str(domain)))
        return found.status.value, found.reason


class Receptions:
    """All of them."""

    def __init__(self, each: Sequence[Reception]) -> None:
        """Use split()."""
        self._each = each
        self._first, *self._others = each
        self._listening: list[str] = []  # what the first one listens for, as the others know it

    @classmethod
    def split(cls, count: int, child: Callable[[socket.socket], None]) -> Self:
        """Fork so many; see Reception.split()."""
        each: list[Reception] = []
        for _ in range(count):
            each.append(Reception.split(child, each))
        return cls(each)

    async def start(self, spool: Spool, journal: Journal, **calls: Any) -> None:
        """Have them take clients; see Reception.start()."""
        rates, processes = Rates(), len(self._each)
        await self._first.start(spool, journal, rates, processes=processes, **calls)
        self._listening = self._first.known["services"]
        for other in self._others:
            await other.start(
                spool, journal, rates, processes=processes, first=self._listening, **calls
            )

    async def look(self, *, again: bool) -> None:
        """Have them put a newer generation in force. `again`: also one that was refused before."""
        await asyncio.gather(self._first.look(again=again), self._follow(again=again))
        for _ in range(CHANGES):
            if self._first.known["services"] == self._listening:
                break
            self._listening = self._first.known["services"]
            await self._follow(again=False)  # one of these may have had the port that it wants
            await self._first.look(again=False)

    async def status(self) -> dict[str, Any]:
        """What they do at the moment; `generation`: None as long as they go by different ones."""
        known = await asyncio.gather(*(each.status() for each in self._each))
        problems = {name: text for each in known for name, text in each["problems"].items()}
        generations = {each["generation"] for each in known}
        return {
            "pids": [each["pid"] for each in known],
            "generation": generations.pop() if len(generations) == 1 else None,
            "error": next((each["error"] for each in known if each["error"]), None),
            "listeners": known[0]["listeners"],
            "problems": problems,
            "sessions": sum(each["sessions"] for each in known),
            "counters": dict(sum((Counter(each["counters"]) for each in known), Counter())),
        }

    async def close(self, grace_s: float) -> None:
        """No more clients; sessions finish within `grace_s`. Then they end."""
        await asyncio.gather(*(each.close(grace_s) for each in self._each))

    async def _follow(self, *, again: bool) -> None:
        await asyncio.gather(
            *(other.look(again=again, first=self._listening) for other in self._others)
        )


def _wait(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
