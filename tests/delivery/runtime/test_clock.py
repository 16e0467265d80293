"""The clock of the wall is set while the queue works: nothing is lost, nothing waits for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.values import Status
from tests.delivery.runtime.asynchronous import asynchronous, until
from tests.delivery.runtime.rig import Clock, queue
from tests.delivery.spool.messages import envelope

DAY = 86_400.0


@pytest.mark.parametrize("jump", [DAY, -DAY])
@asynchronous
async def test_what_was_deferred_is_tried_again_before_long(jump: float, tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.script["joe"] = Status.DEFERRED
        await made.enter(envelope("joe@far.example"))
        await made.run()
        made.clock.now += jump
        await made.look()
        assert made.agent.tried == ["joe"] * 2
        await made.look()
        assert made.agent.tried == ["joe"] * 2, "once, not in a circle"
        made.clock.now += DAY / 8
        made.agent.script.clear()
        await made.look()
        assert made.agent.tried == ["joe"] * 3
        assert await made.states() == {}


@asynchronous
async def test_a_clock_set_back_a_little_is_a_little_longer_to_wait(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.script["joe"] = Status.DEFERRED
        await made.enter(envelope("joe@far.example"))
        await made.run()
        made.clock.now -= 1000
        await made.look()
        assert made.agent.tried == ["joe"]
        made.clock.now += 1301
        await made.look()
        assert made.agent.tried == ["joe"] * 2


@pytest.mark.parametrize("jump", [DAY, -DAY])
@asynchronous
async def test_new_mail_does_not_wait(jump: float, tmp_path: Path) -> None:
    values = {"qmgr_message_active_limit": "1"}
    async with queue(tmp_path, values=values) as made:
        for name in ("joe", "ann", "tim"):  # in memory, and on disk alone
            await made.enter(envelope(f"{name}@far.example"))
        made.clock.now += jump
        await made.run()
        assert sorted(made.agent.tried) == ["ann", "joe", "tim"]
        assert await made.states() == {}


@asynchronous
async def test_a_dead_destination_is_dead_for_its_time(tmp_path: Path) -> None:
    async with queue(tmp_path, values={"initial_destination_concurrency": "1"}) as made:
        made.ticks = Clock(0.0)
        made.agent.script |= {"joe": Status.DEFERRED, "ann": Status.DEFERRED}
        made.agent.unreachable = "no route to host"
        await made.enter(envelope("joe@far.example"))
        await made.run()
        made.agent.unreachable = ""
        made.agent.script.clear()
        made.clock.now -= DAY
        await made.enter(envelope("ann@far.example"))
        await made.run()
        assert made.agent.tried == ["joe"]
        [*_, late] = await made.spool.operator.listing()
        assert "temporarily suspended" in late.recipients[0].reason
        made.clock.now += 301
        made.ticks.now += 301
        await made.look()
        assert sorted(made.agent.tried) == ["ann", "joe", "joe"]
        assert await made.states() == {}


@asynchronous
async def test_a_rate_delay_is_as_long_as_it_is(tmp_path: Path) -> None:
    async with queue(tmp_path, values={"smtp_destination_rate_delay": "60s"}) as made:
        made.ticks = Clock(0.0)
        for name in ("joe", "ann"):
            await made.enter(envelope(f"{name}@far.example"))
        made.attempts.wake()
        await until(lambda: made.agent.tried and not made.attempts.is_idle)
        made.clock.now -= DAY
        made.ticks.now += 61
        made.attempts.wake()
        await made.quiet()
        assert sorted(made.agent.tried) == ["ann", "joe"]
