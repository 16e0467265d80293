"""rig - rules of a real generation, a real spool, agents that do as a script says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from delivery.agents.base import Agent, Delivery, Forward, Part, Result
from delivery.agents.error import ErrorAgent
from delivery.config import Config
from delivery.journal import Journal
from delivery.runtime.attempts import Attempts
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.counters import Counters
from delivery.runtime.outcomes import Outcomes
from delivery.runtime.reports import Reporter
from delivery.runtime.rules import Rules
from delivery.spool import Spool, SpoolLimits
from delivery.spool.content import ContentFiles
from delivery.spool.entries import make_rows
from delivery.spool.queueid import IdMaker
from delivery.spool.records import Submission
from delivery.values import Content, Envelope, Outcome, Recipient, Status
from tables.reading.snapshot import Snapshot
from tests.delivery.runtime.asynchronous import until
from tests.delivery.spool.messages import NOW, envelope, whole
from tests.wire.engine import Home

_KEPT: list[Rules] = []  # their tables are open files, which complain when the collector ends them


def rules(path: Path, **published: Any) -> Rules:
    """The rules of a generation made of these rows (see Home.publish)."""
    home = Home(path)
    home.publish(**published)
    made = Rules(Snapshot.open(home.store.root), Config(home=path))
    _KEPT.append(made)
    return made


class Clock:
    """A time that the test sets."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


Answer = Status | Outcome | Exception | Callable[[Recipient], Outcome]


class ScriptedAgent:
    """Outcomes by local part; SENT for all others. Keeps what it was given."""

    def __init__(self) -> None:
        self.script: dict[str, Answer] = {}
        self.forwards: dict[str, tuple[str, ...]] = {}  # local part -> addresses handed on
        self.parts: dict[str, tuple[Part, ...]] = {}  # local part -> what was done for it
        self.deliveries: list[Delivery] = []
        self.contents: list[bytes] = []
        self.gate: asyncio.Event | None = None  # closed: deliveries wait
        self.unreachable = ""

    @property
    def tried(self) -> list[str]:
        """Local parts in the order they were tried."""
        return [item.address.local for each in self.deliveries for item in each.recipients]

    async def deliver(self, delivery: Delivery) -> Result:
        self.deliveries.append(delivery)
        if self.gate is not None:
            await self.gate.wait()
        self.contents.append(await whole(delivery.content))
        outcomes, forwards = [], []
        for recipient in delivery.recipients:
            answer = self.script.get(recipient.address.local, Status.SENT)
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, Status):
                answer = outcome(recipient, answer)
            elif not isinstance(answer, Outcome):
                answer = answer(recipient)
            outcomes.append(answer)
            if names := self.forwards.get(recipient.address.local):
                forwards.append(forward(recipient, names, delivery.envelope))
        return Result(
            outcomes=tuple(outcomes),
            forwards=tuple(forwards),
            parts={
                item: self.parts[item.address.local]
                for item in delivery.recipients
                if item.address.local in self.parts
            },
            unreachable=self.unreachable,
        )


def outcome(recipient: Recipient, status: Status) -> Outcome:
    """An outcome as an agent words it."""
    dsn = {Status.SENT: "2.0.0", Status.DEFERRED: "4.0.0"}.get(status, "5.0.0")
    return Outcome(recipient=recipient, status=status, dsn=dsn, reason=f"{status.value} by script")


def forward(origin: Recipient, names: Iterable[str], given: Envelope) -> Forward:
    """A message to `names` in place of `origin`."""
    made = envelope(*names, sender=given.sender.internal)
    return Forward(origin=origin, envelope=made, headers=b"Delivered-To: origin\r\n")


class Queue:
    """A spool with its attempts; every transport but retry is the one scripted agent."""

    def __init__(
        self, spool: Spool, journal: Journal, given: Rules, clock: Clock, trouble: list[str]
    ) -> None:
        self.spool = spool
        self.ticks = clock  # one that is not set is another one
        self.rules: Rules | None = given
        self.clock = clock
        self._ids = IdMaker(1)  # of a process that clients speak to
        self.trouble = trouble
        self.agent = ScriptedAgent()
        others: dict[str, Agent | None] = {"missing": None, "retry": ErrorAgent(Status.DEFERRED)}
        self.counters = Counters()
        self.outcomes = Outcomes(journal, self.counters, clock=clock)
        self.cleanup = Cleanup(
            spool, journal, self.counters, queued=lambda: self.attempts.wake(), clock=clock
        )
        self.reporter = Reporter(self.cleanup, journal, self.outcomes, clock=clock)
        self.attempts = Attempts(
            spool,
            lambda: self.rules,
            lambda rules, transport: others.get(transport, self.agent),
            self.outcomes,
            self.reporter,
            clock=clock,
            ticks=lambda: self.ticks(),
        )

    async def enter(self, given: Envelope, data: bytes = b"Subject: x\r\n\r\ny\r\n") -> str:
        """Queue a message as a session does, without waking anybody."""
        writer = self.spool.begin()
        writer.write(data)
        content = await writer.finish(b"Received: here\r\n")
        return await self.spool.enter(given, content, queue_id=writer.queue_id, now=self.clock.now)

    def enter_early(
        self,
        given: Envelope,
        data: bytes = b"Subject: x\r\n\r\ny\r\n",
        *,
        number: int = 0,
        **more: Any,
    ) -> asyncio.Future[None]:
        """Queue a message as the process that speaks to clients does."""
        content = Content(size=len(data), data=data)
        submission = Submission(envelope=given, content=content, **more)
        rows = make_rows(number or self._ids.next(), submission, self.clock.now)
        return self.spool.enter_rows(rows, self.attempts.begin)

    async def states(self) -> dict[str, int]:
        """Messages by state, without the states that have none."""
        counts = await self.spool.operator.counts()
        return {state.name.lower(): count for state, count in counts.items() if count}

    async def quiet(self) -> None:
        """Wait until nothing is leased and nothing waits to be."""
        await until(lambda: self.attempts.is_idle and not self.spool.fresh(1))

    async def run(self) -> None:
        """Let the queue work until nothing more is due."""
        self.attempts.wake()
        await self.quiet()

    async def look(self) -> None:
        """As when the timer rings."""
        self.attempts._look = True
        await self.run()


@asynccontextmanager
async def queue(
    path: Path,
    *,
    limits: SpoolLimits | None = None,
    files: Callable[[Path], ContentFiles] = ContentFiles,
    given: Rules | None = None,
    **published: Any,
) -> AsyncIterator[Queue]:
    """A queue on disk below `path`; stopped and closed at the end."""
    trouble: list[str] = []
    clock = Clock()
    spool = Spool.open(
        path / "spool", limits=limits, files=files, on_trouble=trouble.append, now=clock.now
    )
    await spool.start()
    journal = Journal(path / "journal", clock=clock)
    made = Queue(spool, journal, given or rules(path, **published), clock, trouble)
    try:
        yield made
    finally:
        await made.attempts.stop(1.0)
        await spool.close()
        journal.close()
