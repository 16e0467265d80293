"""Lists that collect while one is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from delivery.batches import BUSY, ENOUGH, Batches


def run(
    story: Callable[[Batches[int], list[list[int]]], Awaitable[None]], *, hands: int = 1
) -> None:
    """Tell the story of one Batches; what it takes is in the list."""

    async def told() -> None:
        taken: list[list[int]] = []
        await story(Batches(taken.append, hands=hands), taken)

    asyncio.run(told())


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
        await turns()
        batches.add(3)
        await turns()
        assert taken == [[1]]
        batches.ready()
        await turns()
        assert taken == [[1], [2, 3]]

    run(story)


def test_a_second_hand_takes_what_comes_while_the_first_is_busy() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        for number in range(3):
            batches.add(number)
            await turns()
        assert taken == [[0], [1]]
        batches.ready()
        await turns()
        assert taken == [[0], [1], [2]]

    run(story, hands=2)


def test_what_can_wait_goes_with_what_cannot() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        batches.add(1, can_wait=True)
        batches.add(2, can_wait=True)
        await turns()
        assert taken == []
        batches.add(3)
        await turns()
        assert taken == [[1, 2, 3]]
        batches.add(4, can_wait=True)
        batches.ready()
        await turns()
        assert len(taken) == 1

    run(story)


def test_what_can_wait_goes_alone_when_nothing_else_comes() -> None:
    async def told() -> None:
        taken: asyncio.Queue[list[int]] = asyncio.Queue()
        batches: Batches[int] = Batches(taken.put_nowait)
        for number in (1, 2):
            batches.add(number, can_wait=True)
            async with asyncio.timeout(30):
                assert await taken.get() == [number]
            batches.ready()

    asyncio.run(told())


def test_a_busy_list_gathers_for_a_moment() -> None:
    async def told() -> None:
        taken: asyncio.Queue[list[int]] = asyncio.Queue()
        batches: Batches[int] = Batches(taken.put_nowait)

        async def following(*numbers: int) -> list[int]:
            for number in numbers:
                batches.add(number)
            async with asyncio.timeout(30):
                return await taken.get()

        assert await following(*range(BUSY)) == list(range(BUSY))
        batches.add(10)
        batches.ready()
        await turns(20)
        assert taken.empty()
        assert await following(11) == [10, 11]  # it was no busy list: the next waits for nobody
        batches.add(12)
        batches.ready()
        await turns()
        assert taken.get_nowait() == [12]

    asyncio.run(told())


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
    async def told() -> None:
        taken: asyncio.Queue[list[int]] = asyncio.Queue()
        batches: Batches[int] = Batches(taken.put_nowait, most=2)
        for number in range(5):
            batches.add(number)
        for expected in ([0, 1], [2, 3], [4]):
            async with asyncio.timeout(30):
                assert await taken.get() == expected
            batches.ready()
        batches.add(5)
        assert batches.rest() == [5]
        await turns()
        assert taken.empty()

    asyncio.run(told())
