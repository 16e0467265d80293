"""commands - what the control socket can be asked to do.

SUMMARY      Commands().table() -> name -> coroutine(request) -> answer
             status, reload -> the state of the engine
             flush {"site"?, "ids"?} -> {"scheduled": n}
             queue {"after"?, "limit"?} -> {"messages": [...], "more": bool}
RULES        until attach() the engine is starting, and every command says so
ERRORS       ControlError for a request that cannot be carried out
SOURCE       postqueue(1)
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from delivery import __version__
from delivery.runtime.attempts import Attempts
from delivery.runtime.cleanup import Counters
from delivery.runtime.control import Answer, Command, ControlError
from delivery.runtime.generations import Generations
from delivery.runtime.listener import Listeners
from delivery.runtime.pickup import Pickup
from delivery.runtime.queuelist import listed
from delivery.spool import queueid
from delivery.spool.store import Spool

LISTED = 1000  # messages of one queue answer at most
IDS = 10_000  # of one flush


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What commands look at and turn."""

    spool: Spool
    attempts: Attempts
    listeners: Listeners
    pickup: Pickup
    generations: Generations
    counters: Counters
    reload: Callable[[], Awaitable[None]]


class Commands:
    """One for the engine."""

    def __init__(self) -> None:
        self._started = time.time()
        self._parts: Parts | None = None

    def attach(self, parts: Parts) -> None:
        """The engine is ready."""
        self._parts = parts

    def table(self) -> dict[str, Command]:
        """The commands by name."""
        return {
            "status": self._status,
            "reload": self._reload,
            "flush": self._flush,
            "queue": self._queue,
        }

    @property
    def _ready(self) -> Parts:
        if self._parts is None:
            raise ControlError("the engine is starting; try again in a moment")
        return self._parts

    async def _status(self, request: Mapping[str, Any]) -> Answer:
        parts = self._ready
        counts = await parts.spool.counts()
        rules = parts.generations.rules
        return {
            "pid": os.getpid(),
            "version": __version__,
            "started": self._started,
            "generation": parts.generations.number,
            "generation_digest": None if rules is None else rules.snapshot.digest,
            "generation_error": parts.generations.error,
            "listeners": parts.listeners.addresses,
            "listener_errors": parts.listeners.problems,
            "sessions": parts.listeners.sessions,
            "queue": {
                **{state.name.lower(): count for state, count in counts.items()},
                "incoming": parts.pickup.waiting(),
            },
            "counters": parts.counters.values,
        }

    async def _reload(self, request: Mapping[str, Any]) -> Answer:
        await self._ready.reload()
        return await self._status(request)

    async def _flush(self, request: Mapping[str, Any]) -> Answer:
        parts = self._ready
        site, ids = request.get("site", ""), request.get("ids")
        if not isinstance(site, str) or not (ids is None or _are_ids(ids)):
            raise ControlError(f'"site" is a domain, "ids" a list of at most {IDS} queue ids')
        count = await parts.spool.flush(time.time(), ids=ids, site=site)
        parts.attempts.flush()
        return {"scheduled": count}

    async def _queue(self, request: Mapping[str, Any]) -> Answer:
        parts = self._ready
        after, limit = request.get("after", ""), request.get("limit", 100)
        if type(limit) is not int or not 0 < limit <= LISTED or not (after == "" or _is_id(after)):
            raise ControlError(f'"after" is a queue id, "limit" a number from 1 to {LISTED}')
        found = await parts.spool.listing(after=after, limit=limit + 1)
        return {"messages": [listed(item) for item in found[:limit]], "more": len(found) > limit}


def _are_ids(value: object) -> bool:
    return isinstance(value, list) and len(value) <= IDS and all(map(_is_id, value))


def _is_id(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        queueid.to_number(value)
    except ValueError:
        return False
    return True
