"""A timer that is put off."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from delivery.alarm import Alarm
from tests.delivery.spool.messages import asynchronous

SOON_S = 0.02
LATE_S = 300.0


async def _rings(use: Callable[[Alarm, float], None]) -> bool:
    """True when it rings within a few times SOON_S; `use(alarm, now)` sets it."""
    rung = asyncio.Event()
    alarm = Alarm(rung.set)
    use(alarm, asyncio.get_running_loop().time())
    waiting: Awaitable[bool] = rung.wait()
    try:
        await asyncio.wait_for(waiting, 10 * SOON_S)
    except TimeoutError:
        alarm.cancel()
        return False
    assert alarm.moment == math.inf
    return True


def _twice(first: float, second: float) -> Callable[[Alarm, float], None]:
    def use(alarm: Alarm, now: float) -> None:
        alarm.set(now + first)
        alarm.set(now + second)

    return use


@asynchronous
async def test_it_rings() -> None:
    assert await _rings(lambda alarm, now: alarm.set(now + SOON_S))
    assert await _rings(lambda alarm, now: alarm.set(now - 1.0))


@asynchronous
async def test_what_was_said_last_counts() -> None:
    assert await _rings(_twice(LATE_S, SOON_S))
    assert await _rings(_twice(SOON_S, 3 * SOON_S))
    assert not await _rings(_twice(SOON_S, LATE_S))


@asynchronous
async def test_it_may_be_cancelled_and_set_again() -> None:
    def cancelled(alarm: Alarm, now: float) -> None:
        alarm.set(now + SOON_S)
        alarm.cancel()
        assert alarm.moment == math.inf

    def again(alarm: Alarm, now: float) -> None:
        cancelled(alarm, now)
        alarm.set(now + SOON_S)

    assert not await _rings(cancelled)
    assert await _rings(again)
