"""smtpd - a process that clients speak to: sessions, restrictions, cleanup; nothing else.

SUMMARY      await serve(config, channel): what the child of `python -m delivery serve` does
RULES        it has no queue, no agents and no control socket; all of that is at the other end of
             `channel` (wiring.py, reception.py), and this process ends when that end is gone. It
             stops to listen first: a client that no mail can be taken from is better off elsewhere
             signals are for the other process: it says what to do
             there may be several, which know nothing of each other: what they must count together
             is counted at the other end (anvil.py), and the first one of them says where to listen
             "begin" opens the sockets, "look" puts a newer generation in force, "status" tells what
             it does, "close" lets sessions finish and ends them
             the same generation is read by all processes, each for itself
             the process with the queue goes first where processors are short: what was taken is to
             leave before more is taken
ERRORS       none that a client could cause; a bug ends the process, and with it the engine
SOURCE       Postfix smtpd(8), cleanup(8); decisions 0024, 0025
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from delivery import log
from delivery.config import Config
from delivery.journal import Journal
from delivery.runtime import machine
from delivery.runtime.anvil import Anvil
from delivery.runtime.ask import Asker
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.counters import Counters
from delivery.runtime.generations import Generations
from delivery.runtime.link import Link
from delivery.runtime.listener import Listeners
from delivery.runtime.queuedoor import QueueDoor, QueueVerifier
from delivery.runtime.resolver import Resolver
from delivery.spool import queueid
from delivery.spool.content import ContentFiles
from delivery.spool.intake import CONTENT_DIRECTORY, Intake
from delivery.spool.records import SpoolLimits


class Smtpd:
    """One such process."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._counters = Counters()
        self._generations = Generations(config.maps, config, is_told=False)
        self._gone = asyncio.Event()
        self._looking = asyncio.Lock()
        self._is_due = False  # other rules are there, and the sockets do not go by them yet
        self._first: list[str] | None = None  # what the first process listens for; None: that's us
        self._intake: Intake | None = None
        self._journal: Journal | None = None
        self._asker: Asker | None = None
        self._listeners: Listeners | None = None

    async def run(self, channel: socket.socket) -> None:
        """Serve until the other process is gone, or has asked for the end."""
        await self._generations.poll()
        self._link = await Link.over(
            channel,
            {
                "begin": self._begin,
                "look": self._look,
                "status": lambda value, data: self._status(),
                "close": self._close,
            },
            self._lost,
        )
        await self._gone.wait()
        if self._intake is not None:
            self._intake.close()

    def _lost(self) -> None:
        """Who connects from now on shall find the next engine, or hear that there is none."""
        if self._listeners is not None:
            self._listeners.stop()
        self._gone.set()

    # what the other process asks for

    async def _begin(self, value: Any, data: memoryview) -> dict[str, Any]:
        """`value`: the shard, the number of this process, the highest queue id there is ...

        ... how many such processes there are, and for what the first of them listens; null: this
        is the first.
        """
        shard, number, last, processes, self._first = value
        loop, rules = asyncio.get_running_loop(), self._generations.rules
        directory = self._config.spool / str(shard)
        self._intake = intake = Intake(
            directory,
            queueid.IdMaker(number, last=last),
            ContentFiles(directory / CONTENT_DIRECTORY),
            SpoolLimits() if rules is None else rules.spool_limits,
        )
        self._journal = journal = Journal(
            lambda lines: _post(loop, lambda: self._link.tell("journal", None, lines))
        )
        cleanup = Cleanup(QueueDoor(self._link, intake), journal, self._counters)
        resolver = Resolver(self._config.resolver, families=self._families)
        self._asker = Asker(resolver, QueueVerifier(self._link))
        self._listeners = Listeners(
            self._config,
            cleanup,
            self._asker,
            self._counters,
            Anvil(self._link),
            descriptors=machine.raise_descriptor_limit(),
            processes=processes,
        )
        await self._listeners.apply(rules, self._first)
        machine.rest_collector()
        return self._status()

    async def _look(self, value: Any, data: memoryview) -> dict[str, Any]:
        """`value`: also at a generation that was refused before; what the first one listens for."""
        again, first = value
        async with self._looking:
            self._is_due |= await self._generations.poll(again=bool(again))
            self._is_due |= first != self._first
            self._first = first
            rules, listeners, intake = self._generations.rules, self._listeners, self._intake
            if listeners is not None and intake is not None:
                if rules is not None:
                    free = rules.spool_limits.free_bytes
                    intake.limits = replace(intake.limits, free_bytes=free)
                if self._is_due or listeners.problems:
                    await listeners.apply(rules, self._first)
                    self._is_due = False
        return self._status()

    def _status(self) -> dict[str, Any]:
        listeners = self._listeners
        return {
            "pid": os.getpid(),
            "generation": self._generations.number,
            "error": self._generations.error,
            "listeners": [] if listeners is None else listeners.addresses,
            "services": [] if listeners is None else listeners.names,
            "problems": {} if listeners is None else listeners.problems,
            "sessions": 0 if listeners is None else listeners.sessions,
            "counters": self._counters.values,
        }

    async def _close(self, value: Any, data: memoryview) -> None:
        """`value`: for how many seconds sessions may go on."""
        if self._listeners is not None:
            await self._listeners.close(float(value))
        if self._asker is not None:
            self._asker.close()
        if self._journal is not None:
            await asyncio.to_thread(self._journal.close)

    def _families(self) -> tuple[str, ...]:
        rules = self._generations.rules
        return ("ipv4", "ipv6") if rules is None else machine.families(rules.parameters)


def _post(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    """From the journal's thread."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)


async def serve(config: Config, channel: socket.socket) -> None:
    """Be that process, until it is told to end."""
    machine.work_in_batches()
    asyncio.get_running_loop().set_exception_handler(log.loop_problem)
    with log.background():
        await Smtpd(config).run(channel)
