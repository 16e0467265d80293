"""commands - what the control socket can be asked to do.

SUMMARY      Commands().table() -> name -> coroutine(request) -> answer
             status, reload -> the state of the engine
             flush {"site"?, "ids"?, "configured"?} -> {"scheduled": n}
             queue {"after"?, "limit"?, "recipients"?} -> {"messages": [...], "more": bool}
             hold, release, expire, remove, requeue {"ids": [...] or null, "states"?} -> {"ids": n}
             .public_table(): flush and queue, for whoever authorized_flush_users and
             authorized_mailq_users name; the control socket adds "caller", a user name
RULES        until attach() the engine is starting, and every command says so
             "states" are those of the queue list; "ids" null means every message
             "configured": only a site that fast_flush_domains names is flushed
ERRORS       ControlError for a request that cannot be carried out
SOURCE       postqueue(1), postsuper(1)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from delivery import __version__
from delivery.runtime.attempts import Attempts
from delivery.runtime.control import Answer, Command, ControlError
from delivery.runtime.counters import Counters
from delivery.runtime.generations import Generations
from delivery.runtime.pickup import Pickup
from delivery.runtime.queuelist import listed
from delivery.runtime.reception import Receptions
from delivery.runtime.reports import Reporter
from delivery.runtime.requeue import requeue
from delivery.spool import queueid, reading
from delivery.spool.records import Listing, QueueState
from delivery.spool.store import Spool

LISTED = 1000  # messages of one queue answer at most
LISTED_RECIPIENTS = 1000  # of each
LISTED_TOTAL = 20_000  # recipients of one answer, or somewhat more; "more" says that there are more
IDS = 2000  # of one request: it is one line of at most 64 KiB
FLUSH_S = 5.0  # until what is flushed is being tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What commands look at and turn."""

    spool: Spool
    attempts: Attempts
    receptions: Receptions
    pickup: Pickup
    generations: Generations
    counters: Counters
    reporter: Reporter
    reload: Callable[[], Awaitable[None]]


