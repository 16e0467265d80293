"""early - messages that are tried before their rows are on disk.

SUMMARY      enter(entry, lease, begin) -> future, when the attempt begins
             await kept(lease); spare(number)
RULES        the rows of such a message wait for company for EARLY_S at most (batches.py). When it
             was delivered before they were written, they need not be: what is in a Maildir is on
             disk there, and its client may be told so
             anything else that comes of the attempt waits until the message is kept(): reports and
             later attempts are for what is in the queue
             all that the attempt needs is in memory
             a crash in between loses what no client was told of, and which it will send again
ERRORS       kept() is False when the disk did not take the rows: the client was told
SOURCE       docs/QUEUE.md, decision 0026; RFC 5321 4.2.5, RFC 1047
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from delivery.spool import queueid
from delivery.spool.committer import Committer, EntryRows, Operation
from delivery.spool.content import ContentFiles
from delivery.spool.entries import content_of
from delivery.spool.memory import Memory
from delivery.spool.records import Lease, QueueState

EARLY_S = 0.05  # a client does not notice that it waits longer by so much


class Early:
    """Those of one shard."""

    def __init__(self, committer: Committer, memory: Memory, files: ContentFiles) -> None:
        self._committer = committer
        self._memory = memory
        self._files = files
        self._operations: dict[int, Operation] = {}  # by message

    def enter(
        self, entry: EntryRows, lease: Lease, begin: Callable[[Lease], bool]
    ) -> asyncio.Future[None] | None:
        """Done when the message is on disk, here or there; None unless its attempt begins now."""
        number, state, size = entry.message[0], entry.message[1], entry.message[6]
        if state != QueueState.ACTIVE or entry.file_name or not self._memory.has_room_for(size):
            return None
        if self._memory.has(number) or not begin(lease):  # a name that is taken is no good
            return None
        self._memory.lease(number)
        self._memory.keep(number, content_of(entry, self._files))
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        operation = Operation(future=future, entries=[entry], can_wait_s=EARLY_S)
        self._committer.submit(operation)
        self._operations[number] = operation
        return future

    async def kept(self, lease: Lease) -> bool:
        """True once the message is on disk, as one always is that was not tried early.

        False: it cannot be, and the lease has ended.
        """
        number = queueid.to_number(lease.queue_id)
        operation = self._operations.get(number)
        if operation is None:
            return True
        self._committer.hurry(operation)
        await asyncio.wait((operation.future,))
        del self._operations[number]
        if operation.future.exception() is None:
            return True
        self._memory.leave(number)
        return False

    async def spare(self, number: int) -> bool:
        """The message was delivered. True: it has no rows, and its future is done."""
        operation = self._operations.pop(number, None)
        if operation is None:
            return False
        if self._committer.withdraw(operation):
            operation.future.set_result(None)
            return True
        await asyncio.wait((operation.future,))
        return operation.future.exception() is not None  # the rows of that name are not its own
