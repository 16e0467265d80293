"""asynchronous - run an async test in an event loop of its own, the engine's kind; and poll."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import uvloop


def asynchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test function around a coroutine function."""

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        uvloop.run(test(*arguments, **named))

    return run


async def until(question: Callable[[], object], *, within_s: float = 10.0) -> None:
    """Wait until `question()` is true; TimeoutError when that takes too long."""
    async with asyncio.timeout(within_s):
        while not question():  # noqa: ASYNC110 - what is waited for raises no event
            await asyncio.sleep(0.005)