class Commands:
    """One for the engine."""

    def __init__(self) -> None:
        self._started = time.time()
        self._parts: Parts | None = None
        self._in_force: int | None = None

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
            "hold": self._hold,
            "release": self._release,
            "expire": self._expire,
            "remove": self._remove,
            "requeue": self._requeue,
        }

    def public_table(self) -> dict[str, Command]:
        """What any user of this machine may ask for."""
        return {
            "flush": self._only("authorized_flush_users", self._flush),
            "queue": self._only("authorized_mailq_users", self._queue),
        }

    def _only(self, parameter: str, command: Command) -> Command:
        async def checked(request: Mapping[str, Any]) -> Answer:
            rules = self._ready.generations.rules
            caller = str(request.get("caller", ""))
            if rules is None or not rules.user_list(parameter).matches(caller):
                raise ControlError(f"{parameter} does not name the user {caller or 'unknown'}")
            return await command(request)

        return checked

    @property
    def _ready(self) -> Parts:
        if self._parts is None:
            raise ControlError("the engine is starting; try again in a moment")
        return self._parts

    async def _status(self, request: Mapping[str, Any]) -> Answer:
        parts = self._ready
        counts, clients = await parts.spool.operator.counts(), await parts.receptions.status()
        rules, number = parts.generations.rules, parts.generations.number
        if number == clients["generation"]:  # in force is what all processes go by
            self._in_force = number
        return {
            "pid": os.getpid(),
            "smtpd_pids": clients["pids"],
            "version": __version__,
            "started": self._started,
            "generation": self._in_force,
            "generation_digest": None if rules is None else rules.snapshot.digest,
            "generation_error": parts.generations.error or clients["error"],
            "listeners": clients["listeners"],
            "listener_errors": clients["problems"],
            "sessions": clients["sessions"],
            "queue": {
                **{state.name.lower(): count for state, count in counts.items()},
                "incoming": parts.pickup.waiting(),
            },
            "counters": dict(Counter(parts.counters.values) + Counter(clients["counters"])),
        }

    async def _reload(self, request: Mapping[str, Any]) -> Answer:
        await self._ready.reload()
        return await self._status(request)

    async def _flush(self, request: Mapping[str, Any]) -> Answer:
        parts = self._ready
        site, ids = request.get("site", ""), request.get("ids")
        if not isinstance(site, str) or not (ids is None or _are_ids(ids)):
            raise ControlError(f'"site" is a domain, "ids" a list of at most {IDS} queue ids')
        rules = parts.generations.rules
        if request.get("configured") and (
            rules is None or not rules.flush_domains.matches_domain(site)
        ):
            raise ControlError(f'Flush service is not configured for destination "{site}"')
        count = await parts.spool.flush(time.time(), ids=ids, site=site)
        with contextlib.suppress(TimeoutError):  # there may be more than can be tried at once
            await asyncio.wait_for(asyncio.shield(parts.attempts.flush()), FLUSH_S)
        return {"scheduled": count}

    async def _queue(self, request: Mapping[str, Any]) -> Answer:
        parts = self._ready
        after, limit = request.get("after", ""), request.get("limit", 100)
        most = request.get("recipients", reading.LISTED_RECIPIENTS)
        if not _is_count(limit, LISTED) or not (after == "" or _is_id(after)):
            raise ControlError(f'"after" is a queue id, "limit" a number from 1 to {LISTED}')
        if not _is_count(most, LISTED_RECIPIENTS):
            raise ControlError(f'"recipients" is a number from 1 to {LISTED_RECIPIENTS}')
        found: list[Listing] = []
        shown, more = 0, True
        while more and len(found) < limit and shown < LISTED_TOTAL:
            size = min(limit - len(found), LISTED_TOTAL // most)
            block = await parts.spool.operator.listing(after=after, limit=size + 1, recipients=most)
            more = len(block) > size
            found += block[:size]
            shown += sum(len(each.recipients) for each in block[:size])
            after = found[-1].queue_id if found else ""
        return {"messages": [listed(item) for item in found], "more": more}

    # what an operator does to messages

    async def _hold(self, request: Mapping[str, Any]) -> Answer:
        ids, states = _chosen(request)
        return {"ids": await self._ready.spool.operator.hold(ids, states=states)}

    async def _release(self, request: Mapping[str, Any]) -> Answer:
        ids, states = _chosen(request)
        found = await self._ready.spool.operator.release(ids, states=states)
        self._ready.attempts.look()
        return {"ids": found}

    async def _expire(self, request: Mapping[str, Any]) -> Answer:
        ids, states = _chosen(request)
        return {"ids": await self._ready.spool.operator.expire(ids, states=states)}

    async def _remove(self, request: Mapping[str, Any]) -> Answer:
        ids, states = _chosen(request)
        return {"ids": await self._ready.spool.operator.remove(ids, states=states)}

    async def _requeue(self, request: Mapping[str, Any]) -> Answer:
        parts = self._ready
        ids, states = _chosen(request)
        rules = parts.generations.rules
        if rules is None:
            raise ControlError("there is no generation yet")
        found = await requeue(parts.spool, parts.reporter, rules, ids, states)
        parts.attempts.flush()
        return {"ids": found}


def _chosen(
    request: Mapping[str, Any],
) -> tuple[list[str] | None, Collection[QueueState] | None]:
    """(ids, states) of a request; None for all. Raises ControlError."""
    ids, states = request.get("ids"), request.get("states")
    if "ids" not in request or not (ids is None or _are_ids(ids)):
        raise ControlError(f'"ids" is null, for all, or a list of at most {IDS} queue ids')
    if states is None:
        return ids, None
    try:
        return ids, [QueueState[str(state).upper()] for state in states]
    except (KeyError, TypeError):
        known = ", ".join(state.name.lower() for state in QueueState)
        raise ControlError(f'"states" is a list of {known}') from None


def _is_count(value: object, most: int) -> bool:
    return type(value) is int and 0 < value <= most


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
