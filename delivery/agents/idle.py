"""idle - connections that have delivered and may deliver again soon.

SUMMARY      IdleConnections.take(host) -> Connection | None; keep(connection, ...)
RULES        a connection waits at most smtp_connection_cache_time_limit, lives at most
             smtp_connection_reuse_time_limit, and is dropped when the server says anything or
             leaves
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

TOTAL = 200


@dataclass(slots=True)
class _Kept:
    connection: Connection
    key: tuple[object, ...]
    timer: asyncio.TimerHandle


class IdleConnections:
    """Kept connections of the whole engine; belongs to its event loop."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._by_key: dict[tuple[object, ...], list[int]] = {}

    def take(self, host: Host, purpose: object) -> Connection | None:
        """A usable connection to this address for the same purpose (settings), or None."""
        numbers = self._by_key.get(_key(host, purpose), [])
        while numbers:
            kept = self._remove(numbers[-1])
            if kept.connection.is_idle():
                kept.connection.is_reused = True
                return kept.connection
            kept.connection.quit()
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
        key = _key(connection.host, purpose)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(min(idle_s, lifetime_s - age), self._expire, number)
        self._kept[number] = _Kept(connection, key, timer)
        self._by_key.setdefault(key, []).append(number)
        while len(self._kept) > TOTAL:
            self._expire(next(iter(self._kept)))

    def close(self) -> None:
        """Say goodbye to all of them."""
        for number in list(self._kept):
            self._expire(number)

    def __len__(self) -> int:
        return len(self._kept)

    def _expire(self, number: int) -> None:
        self._remove(number).connection.quit()

    def _remove(self, number: int) -> _Kept:
        kept = self._kept.pop(number)
        kept.timer.cancel()
        numbers = self._by_key[kept.key]
        numbers.remove(number)
        if not numbers:
            del self._by_key[kept.key]
        return kept


def _key(host: Host, purpose: object) -> tuple[object, ...]:
    return host.name, host.address, host.port, purpose
