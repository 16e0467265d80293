"""eager - a coroutine is run at once, and becomes a task only when it really waits.

SUMMARY      run(coroutine, on_done, tasks): starts it in the caller's frame
             await within(seconds, coroutine): its result
RULES        most commands of a session are answered without waiting for anybody; a task for each
             would cost more than the answer
             until its first suspension the coroutine has no current task: what needs one
             (asyncio.timeout, TaskGroup) belongs behind create_task
             within() has one for what waits, and a deadline: TimeoutError
             on_done gets None or the exception, in the caller's frame or later in the loop
SOURCE       asyncio eager tasks of Python 3.12, which 3.11 lacks
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


def run(
    coroutine: Coroutine[Any, Any, None],
    on_done: Callable[[BaseException | None], None],
    tasks: set[asyncio.Task[None]] | None = None,
) -> asyncio.Task[None] | None:
    """Run as far as it goes; the task that carries on when it had to wait, else None.

    `tasks` has the task until it ends: the loop itself holds tasks only weakly.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration:
        on_done(None)
        return None
    except Exception as error:  # noqa: BLE001 - handed on to on_done, which must judge it
        on_done(error)
        return None
    task = asyncio.get_running_loop().create_task(_carry_on(coroutine, awaited))

    if tasks is not None:
        tasks.add(task)
    task.add_done_callback(partial(_done, coroutine, on_done, tasks))
    return task


async def within(seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """What it returns; raises TimeoutError when it waits for longer, and ends it."""
    try:
        awaited = coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    task = asyncio.get_running_loop().create_task(_carry_on(coroutine, awaited))
    try:
        await asyncio.wait((task,), timeout=seconds)
        if task.done():
            return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(lambda done: done.cancelled() or done.exception())


def _done(
    coroutine: Coroutine[Any, Any, None],
    on_done: Callable[[BaseException | None], None],
    tasks: set[asyncio.Task[None]] | None,
    task: asyncio.Task[None],
) -> None:
    coroutine.close()  # a task that was cancelled before its first step never told it
    if tasks is not None:
        tasks.discard(task)
    on_done(asyncio.CancelledError() if task.cancelled() else task.exception())


async def _carry_on(coroutine: Coroutine[Any, Any, T], awaited: Any) -> T:
    return await _rest(coroutine, awaited)


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, T], awaited: Any) -> Generator[Any, Any, T]:
    """Wait for what the coroutine already waits for, then drive it to its end."""
    try:
        while True:
            try:
                value = yield awaited
            except BaseException as error:  # noqa: BLE001 - cancellation and results go inside
                awaited = coroutine.throw(error)
            else:
                awaited = coroutine.send(value)
    except StopIteration as end:
        result: T = end.value
        return result
