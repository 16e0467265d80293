"""idle - connections that have delivered and may deliver again soon.

SUMMARY      IdleConnections.take(host) -> Connection | None; keep(connection, ...)
RULES        a connection waits at most smtp_connection_cache_time_limit, lives at most
             smtp_connection_reuse_time_limit, and is dropped when the server says anything or
             leaves
             one timer for all of them, at the earliest end of a wait
LIMITS       TOTAL connections; the longest idle one goes first
SOURCE       postconf(5) smtp_connection_...; Postfix CONNECTION_CACHE_README
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass

from delivery.agents.connection import Connection
from delivery.agents.hosts import Host
from delivery.alarm import Alarm

TOTAL = 200


@dataclass(slots=True)
class _Kept:
    connection: Connection
    key: tuple[str, str, int]
    purpose: object
    until: float  # in the loop's time


class IdleConnections:
    """Kept connections of the whole engine; belongs to its event loop."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._by_host: dict[tuple[str, str, int], list[int]] = {}
        self._alarm = Alarm(self._ring)  # at the earliest end of a wait

    def take(self, host: Host, purpose: object) -> Connection | None:
        """A usable connection to this address for the same purpose (settings), or None."""
        for number in tuple(reversed(self._by_host.get(_key(host), ()))):
            if self._kept[number].purpose != purpose:
                continue
            connection = self._remove(number)
            if connection.is_idle():
                connection.is_reused = True
                return connection
            connection.quit()
        return None

    def keep(
        self, connection: Connection, purpose: object, *, idle_s: float, lifetime_s: float
    ) -> None:
        """Take over a connection that has nothing to do; closes it when it cannot be kept."""
        age = time.monotonic() - connection.opened
        if idle_s <= 0 or age >= lifetime_s or not connection.is_idle():
            connection.quit()
            return
        number = id(connection)
        until = asyncio.get_running_loop().time() + min(idle_s, lifetime_s - age)
        key = _key(connection.host)
        self._kept[number] = _Kept(connection, key, purpose, until)
        self._by_host.setdefault(key, []).append(number)
        while len(self._kept) > TOTAL:
            self._expire(next(iter(self._kept)))
        self._alarm.set(min(self._alarm.moment, until))

    def close(self) -> None:
        """Say goodbye to all of them."""
        for number in list(self._kept):
            self._expire(number)
        self._alarm.cancel()

    def __len__(self) -> int:
        return len(self._kept)

    def _ring(self) -> None:
        """Some may have waited long enough."""
        now = asyncio.get_running_loop().time()
        for number in [number for number, kept in self._kept.items() if kept.until <= now]:
            self._expire(number)
        if self._kept:
            self._alarm.set(min(kept.until for kept in self._kept.values()))

    def _expire(self, number: int) -> None:
        self._remove(number).quit()

    def _remove(self, number: int) -> Connection:
        kept = self._kept.pop(number)
        numbers = self._by_host[kept.key]
        numbers.remove(number)
        if not numbers:
            del self._by_host[kept.key]
        return kept.connection


def _key(host: Host) -> tuple[str, str, int]:
    return host.name, host.address, host.port
