"""rates - how often each client came and what it asked for lately; what anvil(8) counts.

SUMMARY      Rates.connect(...), disconnect(...), count(...) -> numbers to be compared with a limit
             anvil.py carries them to the processes that speak to clients
RULES        a client is an address at one service; its counts begin anew with the first event
             after anvil_rate_time_unit has passed since they began
LIMITS       CLIENTS are remembered; beyond that those whose counts are oldest are forgotten, but
             never one that is connected
SOURCE       Postfix anvil(8), TUNING_README; postconf(5) smtpd_client_..._limit
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from enum import Enum

CLIENTS = 50_000


class Rate(Enum):
    """What is counted."""

    __hash__ = object.__hash__  # that of Enum is Python

    CONNECTION = "connection"
    MESSAGE = "message"
    RECIPIENT = "recipient"
    HANDSHAKE = "handshake"
    LOGIN = "login"


class _Counts:
    """One client at one service."""

    __slots__ = ("began", "connections", "events")

    def __init__(self, now: float) -> None:
        self.began = now
        self.connections = 0  # now
        self.events: Counter[Rate] = Counter()


class Rates:
    """Those of all clients of the engine."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, clients: int = CLIENTS
    ) -> None:
        self._clock = clock
        self._clients = clients
        self._counts: dict[tuple[str, str], _Counts] = {}  # in the order in which they began

    def __len__(self) -> int:
        return len(self._counts)

    def connect(self, service: str, address: str, unit_s: float) -> tuple[int, int]:
        """One more connection: (how many there are, how many were begun lately)."""
        counts = self._of(service, address, unit_s)
        counts.connections += 1
        counts.events[Rate.CONNECTION] += 1
        return counts.connections, counts.events[Rate.CONNECTION]

    def disconnect(self, service: str, address: str) -> None:
        """One connection less."""
        counts = self._counts.get((service, address))
        if counts is not None and counts.connections:
            counts.connections -= 1

    def count(self, rate: Rate, service: str, address: str, unit_s: float) -> int:
        """One more event of that kind: how many there were lately, this one among them."""
        counts = self._of(service, address, unit_s)
        counts.events[rate] += 1
        return counts.events[rate]

    def lately(self, rate: Rate, service: str, address: str, unit_s: float) -> int:
        """How many events of that kind there were, without one more."""
        return self._of(service, address, unit_s).events[rate]

    def _of(self, service: str, address: str, unit_s: float) -> _Counts:
        key, now = (service, address), self._clock()
        counts = self._counts.get(key)
        if counts is None:
            self._make_room()
            counts = self._counts[key] = _Counts(now)
        elif now - counts.began > unit_s:
            counts.began = now
            counts.events.clear()
            self._counts[key] = self._counts.pop(key)  # among the youngest
        return counts

    def _make_room(self) -> None:
        """Forget the oldest that is not connected; connections have a limit of their own."""
        if len(self._counts) < self._clients:
            return
        for key, counts in self._counts.items():
            if not counts.connections:
                del self._counts[key]
                return
