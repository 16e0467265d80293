"""pickup - mail that programs of this machine handed in comes into the queue. pickup(8)

SUMMARY      Pickup(...).start(); it looks when the FIFO of the drop directory says so, at start,
             and every LOOK_S; .waiting() messages; stop()
RULES        a message leaves the drop directory once it is in the queue: a crash in between takes
             it in twice, never not at all
             one that was taken and cannot be removed is set aside and told of once; where that
             cannot be done either, this engine passes it over
             its owner is who sent it: the Received header names the number of that user
             what is refused for good goes back to its sender; what cannot be taken now stays; what
             never can is set aside, and so is what a user left whom authorized_submit_users does
             not name, or what is above message_size_limit as it lies there
LIMITS       BATCH messages at once, of those with very many recipients one
ERRORS       none: the log tells
SOURCE       Postfix pickup(8); docs/QUEUE.md
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from delivery import log
from delivery.errors import SmtpFailure
from delivery.runtime.callers import name_of
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.draft import Arrival, ContentRefused, Origin
from delivery.runtime.rules import Rules
from delivery.smtp.content import ContentDecoder
from delivery.submission import drop
from delivery.submission.drop import Drop, DropError, Dropped
from tables.errors import TableError

BATCH = 50
LOOK_S = 10.0
_WOKEN = 4096  # octets of the FIFO that are read at once


class Pickup:
    """One for the engine."""

    def __init__(
        self,
        directory: Path,
        cleanup: Cleanup,
        rules: Callable[[], Rules | None],
        give_back: Callable[[Rules, ContentRefused], Awaitable[None]],
    ) -> None:
        """`rules()` are those in force; `give_back()` tells the sender of a refused message."""
        self._drop = Drop(directory)
        self._cleanup = cleanup
        self._rules = rules
        self._give_back = give_back
        self._taken: set[str] = set()  # in the queue, and still here
        self._fifo = -1
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._long = asyncio.Lock()  # for messages with very many recipients

    def start(self) -> None:
        """Make the drop directory and look at it from now on. Raises OSError."""
        drop.make_drop(self._drop.directory)
        drop.purge(self._drop.directory)
        self._fifo = drop.open_wake(self._drop.directory)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._fifo, self._ring)
        self._woken.set()
        self._task = loop.create_task(self._run())

    async def stop(self) -> None:
        """Take nothing more; what is being taken is taken, or waits for the next start."""
        if self._fifo >= 0:
            asyncio.get_running_loop().remove_reader(self._fifo)
            os.close(self._fifo)
            self._fifo = -1
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def waiting(self) -> int:
        """How many messages wait to be taken."""
        try:
            return len(self._drop.names())
        except OSError:
            return 0

    def publish(self, rules: Rules) -> None:
        """Tell the users of this machine which rules are in force now."""
        try:
            drop.publish(self._drop.directory, rules.parameters.bind(drop.Terms))
        except OSError as error:
            log.event("pickup", problem=str(error))

    # inside

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._fifo, _WOKEN)) == _WOKEN:
                pass
        self._woken.set()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_S)
            self._woken.clear()
            try:
                names = await asyncio.to_thread(self._drop.names)
            except OSError as error:
                log.event("pickup", problem=str(error))
                continue
            self._taken.intersection_update(names)
            names = [name for name in names if name not in self._taken]
            for start in range(0, len(names), BATCH):
                rules = self._rules()
                if rules is None:
                    break  # nothing can be decided yet
                batch = names[start : start + BATCH]
                await asyncio.gather(*(self._take(rules, name) for name in batch))

    async def _take(self, rules: Rules, name: str) -> None:
        """Take one message, set it aside, or leave it for later."""
        try:
            dropped = await asyncio.to_thread(self._drop.open, name)
        except FileNotFoundError:
            return
        except (OSError, DropError) as error:
            self._set_aside(name, str(error))
            return
        try:
            async with self._long if dropped.is_long else contextlib.nullcontext():
                await self._enter(rules, dropped)
            self._finish(name)
        except DropError as error:
            self._set_aside(name, str(error))
        except SmtpFailure as failure:
            if failure.is_temporary:
                self._tell(name, failure.cause or str(failure))
            else:
                self._set_aside(name, str(failure))
        except (OSError, TableError) as error:
            self._tell(name, str(error))
        except Exception as error:  # noqa: BLE001 - one message must not stop the others
            self._tell(name, f"{type(error).__name__}: {error}")
        finally:
            dropped.close()

    async def _enter(self, rules: Rules, dropped: Dropped) -> None:
        """Queue it, or return it to its sender. Raises what is in the way."""
        await _check_submitter(rules, dropped.uid)
        if 0 < rules.parameters.size("message_size_limit") < dropped.size:
            raise DropError("message file too big")  # none of sendmail's; as it may have holes only
        self._cleanup.spool.check_room(dropped.size)
        slip = await asyncio.to_thread(getattr, dropped, "slip")
        decoder = ContentDecoder(dots=False)
        origin = Origin(userid=dropped.uid, full_name=slip.full_name, is_relayed=slip.is_relayed)
        arrival = Arrival(
            sender=slip.sender,
            recipients=slip.recipients,
            origin=origin,
            eightbit=slip.eightbit,
            envid=slip.envid,
            ret=slip.ret,
            is_traced=slip.is_traced,
            is_probe=slip.is_probe,
        )
        draft = self._cleanup.receive(rules.pickup, arrival)
        try:
            log.event("pickup", queue_id=draft.queue_id, uid=dropped.uid, sender=slip.sender.text)
            pieces = dropped.pieces()
            while piece := await asyncio.to_thread(next, pieces, b""):
                draft.take(decoder.feed(piece)[0])
            draft.take(decoder.finish())
            await self._cleanup.enter(draft)
        except ContentRefused as refused:
            if refused.is_temporary:
                raise
            await self._give_back(rules, refused)
        finally:
            draft.abandon()

    def _finish(self, name: str) -> None:
        """It was taken: it must not be taken again."""
        try:
            self._drop.remove(name)
        except OSError as error:
            self._taken.add(name)
            self._set_aside(name, f"it was taken and cannot be removed: {error}")

    def _set_aside(self, name: str, reason: str) -> None:
        self._tell(name, f"set aside: {reason}")
        with contextlib.suppress(OSError):
            self._drop.set_aside(name)

    def _tell(self, name: str, problem: str) -> None:
        log.event("pickup", file=name, problem=problem)


async def _check_submitter(rules: Rules, uid: int) -> None:
    """postconf(5) authorized_submit_users. Raises DropError, OSError."""
    submitters = rules.submitters
    if submitters is None:
        return
    name = await name_of(uid)
    if not submitters.matches(name):
        raise DropError(f"user {name}({uid}) is not allowed to submit mail")
