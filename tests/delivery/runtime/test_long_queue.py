"""A long queue and long lists: what they cost is bounded, and they keep nobody waiting."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from pathlib import Path

from delivery.spool import SpoolLimits
from delivery.spool.database import FILE_NAME
from delivery.values import Recipient
from tests.delivery.runtime.asynchronous import asynchronous, until
from tests.delivery.runtime.rig import queue
from tests.delivery.spool.messages import NOW, envelope, small, spool

LONG = 20_000
AT_ONCE = 500  # messages
HOUR = 3600.0


def recipients_in_memory() -> int:
    """However they are held."""
    gc.collect()
    return sum(type(each) is Recipient for each in gc.get_objects())


@asynchronous
async def test_recipients_in_memory_are_bounded(tmp_path: Path) -> None:
    messages, each, most, least = 60, 50, 200, 3
    limits = SpoolLimits(recipients=most, recipient_minimum=least)
    bound = most + messages * least
    before = recipients_in_memory()
    async with queue(tmp_path, limits=limits) as made:
        made.agent.gate = asyncio.Event()
        for number in range(messages):
            names = [f"u{number}.{n}@far.example" for n in range(each)]
            await made.enter(envelope(*names))
            made.attempts.wake()
        await until(lambda: len(made.attempts) == messages)
        assert most <= made.spool.recipients_in_memory <= bound
        assert recipients_in_memory() - before <= bound
        await made.enter(envelope("joe@other.example"))
        made.attempts.wake()
        await until(lambda: "joe" in made.agent.tried)
        made.agent.gate.set()
        await made.quiet()
        assert len(made.agent.tried) == len(set(made.agent.tried)) == messages * each + 1
        assert made.spool.recipients_in_memory == 0
        assert await made.states() == {}


async def fill(path: Path) -> None:
    """So many deferred messages, some of them for another site."""
    async with spool(path, limits=SpoolLimits(active=0)) as opened:
        for start in range(0, LONG, 1000):
            numbers = range(start, start + 1000)
            sites = ("rare.example" if number % 200 == 0 else "far.example" for number in numbers)
            given = [envelope(f"u{n}@{site}") for n, site in zip(numbers, sites, strict=True)]
            await asyncio.gather(*(opened.enter(each, small(), now=NOW) for each in given))
    database = sqlite3.connect(path / "0" / FILE_NAME)
    with database:
        database.execute("UPDATE message SET due = ?, attempts = 1", (NOW + HOUR,))
    database.close()


@asynchronous
async def test_a_long_queue_delays_nobody(tmp_path: Path) -> None:
    await fill(tmp_path / "spool")
    values = {"qmgr_message_active_limit": str(AT_ONCE)}
    limits = SpoolLimits(active=AT_ONCE)
    async with queue(tmp_path, limits=limits, values=values) as made:
        assert (made.spool.recovery.messages, made.spool.recovery.interrupted) == (LONG, 0)
        await made.look()
        assert made.agent.tried == []
        assert made.spool.recipients_in_memory == 0

        await made.enter(envelope("joe@far.example"))
        await made.run()
        assert made.agent.tried == ["joe"]

        listed, after = 0, ""
        while page := await made.spool.operator.listing(after=after, limit=1000):
            listed, after = listed + len(page), page[-1].queue_id
        assert listed == LONG

        made.clock.now += 1
        assert await made.spool.flush(made.clock.now, site="rare.example") == LONG // 200
        await made.attempts.flush()
        await made.quiet()
        assert len(made.agent.tried) == 1 + LONG // 200

        made.agent.gate = asyncio.Event()
        await made.spool.flush(made.clock.now)
        flushed = made.attempts.flush()
        await until(lambda: len(made.attempts) == AT_ONCE)
        assert made.spool.recipients_in_memory == AT_ONCE
        await made.enter(envelope("tim@far.example"))
        made.attempts.wake()
        assert len(made.attempts) == AT_ONCE
        made.agent.gate.set()
        await until(lambda: "tim" in made.agent.tried)
        assert made.agent.tried.index("tim") < LONG // 200 + 4 * AT_ONCE
        assert not flushed.done()
