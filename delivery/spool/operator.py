"""operator - what an operator asks of a shard: see its messages, hold them, let them go.

SUMMARY      Spool.operator: listing, ids, counts; hold, release, expire, remove
RULES        `ids` None means every message, `states` None any state; what changes messages returns
             the queue ids of those it changed, when that is on disk
             a message that waits for its first attempt in memory is changed there, too; one that an
             attempt has is changed on disk (operations.py says who wins)
ERRORS       SmtpFailure 452 4.3.1: the disk does not take it. remove() waits for the disk
SOURCE       Postfix postsuper(1), postqueue(1)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Any

from delivery.spool import operations, queueid, reading
from delivery.spool.committer import Work
from delivery.spool.memory import Memory
from delivery.spool.operations import Chosen
from delivery.spool.records import Listing, QueueState


class Operator:
    """Of one shard."""

    def __init__(
        self,
        submit: Callable[..., asyncio.Future[Any]],
        readers: reading.Readers,
        memory: Memory,
    ) -> None:
        """`submit` has an action committed."""
        self._submit = submit
        self._readers = readers
        self._memory = memory

    async def listing(
        self,
        *,
        after: str = "",
        limit: int = 100,
        recipients: int = reading.LISTED_RECIPIENTS,
    ) -> list[Listing]:
        """Messages in the order they arrived, behind `after`; each with so many recipients."""
        start = queueid.to_number(after) if after else 0
        return await self._readers.call(
            lambda connection: reading.listing(connection, start, limit, recipients)
        )

    async def ids(
        self, *, states: Collection[QueueState] | None = None, after: str = "", limit: int = 1000
    ) -> list[str]:
        """Queue ids behind `after`, in the order messages arrived."""
        start = queueid.to_number(after) if after else 0
        chosen = [int(state) for state in (QueueState if states is None else states)]
        marks = ", ".join("?" * len(chosen))
        rows = await self._readers.rows(
            f"SELECT id FROM message WHERE id > ? AND state IN ({marks})"  # noqa: S608
            " ORDER BY id LIMIT ?",
            (start, *chosen, limit),
        )
        return queueid.to_texts(number for (number,) in rows)

    async def counts(self) -> dict[QueueState, int]:
        """Messages in each state."""
        rows = await self._readers.rows("SELECT state, count(*) FROM message GROUP BY state")
        found = dict(rows)
        return {state: found.get(int(state), 0) for state in QueueState}

    async def hold(
        self,
        ids: Iterable[str] | None,
        reason: str = "held by an operator",
        *,
        states: Collection[QueueState] | None = None,
    ) -> list[str]:
        """Keep messages from being tried until released. postsuper -h."""
        found = await self._change(operations.hold, Chosen.named(ids, states), reason)
        for number in found:
            self._memory.withdraw(number)
        return queueid.to_texts(found)

    async def release(
        self, ids: Iterable[str] | None, *, states: Collection[QueueState] | None = None
    ) -> list[str]:
        """End a hold. What was held on arrival is due now. postsuper -H."""
        found = await self._change(operations.release, Chosen.named(ids, states))
        return queueid.to_texts(found)

    async def expire(
        self, ids: Iterable[str] | None, *, states: Collection[QueueState] | None = None
    ) -> list[str]:
        """Return messages to their senders at the next attempt. postsuper -e."""
        found = await self._change(operations.expire, Chosen.named(ids, states))
        for number in found:
            self._memory.expire(number)
        return queueid.to_texts(found)

    async def remove(
        self, ids: Iterable[str] | None, *, states: Collection[QueueState] | None = None
    ) -> list[str]:
        """Delete messages without a report. postsuper -d."""
        chosen = Chosen.named(ids, states)
        removed: list[int] = await self._submit(
            action=lambda work: operations.remove(work, chosen), must=True
        )
        for number in removed:
            self._memory.withdraw(number)
            self._memory.forget(number)  # an attempt that has it reads it from disk, or ends
        return queueid.to_texts(removed)

    async def _change(
        self,
        change: Callable[[Work, Chosen, Any], list[int]],
        chosen: Chosen,
        value: object = None,
    ) -> list[int]:
        found: list[int] = await self._submit(action=lambda work: change(work, chosen, value))
        return found
