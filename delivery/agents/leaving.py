"""leaving - a message as it goes out to another server.

SUMMARY      leaving(delivery, outgoing): pieces of the message, changed as the tables say
ERRORS       OSError: the content cannot be read; SmtpFailure: a table cannot be asked
SOURCE       Postfix smtp_proto.c
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from delivery import log
from delivery.agents.base import Delivery, read_content
from delivery.content.outgoing import Outgoing


async def leaving(delivery: Delivery, outgoing: Outgoing | None) -> AsyncGenerator[bytes, None]:
    """The message as it goes out."""
    cleaner = None if outgoing is None else outgoing.begin()
    async with aclosing(read_content(delivery.content)) as pieces:
        async for piece in pieces:
            if text := piece if cleaner is None else cleaner.feed(piece):
                yield text
    if cleaner is None:
        return
    cleaned = cleaner.finish()
    for note in cleaned.notes:
        log.event("smtp", queue_id=delivery.queue_id, kind=note.kind, text=note.text)
    if cleaned.refusal is not None:
        raise cleaned.refusal
    if cleaned.data:
        yield cleaned.data
