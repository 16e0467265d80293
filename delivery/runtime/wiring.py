"""wiring - the one place where everything meets; read it from top to bottom.

SUMMARY      Engine(config).run() serves until it is told to stop
START        generation -> rules -> spool (recovered) -> attempts -> listeners -> control socket
STOP         listeners closed, sessions finish their message, deliveries end, spool closed
RULES        the newest generation that is whole and compiles is in force; a bad one changes nothing
             and is told in status. A poll each POLL_S finds what a lost hint left (the link is the
             truth). Sessions and deliveries keep the rules they began with
SOURCE       docs/OVERVIEW.md, "The way of a message"
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from delivery import __version__, log
from delivery.config import Config
from delivery.errors import DeliveryError
from delivery.journal import Journal
from delivery.runtime.ask import Asker
from delivery.runtime.attempts import Attempts
from delivery.runtime.cleanup import Cleanup, Counters
from delivery.runtime.control import ControlError, ControlServer
from delivery.runtime.listener import Listeners
from delivery.runtime.queuelist import listed
from delivery.runtime.resolver import Resolver
from delivery.runtime.rules import Rules
from delivery.runtime.transports import Transports
from delivery.spool.records import SpoolLimits
from delivery.spool.store import Spool
from tables.errors import TableError
from tables.reading.watch import Watcher

POLL_S = 1.0
SESSION_GRACE_S = 5.0
DELIVERY_GRACE_S = 5.0
LISTED = 1000  # messages of one queue answer at most


class Engine:
    """One engine process."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._started = time.time()
        self._watcher = Watcher(config.maps)
        self._rules: Rules | None = None
        self._error: str | None = None  # of a generation that is whole but cannot be used
        self._polling = asyncio.Lock()
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises DeliveryError when it cannot begin."""
        for directory in (self._config.home, self._config.home / "run", self._config.mail):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        counters = Counters()
        self._counters = counters
        self._journal = Journal(
            self._config.journal, on_trouble=lambda text: log.event("journal", problem=text)
        )
        self._resolver = Resolver(self._config.resolver, families=self._families)
        self._transports = Transports(self._config, self._resolver)
        control = ControlServer(self._config.control_socket, self._commands())
        await control.start()  # first: it tells whether another engine is at work here
        await self._poll()
        self._spool = await self._open_spool()
        self._attempts = Attempts(
            self._spool, lambda: self._rules, self._transports.agent, self._journal, counters
        )
        cleanup = Cleanup(self._spool, self._journal, counters, queued=self._attempts.wake)
        self._listeners = Listeners(self._config, cleanup, Asker(self._resolver), counters)
        await self._listeners.apply(self._rules)
        self._listen_to_signals()
        self._attempts.wake()
        gc.collect()
        gc.freeze()  # what start made stays: the collector need not look at it again
        log.event("engine", state="ready", pid=os.getpid(), generation=self._number)
        try:
            await self._follow()
        finally:
            log.event("engine", state="stopping")
            await control.stop()
            await self._listeners.close(SESSION_GRACE_S)
            await self._attempts.stop(DELIVERY_GRACE_S)
            await self._transports.close()
            await self._spool.close()
            await asyncio.to_thread(self._journal.close)
            log.event("engine", state="stopped")

    # generations

    @property
    def _number(self) -> int | None:
        return None if self._rules is None else self._rules.number

    def _families(self) -> tuple[str, ...]:
        if self._rules is None:
            return ("ipv4", "ipv6")
        words = self._rules.parameters.items("inet_protocols")
        return ("ipv4", "ipv6") if "all" in words else words

    async def _follow(self) -> None:
        """Look for a new generation each POLL_S until it is time to stop."""
        while not self._stop.is_set():
            try:
                await asyncio.wait_for(self._stop.wait(), POLL_S)
            except TimeoutError:
                if await self._poll():
                    await self._put_in_force()

    async def _poll(self, *, again: bool = False) -> bool:
        """True when other rules are in force now."""
        async with self._polling:
            snapshot = await asyncio.to_thread(self._watcher.poll, again=again)
            if snapshot is None:
                if self._watcher.error:
                    self._say(self._watcher.error)
                elif self._error and self._is_current():
                    self._error = None
                return False
            try:
                rules = await asyncio.to_thread(Rules, snapshot, self._config)
            except TableError as error:
                kept = f"generation {self._number} stays in force" if self._rules else "none is"
                self._say(f"generation {snapshot.number} cannot be used: {error}; {kept}")
                return False
            self._rules, self._error = rules, None
            log.event("generation", number=rules.number, digest=snapshot.digest)
            return True

    def _is_current(self) -> bool:
        snapshot = self._watcher.snapshot
        return snapshot is not None and snapshot.number == self._number

    def _say(self, error: str) -> None:
        if error != self._error:
            self._error = error
            log.event("generation", problem=error)

    async def _put_in_force(self) -> None:
        await self._listeners.apply(self._rules)
        self._attempts.wake()

    # start

    async def _open_spool(self) -> Spool:
        limits = SpoolLimits()
        if self._rules is not None:
            limits = SpoolLimits(free_bytes=self._rules.parameters.size("queue_minfree"))
        spool = await asyncio.to_thread(
            Spool.open,
            self._config.spool,
            limits=limits,
            on_trouble=lambda text: log.event("spool", problem=text),
        )
        await spool.start()
        found = spool.recovery
        log.event(
            "spool",
            messages=found.messages,
            interrupted=found.interrupted,
            clean=found.clean,
            corrupt=len(found.corrupt) or None,
            set_aside=found.set_aside,
        )
        await spool.adopt_shards()
        return spool

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._background(self._reload({})))

    def _background(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._reloading = task  # kept: the loop itself holds tasks only weakly

    # the control socket

    def _commands(self) -> dict[str, Any]:
        return {
            "status": self._status,
            "reload": self._reload,
            "flush": self._flush,
            "queue": self._queue,
        }

    def _require_ready(self) -> None:
        if not hasattr(self, "_listeners"):
            raise ControlError("the engine is starting; try again in a moment")

    async def _status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._require_ready()
        counts = await self._spool.counts()
        snapshot = None if self._rules is None else self._rules.snapshot
        return {
            "pid": os.getpid(),
            "version": __version__,
            "started": self._started,
            "generation": self._number,
            "generation_digest": None if snapshot is None else snapshot.digest,
            "generation_error": self._error,
            "listeners": self._listeners.addresses,
            "listener_errors": self._listeners.problems,
            "sessions": self._listeners.sessions,
            "queue": {state.name.lower(): count for state, count in counts.items()},
            "counters": self._counters.values,
        }

    async def _reload(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._require_ready()
        if await self._poll(again=True):
            await self._put_in_force()
        return await self._status(request)

    async def _flush(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._require_ready()
        site = request.get("site", "")
        ids = request.get("ids")
        if not isinstance(site, str) or not (ids is None or isinstance(ids, list)):
            raise ControlError('"site" is a domain, "ids" a list of queue ids')
        count = await self._spool.flush(time.time(), ids=ids, site=site)
        self._attempts.flush()
        return {"scheduled": count}

    async def _queue(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._require_ready()
        after, limit = request.get("after", ""), request.get("limit", 100)
        if not isinstance(after, str) or not isinstance(limit, int) or not 0 < limit <= LISTED:
            raise ControlError(f'"after" is a queue id, "limit" a number from 1 to {LISTED}')
        found = await self._spool.listing(after=after, limit=limit + 1)
        return {"messages": [listed(item) for item in found[:limit]], "more": len(found) > limit}


async def serve(config: Config) -> None:
    """Run an engine; what __main__ calls."""
    try:
        await Engine(config).run()
    except OSError as error:
        raise DeliveryError(f"{error.strerror or error}: {error.filename or ''}") from error
