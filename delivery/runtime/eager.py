"""eager - a coroutine is run at once, and becomes a task only when it really waits.

SUMMARY      first(coroutine): its result, or the rest of it, to be awaited; it runs in the caller's
             frame as far as it goes
             run(coroutine, on_done, tasks): the same for one without a result
             later(coroutine, on_done, tasks): as a task from the beginning
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
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, TypeVar, final

T = TypeVar("T")
_ENDED = object()  # without having waited


def first(coroutine: Coroutine[Any, Any, T]) -> T | Rest[T]:
    """Run as far as it goes: what it returns, or what is left of it."""
    try:
        awaited = coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    return Rest(coroutine, awaited)


def run(
    coroutine: Coroutine[Any, Any, None],
    on_done: Callable[[BaseException | None], None],
    tasks: set[asyncio.Task[None]] | None = None,
) -> asyncio.Task[None] | None:
    """Run as far as it goes; the task that carries on when it had to wait, else None.

    `tasks` has the task until it ends: the loop itself holds tasks only weakly.
    """
    awaited: object = _ENDED
    try:
        for awaited in coroutine.__await__():  # noqa: B007 - ends without raising StopIteration
            break
    except Exception as error:  # noqa: BLE001 - handed on to on_done, which must judge it
        on_done(error)
        return None
    if awaited is _ENDED:
        on_done(None)
        return None
    return later(Rest(coroutine, awaited), on_done, tasks)


def later(
    coroutine: Coroutine[Any, Any, None],
    on_done: Callable[[BaseException | None], None],
    tasks: set[asyncio.Task[None]] | None = None,
    loop: asyncio.AbstractEventLoop | None = None,
) -> asyncio.Task[None]:
    """Run it from the next turn of `loop` on; the rest is as in run()."""
    task = (loop or asyncio.get_running_loop()).create_task(coroutine)
    if tasks is not None:
        tasks.add(task)
    task.add_done_callback(partial(_done, on_done, tasks))
    return task


async def within(seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """What it returns; raises TimeoutError when it waits for longer, and ends it."""
    found = first(coroutine)
    if type(found) is not Rest:
        return found
    task: asyncio.Task[T] = asyncio.get_running_loop().create_task(found)
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
    on_done: Callable[[BaseException | None], None],
    tasks: set[asyncio.Task[None]] | None,
    task: asyncio.Task[None],
) -> None:
    if tasks is not None:
        tasks.discard(task)
    on_done(asyncio.CancelledError() if task.cancelled() else task.exception())


@final
class Rest(Coroutine[Any, Any, T], Generator[Any, Any, T]):
    """What is left of a coroutine: what it waits for already (None: its next turn) comes first.

    A task may run it, or a coroutine await it.
    """

    __slots__ = ("_awaited", "_coroutine")

    def __init__(self, coroutine: Coroutine[Any, Any, T], awaited: object) -> None:
        self._coroutine = coroutine
        self._awaited: object = awaited

    def __next__(self) -> Any:
        """What it waits for next; StopIteration has its result."""
        if self._awaited is None:
            return self._coroutine.send(None)
        awaited, self._awaited = self._awaited, None
        return awaited

    def send(self, value: Any) -> Any:
        """The same; nobody sends anything."""
        return next(self)

    def throw(self, *error: Any) -> Any:
        """Cancellation and failures go inside."""
        self._awaited = None
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """End it where it is."""
        self._coroutine.close()

    def __await__(self) -> Rest[T]:
        return self
