"""wiring - the one place where everything meets; read it from top to bottom.

SUMMARY      Engine(config).run() serves until it is told to stop
START        lock of the home -> control socket -> generation and rules -> spool (recovered) ->
             attempts -> drop directory -> the processes that speak to clients (reception.py)
STOP         control socket, clients (sessions finish their message), drop directory,
             deliveries, connections and Maildirs, spool, journal, lock: what each of them needs is
             still there
RULES        the newest generation that is whole and compiles is in force (generations.py). A poll
             each POLL_S, sooner after the start, finds what a lost hint left, and ports that have
             become free. Sessions and deliveries keep the rules they began with
ERRORS       DeliveryError when it cannot begin, and when another process or a courier with
             root's rights has ended
SOURCE       docs/OVERVIEW.md, "The way of a message"
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace

from delivery import log
from delivery.agents.courier import Courier
from delivery.config import Config
from delivery.durable import sync_directory_or_all
from delivery.errors import DeliveryError
from delivery.journal import Journal
from delivery.runtime import machine
from delivery.runtime.attempts import Attempts
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.commands import Commands, Parts
from delivery.runtime.control import ControlServer, EngineLock
from delivery.runtime.counters import Counters
from delivery.runtime.generations import Generations
from delivery.runtime.outcomes import Outcomes
from delivery.runtime.pickup import Pickup
from delivery.runtime.reception import Receptions
from delivery.runtime.reports import Reporter
from delivery.runtime.resolver import Resolver
from delivery.runtime.rules import Rules
from delivery.runtime.transports import Transports
from delivery.runtime.verifier import Verifier
from delivery.runtime.verifycache import VerifyCache
from delivery.spool.records import SpoolLimits
from delivery.spool.store import Spool

POLL_S = 1.0
SOON_S = 0.05  # after the start
SESSION_GRACE_S = 5.0
DELIVERY_GRACE_S = 5.0


class Engine:
    """The process with the queue."""

    def __init__(
        self, config: Config, receptions: Receptions, courier: Courier | None = None
    ) -> None:
        """`courier`: started before root was given up (rootless.py)."""
        self._config = config
        self._receptions = receptions
        self._missing = ""  # a process without which there is no engine, and that has ended
        self._courier = courier
        self._stopping = asyncio.Event()
        self._reloading: asyncio.Task[None] | None = None  # kept: the loop holds tasks only weakly

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGTERM, SIGINT or stop(); `ready` is called once clients can connect."""
        config = self._config
        for directory in (config.home, config.home / "run", config.mail, config.spool):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_directory_or_all(config.home)  # what is made durable in these must be found again
        async with AsyncExitStack() as stack:  # its end is STOP: the last one pushed goes first
            stack.push_async_callback(self._receptions.close, 0.0)
            lock = EngineLock(config.control_socket.with_name("engine.lock"))
            stack.callback(lock.release)
            commands = Commands()
            control = ControlServer(config.control_socket, commands.table())
            await control.start()
            stack.push_async_callback(control.stop)
            await self._build(stack, commands)
            stack.push_async_callback(control.stop)
            self._listen_to_signals()
            machine.rest_collector()
            log.event("engine", state="ready", pid=os.getpid(), generation=self._generations.number)
            ready()
            await self._follow()
            log.event("engine", state="stopping")
        log.event("engine", state="stopped")
        if self._missing:
            raise DeliveryError(f"{self._missing} has ended")

    def stop(self) -> None:
        """Stop as by SIGTERM."""
        self._stopping.set()

    async def _build(self, stack: AsyncExitStack, commands: Commands) -> None:
        config, counters = self._config, Counters()
        journal = Journal(
            config.journal, on_trouble=lambda text: log.event("journal", problem=text)
        )
        stack.push_async_callback(asyncio.to_thread, journal.close)
        self._generations = generations = Generations(config.maps, config)
        await generations.poll()
        self._spool = spool = await self._open_spool(stack)
        resolver = Resolver(config.resolver, families=self._families)
        transports = Transports(config, resolver, self._courier)
        stack.push_async_callback(transports.close)
        cleanup = Cleanup(
            spool,
            journal,
            counters,
            queued=lambda: self._attempts.wake(),
            flushed=lambda: self._attempts.flush(),
        )
        outcomes = Outcomes(journal, counters)
        reporter = Reporter(cleanup, journal, outcomes)
        self._attempts = attempts = Attempts(
            spool,
            lambda: generations.rules,
            transports.agent,
            outcomes,
            reporter,
        )
        stack.push_async_callback(attempts.stop, DELIVERY_GRACE_S)
        self._pickup = pickup = Pickup(
            config.drop, cleanup, lambda: generations.rules, reporter.give_back
        )
        stack.push_async_callback(pickup.stop)
        pickup.start()
        public = ControlServer(config.public_socket, commands.public_table(), is_public=True)
        await public.start()
        stack.push_async_callback(public.stop)
        cache = VerifyCache(config.home / "verify.db")
        verifier = Verifier(cleanup, cache, lambda: generations.rules)
        outcomes.probed = verifier.told
        await verifier.start()
        stack.push_async_callback(verifier.stop)
        machine.raise_descriptor_limit()
        if self._courier is not None:
            self._courier.watch(lambda: self._miss("the local delivery helper"))
        receptions = self._receptions
        stack.push_async_callback(receptions.close, SESSION_GRACE_S)
        await receptions.start(
            spool,
            journal,
            begin=attempts.begin,
            queued=attempts.wake,
            flush=cleanup.flush_site,
            verify=verifier.verify,
            lost=lambda: self._miss("a process that clients speak to"),
        )
        if generations.rules is not None:
            pickup.publish(generations.rules)
        attempts.wake()
        commands.attach(
            Parts(
                spool=spool,
                attempts=attempts,
                receptions=receptions,
                pickup=pickup,
                generations=generations,
                counters=counters,
                reporter=reporter,
                reload=self._reload,
            )
        )

    async def _open_spool(self, stack: AsyncExitStack) -> Spool:
        rules = self._generations.rules
        spool = await asyncio.to_thread(
            Spool.open,
            self._config.spool,
            limits=SpoolLimits() if rules is None else rules.spool_limits,
            on_trouble=lambda text: log.event("spool", problem=text),
        )
        await spool.start(lost=lambda: self._miss("the thread that writes the queue"))
        stack.push_async_callback(spool.close)
        found = spool.recovery
        log.event(
            "spool",
            messages=found.messages,
            interrupted=found.interrupted,
            clean=found.clean,
            corrupt=len(found.corrupt) or None,
            set_aside=found.set_aside,
        )
        for adoption in await spool.adopt_shards():
            log.event("spool", adopted=adoption.shard, messages=adoption.messages)
        return spool

    # while it runs

    def _families(self) -> tuple[str, ...]:
        rules = self._generations.rules
        return ("ipv4", "ipv6") if rules is None else machine.families(rules.parameters)

    async def _follow(self) -> None:
        """Look for a new generation, and for ports that were taken, until it is time to stop."""
        looking = asyncio.create_task(self._keep_looking())
        await self._stopping.wait()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)

    async def _keep_looking(self) -> None:
        for pause in pauses():
            await asyncio.sleep(pause)
            await self._look(again=False)

    async def _reload(self) -> None:
        await self._look(again=True)

    async def _look(self, *, again: bool) -> None:
        """Put a newer generation in force, if there is one."""
        found = await asyncio.gather(
            self._generations.poll(again=again),
            self._receptions.look(again=again),
            return_exceptions=True,  # mail goes on by the rules there are
        )
        problems = [each for each in found if isinstance(each, BaseException)]
        try:
            if found[0] is True and self._generations.rules is not None:
                self._put_in_force(self._generations.rules)
        except Exception as error:  # noqa: BLE001 - the same
            problems.append(error)
        for problem in problems:
            log.event("generation", problem=f"{type(problem).__name__}: {problem}")

    def _put_in_force(self, rules: Rules) -> None:
        kept = self._spool.limits
        self._spool.limits = replace(kept, free_bytes=rules.spool_limits.free_bytes)
        self._pickup.publish(rules)
        self._attempts.wake()

    def _miss(self, name: str) -> None:
        """It cannot go on as if nothing were missing: whoever started the engine starts it anew."""
        log.event("engine", problem=f"{name} has ended")
        self._missing = name
        self.stop()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log.loop_problem)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)

    def _reload_soon(self) -> None:
        self._reloading = asyncio.get_running_loop().create_task(self._reload())


def pauses() -> Iterator[float]:
    """Between two looks. The first ones come soon: a port may be that of an engine about to end."""
    pause = SOON_S
    while True:
        yield pause
        pause = min(2 * pause, POLL_S)


async def serve(config: Config, receptions: Receptions, courier: Courier | None = None) -> None:
    """Run an engine; what __main__ calls. Raises DeliveryError when it cannot begin."""
    with log.background():
        try:
            await Engine(config, receptions, courier).run()
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            raise DeliveryError(f"{error.strerror or error}{where}") from error
        except sqlite3.Error as error:
            raise DeliveryError(f"the queue database cannot be opened: {error}") from error
