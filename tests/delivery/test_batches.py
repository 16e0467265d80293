"""Lists that collect while one is under way. Time passes when there is nothing else to do."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from delivery.batches import BUSY, COMPANY_S, ENOUGH, GATHER_S, MISSING_S, PATIENCE_S, Batches

MOMENT_S = 0.0001


class Clock(selectors.DefaultSelector):
    """What a loop waits for is there at once; `now` is the time then."""

    now = 100.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "nothing will ever happen"
        self.now += timeout
        return super().select(0)


def run(
    story: Callable[[Batches[int], list[list[int]]], Awaitable[None]],
    *,
    hands: int = 1,
    most: int = 1000,
) -> None:
    """Tell the story of one Batches; what it takes is in the list."""
    clock = Clock()
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now  # type: ignore[method-assign]

    async def told() -> None:
        taken: list[list[int]] = []
        await story(Batches(taken.append, hands=hands, most=most), taken)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(told())


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_what_comes_in_one_turn_goes_together() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        batches.add(1)
        batches.add(2)
        assert taken == []
        await turns()
        assert taken == [[1, 2]]

    run(story)


def test_the_next_list_collects_until_the_one_before_has_ended() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        batches.add(1)
        await turns()
        batches.add(2)
        await asyncio.sleep(100 * PATIENCE_S)
        batches.add(3)
        await turns()
        assert taken == [[1]]
        batches.ready()
        await turns()
        assert taken == [[1], [2, 3]]

    run(story)


def test_another_hand_takes_what_comes_while_a_list_takes_long() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        batches.add(0)
        await turns()
        for number in (1, 2):
            batches.add(number)
            await asyncio.sleep(PATIENCE_S - 2 * MOMENT_S)
            assert len(taken) == number
            await asyncio.sleep(3 * MOMENT_S)
            assert taken[number:] == [[number]]
        for number in (3, 4):
            batches.add(number)
            await asyncio.sleep(2 * PATIENCE_S)
        assert len(taken) == batches.under_way == 3, "all hands are busy"
        batches.ready()
        await turns()
        assert taken[3:] == [[3, 4]]

    run(story, hands=3)


def test_another_hand_is_not_called_while_lists_are_short() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        batches.add(0)
        for number in range(1, 9):
            await asyncio.sleep(PATIENCE_S / 2)
            batches.add(number)
            assert batches.under_way == 1
            batches.ready()
        await turns()
        assert taken == [[number] for number in range(9)]

    run(story, hands=2)


def test_another_hand_takes_as_much_as_a_list_can_hold() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        for number in range(4):
            batches.add(number)
            await turns()
        assert taken == [[0], [1, 2]]
        for number in range(4, 8):
            batches.add(number)
        await asyncio.sleep(2 * PATIENCE_S)
        assert len(taken) == batches.under_way == 2, "all hands are busy"
        batches.ready()
        await turns()
        assert taken[2:] == [[3, 4]]

    run(story, hands=2, most=2)


def test_what_can_wait_goes_with_what_cannot() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        batches.add(1, can_wait_s=COMPANY_S)
        batches.add(2, can_wait_s=COMPANY_S)
        await turns()
        assert taken == []
        batches.add(3)
        await turns()
        assert taken == [[1, 2, 3]]
        batches.add(4, can_wait_s=COMPANY_S)
        batches.ready()
        await turns()
        assert len(taken) == 1

    run(story)


def test_what_can_wait_goes_alone_when_nothing_else_comes() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        for number in (1, 2):
            batches.add(number, can_wait_s=COMPANY_S)
            await asyncio.sleep(COMPANY_S - MOMENT_S)
            assert len(taken) == number - 1
            await asyncio.sleep(2 * MOMENT_S)
            assert taken[-1] == [number]
            batches.ready()

    run(story)


def test_what_can_wait_has_its_time_after_the_list_before_it() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        batches.add(1, can_wait_s=COMPANY_S)
        await asyncio.sleep(COMPANY_S / 2)
        batches.add(2)
        await turns()
        assert taken == [[1, 2]]
        batches.add(3, can_wait_s=COMPANY_S)
        batches.ready()
        await asyncio.sleep(COMPANY_S - MOMENT_S)
        assert len(taken) == 1
        await asyncio.sleep(2 * MOMENT_S)
        assert taken[1:] == [[3]]

    run(story)


def test_nobody_waits_for_more_like_those_that_could_wait() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        for number in range(BUSY):
            batches.add(number, can_wait_s=COMPANY_S)
        await asyncio.sleep(2 * COMPANY_S)
        assert len(taken) == 1
        batches.ready()
        batches.add(10)
        await turns()
        assert taken[1:] == [[10]]

    run(story)


@pytest.mark.parametrize("missing, wait_s", [(BUSY - 1, (BUSY - 1) * MISSING_S), (50, GATHER_S)])
def test_a_busy_list_gathers_for_the_longer_the_more_are_missing(
    missing: int, wait_s: float
) -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        for number in range(1 + missing):
            batches.add(number)
        await turns()
        assert taken == [list(range(1 + missing))]
        batches.add(100)
        batches.ready()
        await asyncio.sleep(wait_s - MOMENT_S)
        assert len(taken) == 1
        batches.add(101)
        await asyncio.sleep(2 * MOMENT_S)
        assert taken[1:] == [[100, 101]]  # it was no busy list: the next waits for nobody
        batches.add(102)
        batches.ready()
        await turns()
        assert taken[2:] == [[102]]

    run(story)


def test_a_busy_list_goes_when_nobody_is_missing_any_more() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        for number in range(BUSY):
            batches.add(number)
        await turns()
        batches.ready()
        for number in range(BUSY):
            assert len(taken) == 1
            batches.add(number)
            await turns()
        assert taken == [list(range(BUSY))] * 2
        await asyncio.sleep(2 * GATHER_S)
        assert len(taken) == 2

    run(story)


@pytest.mark.parametrize("last, count", [(BUSY, BUSY), (2 * ENOUGH, ENOUGH)])
def test_a_busy_list_does_not_wait_for_more_than_the_last_had(last: int, count: int) -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        for number in range(last):
            batches.add(number)
        await turns()
        for number in range(count):
            batches.add(number)
        batches.ready()
        await turns()
        assert taken == [list(range(last)), list(range(count))]

    run(story)


def test_a_list_has_a_largest_size_and_nothing_is_left_behind() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        for number in range(5):
            batches.add(number)
        for expected in ([0, 1], [2, 3], [4]):
            await asyncio.sleep(2 * GATHER_S)
            assert taken[-1] == expected
            batches.ready()
        batches.add(5)
        assert batches.rest() == [5]
        await asyncio.sleep(COMPANY_S)
        assert len(taken) == 3

    run(story, most=2)


def test_what_is_withdrawn_is_not_done() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        batches.add(1, can_wait_s=COMPANY_S)
        assert batches.withdraw(1)
        assert not batches.withdraw(1)
        await asyncio.sleep(2 * COMPANY_S)
        assert taken == []
        batches.add(2)
        batches.add(3)
        assert batches.withdraw(2)
        await turns()
        assert taken == [[3]]
        assert not batches.withdraw(3), "it is being done"
        batches.ready()
        batches.add(4)
        assert batches.withdraw(4)
        await turns()
        assert taken == [[3]]

    run(story)


def test_what_is_withdrawn_takes_no_time_from_the_next_one() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        batches.add(1, can_wait_s=COMPANY_S)
        await asyncio.sleep(COMPANY_S / 2)
        batches.add(2, can_wait_s=COMPANY_S)
        batches.withdraw(1)
        await asyncio.sleep(COMPANY_S - MOMENT_S)
        assert taken == []
        await asyncio.sleep(2 * MOMENT_S)
        assert taken == [[2]]

    run(story)


def test_each_waits_as_long_as_it_can() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        batches.add(1, can_wait_s=3 * COMPANY_S)
        await asyncio.sleep(3 * COMPANY_S - MOMENT_S)
        assert taken == []
        await asyncio.sleep(2 * MOMENT_S)
        assert taken == [[1]]
        batches.ready()
        batches.add(2, can_wait_s=3 * COMPANY_S)
        batches.add(3, can_wait_s=COMPANY_S)
        await asyncio.sleep(COMPANY_S + MOMENT_S)
        assert taken[1:] == [[2, 3]]

    run(story)


def test_what_could_wait_goes_at_once_when_it_must() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        batches.add(1, can_wait_s=COMPANY_S)
        batches.hurry(1)
        await turns()
        assert taken == [[1]]
        batches.hurry(1)  # which is being done
        batches.ready()
        await asyncio.sleep(2 * COMPANY_S)
        assert taken == [[1]]

    run(story)


def test_what_can_wait_and_has_no_place_in_a_list_goes_with_a_later_one() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        for number in range(5):
            batches.add(number, can_wait_s=COMPANY_S)
        for _ in range(3):
            await asyncio.sleep(COMPANY_S + MOMENT_S)
            batches.ready()
        assert taken == [[0, 1], [2, 3], [4]]

    run(story, most=2)
