"""room - how many recipients are in memory, of all messages together.

SUMMARY      fits(count): a new message may stay; take(number, count): it does; leave(number)
             take_rest(number): all that is left is the message's, until it says what it took
RULES        a message has `least` of its recipients in memory whatever others have, so that a long
             list keeps nobody waiting; it has more while all together have no more than `most`
             memory is bounded by `most`, and `least` of each active message beyond that
             any thread may call: leases are read where the disk is
SOURCE       postconf(5) qmgr_message_recipient_limit, qmgr_message_recipient_minimum
"""

from __future__ import annotations

from threading import Lock


class Room:
    """Recipients in memory, counted by message."""

    def __init__(self, most: int, least: int) -> None:
        self._most = most
        self._least = least
        self._lock = Lock()
        self._taken: dict[int, int] = {}  # message -> its recipients
        self._total = 0

    @property
    def total(self) -> int:
        """Recipients in memory."""
        return self._total

    def fits(self, count: int) -> bool:
        """True when a message with so many recipients may be in memory as a whole."""
        return count <= self._least or self._total + count <= self._most

    def take(self, number: int, count: int) -> None:
        """The message has so many recipients in memory now."""
        with self._lock:
            self._total += count - self._taken.get(number, 0)
            self._taken[number] = count

    def take_rest(self, number: int) -> int:
        """How many recipients of the message may be read; take() is to follow."""
        with self._lock:
            others = self._total - self._taken.get(number, 0)
            count = max(self._least, self._most - others)
            self._total = others + count
            self._taken[number] = count
            return count

    def leave(self, number: int) -> None:
        """The message is in memory no longer."""
        with self._lock:
            self._total -= self._taken.pop(number, 0)
