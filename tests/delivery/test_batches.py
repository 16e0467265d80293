"""Lists that collect while one is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from delivery.batches import ENOUGH, Batches


def run(
    story: Callable[[Batches[int], list[list[int]]], Awaitable[None]],
    *,
    hands: int = 1,
    most: int = 1000,
) -> None:
    """Tell the story of one Batches; what it takes is in the list."""

    async def told() -> None:
        taken: list[list[int]] = []
        await story(Batches(taken.append, hands=hands, most=most), taken)

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


def test_turns_that_bring_more_are_waited_for_until_there_is_enough() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        for number in range(ENOUGH + 5):
            batches.add(number)
            await asyncio.sleep(0)
        assert len(taken) == 1
        assert taken[0] == list(range(ENOUGH))

    run(story)


def test_a_list_has_a_largest_size_and_nothing_is_left_behind() -> None:
    async def story(batches: Batches[int], taken: list[list[int]]) -> None:
        for number in range(5):
            batches.add(number)
        for _ in range(3):
            await turns()
            batches.ready()
        await turns()
        assert taken == [[0, 1], [2, 3], [4]]
        batches.add(5)
        assert batches.rest() == [5]
        await turns()
        assert len(taken) == 3

    run(story, most=2)
