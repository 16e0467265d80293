"""leaving - a message as it goes out to another server.

SUMMARY      leaving(delivery, outgoing, to_7bit=...): pieces of the message, changed as the tables
             say and as the server needs it
ERRORS       OSError: the content cannot be read; SmtpFailure: a table cannot be asked
SOURCE       Postfix smtp_proto.c
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from delivery import log
from delivery.agents.base import Delivery, read_content
from delivery.content.outgoing import Outgoing


async def leaving(
    delivery: Delivery, outgoing: Outgoing | None, *, to_7bit: bool
) -> AsyncGenerator[bytes, None]:
    """The message as it goes out."""
    converters = [] if outgoing is None else outgoing.converters(to_7bit=to_7bit)
    async with aclosing(_cleaned(delivery, outgoing)) as pieces:
        async for piece in pieces:
            text = piece
            for converter in converters:
                text = converter.feed(text)
            if text:
                yield text
    rest = b""
    for converter in converters:
        rest = (converter.feed(rest) if rest else b"") + converter.finish()
    if rest:
        yield rest


async def _cleaned(delivery: Delivery, outgoing: Outgoing | None) -> AsyncGenerator[bytes, None]:
    """The message after generic maps and the checks of the SMTP client."""
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
