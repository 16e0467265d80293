"""memory - the messages of a shard that are in memory, on their way to an attempt or in one.

SUMMARY      enter() -> fresh -> lease() -> leased -> leave()
             content(number): that of a message which came in lately, if it is still here
RULES        no more messages than SpoolLimits.active; their recipients have a room (room.py) and
             their contents a budget of SpoolLimits.fresh_bytes: what is beyond is read from disk
             a message that is in a file costs nothing of that budget
"""

from __future__ import annotations

import itertools
from dataclasses import replace

from delivery.spool import queueid
from delivery.spool.content import BufferBudget
from delivery.spool.records import Lease, SpoolLimits
from delivery.spool.room import Room
from delivery.values import Content


class Memory:
    """Fresh and leased messages, by their numbers."""

    def __init__(self, limits: SpoolLimits) -> None:
        self.room = Room(limits.recipients, limits.recipient_minimum)
        self._budget = BufferBudget(limits.fresh_bytes)
        self._fresh: dict[int, Lease] = {}  # entered, not yet leased
        self._leased: set[int] = set()
        self._contents: dict[int, Content] = {}

    def is_busy(self, recipients: int, active: int) -> bool:
        """True when a new message should not stay: due() will find it on disk."""
        if len(self._fresh) + len(self._leased) >= active:
            return True
        return not self.room.fits(recipients)

    def enter(self, number: int, lease: Lease) -> None:
        """A new message waits for its first attempt."""
        self._fresh[number] = lease

    def keep(self, number: int, content: Content) -> None:
        """Have content at hand, where there is room for it."""
        if content.path or self._budget.take(content.size):
            self._contents[number] = content

    def has_room_for(self, size: int) -> bool:
        """True when keep() will have room for so much."""
        return self._budget.fits(size)

    def content(self, number: int) -> Content | None:
        """What was kept."""
        return self._contents.get(number)

    @property
    def has_fresh(self) -> bool:
        """True when messages wait for their first lease."""
        return bool(self._fresh)

    def fresh(self, limit: int) -> list[str]:
        """Queue ids of messages that were not leased yet."""
        return queueid.to_texts(itertools.islice(self._fresh, limit))

    def has(self, number: int) -> bool:
        """True for a message that is fresh or leased."""
        return number in self._leased or number in self._fresh

    def is_leased(self, number: int) -> bool:
        """True while an attempt has the message."""
        return number in self._leased

    def lease(self, number: int) -> Lease | None:
        """The message is an attempt's; what is known of it when it is fresh."""
        self._leased.add(number)
        return self._fresh.pop(number, None)

    def expire(self, number: int) -> None:
        """A fresh message is to be returned at its first attempt."""
        if number in self._fresh:
            self._fresh[number] = replace(self._fresh[number], expired=True)

    def withdraw(self, number: int) -> None:
        """A fresh message is not to be tried."""
        if self._fresh.pop(number, None) is not None:
            self.leave(number)

    def leave(self, number: int) -> None:
        """The message is in memory no longer."""
        self._leased.discard(number)
        self.room.leave(number)
        self.forget(number)

    def forget(self, number: int) -> None:
        """Its content is not at hand any more."""
        content = self._contents.pop(number, None)
        if content is not None and not content.path:
            self._budget.give_back(content.size)
