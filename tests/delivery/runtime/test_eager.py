"""Coroutines that are run at once."""

from __future__ import annotations

import asyncio
import gc

import pytest
import uvloop

from delivery.runtime import eager


class Ends:
    """What on_done was told."""

    def __init__(self) -> None:
        self.told: list[BaseException | None] = []

    def __call__(self, error: BaseException | None) -> None:
        self.told.append(error)


def run(test: object, loop: str) -> None:
    runner = uvloop.run if loop == "uvloop" else asyncio.run
    runner(test)  # type: ignore[arg-type]


loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


@loops
def test_it_works(loop: str) -> None:
    async def test() -> None:
        ends, steps = Ends(), []

        async def short() -> None:
            steps.append("ran")

        assert eager.run(short(), ends) is None
        assert (steps, ends.told) == (["ran"], [None])

    run(test(), loop)


@loops
def test_what_waits_goes_on_as_a_task(loop: str) -> None:
    async def test() -> None:
        ends, steps = Ends(), []
        future = asyncio.get_running_loop().create_future()

        async def waiting() -> None:
            steps.append("began")
            steps.append(await future)
            await asyncio.sleep(0)
            steps.append(await asyncio.to_thread(lambda: "thread"))
            async with asyncio.timeout(5):  # a task of its own by now
                await asyncio.sleep(0)
            steps.append("end")

        task = eager.run(waiting(), ends)
        assert task is not None
        assert (steps, ends.told) == (["began"], [])
        future.set_result("result")
        await task
        await asyncio.sleep(0)
        assert steps == ["began", "result", "thread", "end"]
        assert ends.told == [None]

    run(test(), loop)


@loops
def test_what_was_done_before_the_task_began_is_not_lost(loop: str) -> None:
    async def test() -> None:
        ends, steps = Ends(), []
        future = asyncio.get_running_loop().create_future()

        async def waiting() -> None:
            steps.append(await future)

        task = eager.run(waiting(), ends)
        assert task is not None
        future.set_exception(ValueError("early"))
        with pytest.raises(ValueError, match="early"):
            await task
        assert [type(error) for error in ends.told] == [ValueError]

    run(test(), loop)


@loops
def test_exceptions_are_told(loop: str) -> None:
    async def test() -> None:
        ends = Ends()

        async def at_once() -> None:
            raise KeyError("now")

        async def later() -> None:
            await asyncio.sleep(0)
            raise KeyError("later")

        assert eager.run(at_once(), ends) is None
        task = eager.run(later(), ends)
        assert task is not None
        await asyncio.wait([task])
        assert [str(error) for error in ends.told] == ["'now'", "'later'"]

    run(test(), loop)


@loops
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_cancelled_coroutine_cleans_up(loop: str, steps: int) -> None:
    async def test() -> None:
        ends, left = Ends(), []

        async def waiting() -> None:
            try:
                for _ in range(1000):
                    await asyncio.sleep(0)
            finally:
                left.append("cleaned up")

        task = eager.run(waiting(), ends)
        assert task is not None
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        gc.collect()
        assert left == ["cleaned up"]
        assert [type(error) for error in ends.told] == [asyncio.CancelledError]

    run(test(), loop)


@loops
def test_a_callback_may_start_the_next(loop: str) -> None:
    async def test() -> None:
        count = 0

        async def one() -> None:
            nonlocal count
            count += 1

        def again(error: BaseException | None) -> None:
            assert error is None
            if count < 50:
                eager.run(one(), again)

        eager.run(one(), again)
        assert count == 50

    run(test(), loop)


@loops
def test_within_a_time(loop: str) -> None:
    ended: list[str] = []

    async def short() -> str:
        return "short"

    async def waiting(gate: asyncio.Event) -> str:
        await gate.wait()
        await asyncio.sleep(0)
        return "waited"

    async def failing() -> str:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    async def endless() -> str:
        try:
            return await waiting(asyncio.Event())
        finally:
            ended.append("endless")

    async def test() -> None:
        assert await eager.within(0.0, short()) == "short"
        gate = asyncio.Event()
        asyncio.get_running_loop().call_soon(gate.set)
        assert await eager.within(60.0, waiting(gate)) == "waited"
        with pytest.raises(ZeroDivisionError):
            await eager.within(60.0, failing())
        with pytest.raises(TimeoutError):
            await eager.within(0.0, endless())
        await asyncio.sleep(0)
        assert ended == ["endless"]

    run(test(), loop)


@loops
def test_who_waits_within_a_time_needs_no_task(loop: str) -> None:
    async def test() -> None:
        ends, found = Ends(), []

        async def outer() -> None:
            found.append(await eager.within(60.0, asyncio.sleep(0, "slept")))

        task = eager.run(outer(), ends)
        assert task is not None
        await task
        assert found == ["slept"]

    run(test(), loop)


@loops
def test_the_rest_of_a_coroutine_may_be_awaited(loop: str) -> None:
    async def test() -> None:
        gate, left = asyncio.Event(), []

        async def short() -> str:
            return "short"

        async def waiting() -> str:
            await gate.wait()
            await asyncio.sleep(0)
            return "waited"

        async def failing() -> str:
            await gate.wait()
            raise ZeroDivisionError

        async def endless() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                left.append("endless")

        async def outer(rest: eager.Rest[None]) -> None:
            await rest

        assert eager.first(short()) == "short"
        waited, failed = eager.first(waiting()), eager.first(failing())
        assert isinstance(waited, eager.Rest)
        assert isinstance(failed, eager.Rest)
        asyncio.get_running_loop().call_soon(gate.set)
        assert await waited == "waited"
        with pytest.raises(ZeroDivisionError):
            await failed
        rest = eager.first(endless())
        assert isinstance(rest, eager.Rest)
        task = asyncio.ensure_future(outer(rest))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert left == ["endless"]

    run(test(), loop)


@loops
def test_what_is_to_be_done_later_is_not_begun(loop: str) -> None:
    async def test() -> None:
        ends, steps, tasks = Ends(), [], set()

        async def short() -> None:
            steps.append("ran")

        task = eager.later(short(), ends, tasks)
        assert (steps, ends.told, tasks) == ([], [], {task})
        await task
        await asyncio.sleep(0)
        assert (steps, ends.told, tasks) == (["ran"], [None], set())

    run(test(), loop)
