"""Messages that are delivered while their rows still wait for the disk."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from delivery.agents.base import Prompt
from delivery.errors import OurError, SmtpFailure
from delivery.spool import SpoolLimits
from delivery.spool.queueid import IdMaker
from delivery.values import Envelope, Status
from tests.delivery.runtime.asynchronous import asynchronous, until
from tests.delivery.runtime.rig import Queue, ScriptedAgent, queue
from tests.delivery.spool.messages import envelope, recipient

JOE = envelope("joe@box.example")
NUMBER = IdMaker(1).next()


class PromptAgent(Prompt, ScriptedAgent):
    """What it delivers is on disk here."""


def prompt(made: Queue) -> ScriptedAgent:
    made.agent = PromptAgent()
    return made.agent


def slow(made: Queue) -> tuple[ScriptedAgent, asyncio.Event]:
    """One that delivers once the gate is open."""
    agent = prompt(made)
    agent.gate = gate = asyncio.Event()
    return agent, gate


def journaled(path: Path) -> list[str]:
    """Events, once the journal is closed."""
    files = sorted((path / "journal").glob("*.jsonl"))
    return [json.loads(line)["event"] for file in files for line in file.read_text().splitlines()]


@asynchronous
async def test_what_is_delivered_before_it_is_written_is_not_written(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        agent = prompt(made)
        await asyncio.gather(*(made.enter_early(JOE) for _ in range(3)))
        await made.quiet()
        assert agent.tried == ["joe"] * 3
        assert agent.contents == [b"Subject: x\r\n\r\ny\r\n"] * 3
        assert await made.states() == {}
        assert made.spool.recipients_in_memory == 0
    assert made.spool.commits == 0, "also at the end, when all that waits is written"
    assert journaled(tmp_path) == ["delivered"] * 3


@asynchronous
async def test_nobody_waits_for_a_slow_delivery(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        agent, gate = slow(made)
        await made.enter_early(JOE)
        assert await made.states() == {"active": 1}
        assert agent.tried == ["joe"]
        gate.set()
        await made.quiet()
        assert await made.states() == {}
        assert len(agent.contents) == 1


@asynchronous
async def test_it_is_written_with_what_others_wait_for(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        _, gate = slow(made)
        entered = made.enter_early(JOE)
        await made.enter(envelope("ann@far.example"))
        assert entered.done()
        assert made.spool.commits == 1
        gate.set()
        await made.run()
        assert await made.states() == {}


@pytest.mark.parametrize(
    "status, states", [(Status.DEFERRED, {"deferred": 1}), (Status.BOUNCED, {})]
)
@asynchronous
async def test_what_is_not_delivered_is_in_the_queue(
    tmp_path: Path, status: Status, states: dict[str, int]
) -> None:
    async with queue(tmp_path) as made:
        agent = prompt(made)
        agent.script["joe"] = status
        await made.enter_early(JOE)
        assert made.spool.commits >= 1
        await made.quiet()
        assert await made.states() == states
        reports = ["ann"] if status is Status.BOUNCED else []
        assert agent.tried == ["joe", *reports]


@asynchronous
async def test_a_report_of_success_is_entered_with_the_end_of_its_message(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        agent = prompt(made)
        asked = recipient("joe@box.example", notify=frozenset({"SUCCESS"}))
        await made.enter_early(Envelope(sender=JOE.sender, recipients=(asked,)))
        await made.quiet()
        assert agent.tried == ["joe", "ann"]
        assert await made.states() == {}


@pytest.mark.parametrize(
    "given, more",
    [
        (envelope("joe@box.example", "ann@box.example"), {}),
        (JOE, {"hold": "held by a table"}),
    ],
)
@asynchronous
async def test_others_are_queued_first(
    tmp_path: Path, given: Envelope, more: dict[str, str]
) -> None:
    async with queue(tmp_path) as made:
        agent = prompt(made)
        entered = made.enter_early(given, **more)
        await until(entered.done)
        assert agent.tried == []
        assert made.spool.commits == 1


@asynchronous
async def test_an_agent_that_passes_mail_on_has_it_from_the_queue(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        await made.enter_early(JOE)
        assert made.agent.tried == []
        await made.run()
        assert made.agent.tried == ["joe"]


@asynchronous
async def test_without_room_in_memory_it_is_queued_first(tmp_path: Path) -> None:
    async with queue(tmp_path, limits=SpoolLimits(fresh_bytes=5)) as made:
        agent = prompt(made)
        await made.enter_early(JOE)
        assert agent.tried == []
        await made.run()
        assert agent.tried == ["joe"]
        assert await made.states() == {}


@pytest.mark.parametrize("status", [Status.DEFERRED, Status.BOUNCED])
@asynchronous
async def test_what_the_disk_does_not_take_and_nobody_delivers_is_the_clients(
    tmp_path: Path, status: Status
) -> None:
    async with queue(tmp_path, limits=SpoolLimits(database_bytes=1024 * 1024)) as made:
        agent = prompt(made)
        agent.script["joe"] = status
        big = b"x" * 60_000
        answers = await asyncio.gather(
            *(made.enter_early(JOE, big) for _ in range(40)), return_exceptions=True
        )
        refused = [answer for answer in answers if isinstance(answer, SmtpFailure)]
        assert len(refused) >= 20
        assert {(answer.code, answer.enhanced) for answer in refused} == {(452, "4.3.1")}
        await until(lambda: len(made.attempts) <= 40 - len(refused))
        if status is Status.DEFERRED:
            await made.quiet()
            assert await made.states() == {"deferred": 40 - len(refused)}
            assert made.spool.recipients_in_memory == 0


@asynchronous
async def test_what_is_delivered_while_the_disk_refuses_it_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    async with queue(tmp_path, limits=SpoolLimits(database_bytes=1024 * 1024)) as made:
        _, gate = slow(made)
        entered = [made.enter_early(JOE, b"x" * 60_000) for _ in range(40)]
        answers = await asyncio.gather(*entered, return_exceptions=True)
        assert any(isinstance(answer, SmtpFailure) for answer in answers)
        gate.set()
        await made.quiet()
        assert await made.states() == {}
        assert made.spool.recipients_in_memory == 0
        await made.enter_early(JOE)


@pytest.mark.parametrize("status", [Status.SENT, Status.DEFERRED])
@asynchronous
async def test_a_name_that_another_message_has_is_refused(tmp_path: Path, status: Status) -> None:
    """Whoever speaks to clients may be taken over by one, and give a name twice."""
    async with queue(tmp_path) as made:
        agent, gate = slow(made)
        agent.script["joe"] = status
        first = made.enter_early(JOE, number=NUMBER)
        with pytest.raises(OurError):
            await made.enter_early(JOE, number=NUMBER)
        await first
        gate.set()
        await made.quiet()
        assert agent.tried == ["joe"]
        assert await made.states() == ({} if status is Status.SENT else {"deferred": 1})


@asynchronous
async def test_a_message_of_a_name_that_is_in_the_queue_takes_nothing_with_it(
    tmp_path: Path,
) -> None:
    async with queue(tmp_path) as made:
        agent = prompt(made)
        agent.script["joe"] = Status.DEFERRED
        await made.enter_early(JOE, number=NUMBER)
        await made.quiet()
        agent.script.clear()
        agent.gate = asyncio.Event()
        again = made.enter_early(JOE, number=NUMBER)
        with pytest.raises(OurError):
            await again  # it waited, and there is a message of that name
        agent.gate.set()
        await made.quiet()
        assert await made.states() == {"deferred": 1}


@asynchronous
async def test_a_stop_writes_what_waits(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        agent, _ = slow(made)
        entered = made.enter_early(JOE)
        await until(lambda: agent.tried == ["joe"])
        await made.attempts.stop(0.0)
    assert entered.done()
    assert entered.exception() is None
    async with queue(tmp_path) as made:
        assert made.spool.recovery.messages == 1
        await made.look()
        assert made.agent.tried == ["joe"]
