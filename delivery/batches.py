"""batches - what is asked for at the same time is done together, by threads that take lists.

SUMMARY      Batches(take).add(item); take(items) hands them to a thread; ready() once it has ended
RULES        one list is under way at a time. Meanwhile the next one collects, and when its time has
             come it grows as long as each turn of the event loop brings more, up to ENOUGH: a busy
             engine makes its lists longer by itself, an idle one waits for nothing. No timer
             a thread is woken once for a list, not for each item: every time it runs, the event
             loop has to give the interpreter away
LIMITS       a list has at most MOST items
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

ENOUGH = 64  # a longer list costs each of its items hardly less
MOST = 1000


class Batches(Generic[T]):
    """Belongs to the thread of its event loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, take: Callable[[list[T]], None], *, most: int = MOST
    ) -> None:
        self._loop = loop
        self._take = take
        self._most = most
        self._waiting: list[T] = []
        self._seen = 0  # of those that wait, a turn ago
        self._is_due = False  # the end of this turn will tell
        self._is_busy = False

    def add(self, item: T) -> None:
        """Have it done with the next list."""
        self._waiting.append(item)
        self._look()

    def ready(self) -> None:
        """The list before has ended."""
        self._is_busy = False
        self._look()

    def rest(self) -> list[T]:
        """All that still waits; it is the caller's now."""
        rest, self._waiting = self._waiting, []
        return rest

    def _look(self) -> None:
        if self._waiting and not self._is_due and not self._is_busy:
            self._is_due, self._seen = True, 0
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Hand the list over when this turn brought nothing more."""
        count = len(self._waiting)
        if self._seen < count < ENOUGH:
            self._seen = count
            self._loop.call_soon(self._turn)
            return
        self._is_due = False
        batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        if batch:
            self._is_busy = True
            self._take(batch)
