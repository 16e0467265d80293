"""batches - what is asked for at the same time is done together, by threads that take lists.

SUMMARY      Batches(take).add(item); take(items) hands them to a thread; ready() once it has ended
             add(item, can_wait_s=...), then hurry(item) or withdraw(item), when it comes to that
RULES        while a list is under way the next one collects; an idle engine waits for nothing. With
             several `hands` another one takes a list when it is as long as can be, or the newest
             one takes longer than PATIENCE_S: a slow place does several at once, a quick one is
             only disturbed by it
             when several items were waited for in the last list, as many are on their way: the next
             one gathers them, for each list costs as much as several items do. It waits the longer
             the more are missing, MISSING_S for each and GATHER_S at most
             an item that can wait goes with the next one that somebody is waiting for, and without
             one when its time is over
             a thread is woken once for a list, not for each item: every time it runs, the event
             loop has to give the interpreter away
LIMITS       a list has at most MOST items
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")

ENOUGH = 64  # a longer list costs each of its items hardly less
MOST = 1000
BUSY = 3  # of one list that somebody waits for: fewer clients would only be slowed down
MISSING_S = 0.0005
GATHER_S = 0.003
COMPANY_S = 0.02
PATIENCE_S = 0.03


class Batches(Generic[T]):
    """Belongs to the thread of its event loop."""

    def __init__(
        self, take: Callable[[list[T]], None], *, hands: int = 1, most: int = MOST
    ) -> None:
        self.under_way = 0  # lists
        self._take = take
        self._hands = hands
        self._most = most
        self._enough = min(ENOUGH, most)
        # in their order; until when they can wait, 0.0 for those that somebody waits for
        self._waiting: dict[T, float] = {}
        self._urgent = 0  # how many of them somebody waits for
        self._expected = 0  # as many as in the last list, when it was a busy one
        self._overdue = False  # somebody else has had no company for long enough
        self._due: asyncio.Handle | None = None  # the next list is on its way
        self._is_gathering = False  # but waits for more
        self._begun = 0.0  # when the newest list was handed over
        self._company: asyncio.TimerHandle | None = None  # for those nobody is waiting for
        self._patience: asyncio.TimerHandle | None = None  # with the list under way

    def add(self, item: T, *, can_wait_s: float = 0.0) -> None:
        """Have it done with the next list. `can_wait_s`: so long it is no reason to begin one."""
        if not can_wait_s:
            self._waiting[item] = 0.0
            self._urgent += 1
            self._look()
            return
        loop = asyncio.get_running_loop()
        self._waiting[item] = loop.time() + can_wait_s
        if self._company is None:
            self._company = loop.call_later(COMPANY_S, self._end_of_waiting)

    def hurry(self, item: T) -> None:
        """Somebody waits for it now."""
        if self._waiting.get(item):
            self._waiting[item] = 0.0
            self._urgent += 1
            self._look()

    def withdraw(self, item: T) -> bool:
        """It need not be done any more; False: it is being done, or was."""
        until = self._waiting.pop(item, None)
        if until == 0.0:
            self._urgent -= 1
        return until is not None

    def ready(self) -> None:
        """A list has ended."""
        self.under_way -= 1
        self._look()

    def rest(self) -> list[T]:
        """All that still waits; it is the caller's now."""
        rest, self._waiting = self._waiting, {}
        return list(rest)

    def _look(self, *, is_late: bool = False) -> None:
        """Let the next list go when there is a reason, and a hand for it."""
        if self.under_way == self._hands or not (self._urgent or self._overdue):
            return
        if not self.under_way or is_late or len(self._waiting) >= self._most:
            self._let_go()
        elif self._patience is None:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_at(self._begun + PATIENCE_S, self._end_of_patience)

    def _let_go(self) -> None:
        """The next list goes, at once when it is whole."""
        missing = self._expected - self._urgent
        is_whole = missing <= 0 or len(self._waiting) >= self._enough
        if self._due is not None:
            if not (is_whole and self._is_gathering):
                return
            self._due.cancel()
        self._is_gathering = not is_whole
        loop = asyncio.get_running_loop()
        if is_whole:
            self._due = loop.call_soon(self._hand_over)  # with what this turn brings as well
        else:
            self._due = loop.call_later(min(missing * MISSING_S, GATHER_S), self._hand_over)

    def _hand_over(self) -> None:
        self._due = None
        batch = list(islice(self._waiting, self._most))
        for item in batch:
            del self._waiting[item]
        self._expected = self._urgent if self._urgent >= BUSY else 0
        self._urgent = sum(1 for until in self._waiting.values() if not until)
        self._overdue = False
        if batch:
            self.under_way += 1
            self._begun = asyncio.get_running_loop().time()
            self._take(batch)
            if self._waiting and self._company is None:
                self._end_of_waiting()
            self._look()

    def _end_of_patience(self) -> None:
        """Have another hand take a list, unless the newest has begun meanwhile."""
        self._patience = None
        self._look(is_late=asyncio.get_running_loop().time() >= self._begun + PATIENCE_S)

    def _end_of_waiting(self) -> None:
        """Have a list begin when one of those that can wait had no company for long enough."""
        self._company = None
        first = min(filter(None, self._waiting.values()), default=None)
        if first is None:
            return
        loop = asyncio.get_running_loop()
        if first <= loop.time():
            self._overdue = True
            self._look()
        else:
            self._company = loop.call_at(first, self._end_of_waiting)
