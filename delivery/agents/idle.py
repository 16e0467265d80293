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
    purpose: object
    timer: asyncio.TimerHandle


class IdleConnections:
    """Kept connections of the whole engine; belongs to its event loop."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._by_host: dict[tuple[str, str, int], list[int]] = {}

    def take(self, host: Host, purpose: object) -> Connection | None:
        """A usable connection to this address for the same purpose (settings), or None."""
        for number in tuple(reversed(self._by_host.get(_key(host), ()))):
            if self._kept[number].purpose != purpose:
                continue
            kept = self._remove(number)
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
        loop = asyncio.get_running_loop()
        timer = loop.call_later(min(idle_s, lifetime_s - age), self._expire, number)
        self._kept[number] = _Kept(connection, purpose, timer)
        self._by_host.setdefault(_key(connection.host), []).append(number)
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
        key = _key(kept.connection.host)
        self._by_host[key].remove(number)
        if not self._by_host[key]:
            del self._by_host[key]
        return kept


def _key(host: Host) -> tuple[str, str, int]:
    return host.name, host.address, host.port
