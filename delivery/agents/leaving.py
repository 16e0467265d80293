"""leaving - a message as it goes out to another server.

SUMMARY      with Leaving(delivery, outgoing, to_7bit=...) as leaving: await leaving.next() -> the
             next piece of the message, changed as the tables say and as the server needs it;
             leaving.is_over: it was the last one
ERRORS       OSError: the content cannot be read; SmtpFailure: a table cannot be asked
SOURCE       Postfix smtp_proto.c
"""

from __future__ import annotations

from typing import Self

from delivery import log
from delivery.agents.base import ContentReader, Delivery
from delivery.content.cleaner import Cleaner
from delivery.content.outgoing import Outgoing


class Leaving:
    """The message as it goes out."""

    __slots__ = ("_cleaner", "_converters", "_queue_id", "_reader", "is_over")

    def __init__(self, delivery: Delivery, outgoing: Outgoing | None, *, to_7bit: bool) -> None:
        self._queue_id = delivery.queue_id
        self._reader = ContentReader(delivery.content)
        self._cleaner = None if outgoing is None else outgoing.begin()
        self._converters = [] if outgoing is None else outgoing.converters(to_7bit=to_7bit)
        self.is_over = False

    async def next(self) -> bytes:
        """The next piece; b"" at the end."""
        text = b""
        while not (text or self.is_over):
            text = self._converted(self._cleaned(await self._reader.next()))
            if self._reader.is_over:
                self.is_over = True
                if self._cleaner is not None:
                    text += self._converted(self._end(self._cleaner))
                text += self._rest()
        return text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def _cleaned(self, piece: bytes) -> bytes:
        """After generic maps and the checks of the SMTP client."""
        return piece if self._cleaner is None or not piece else self._cleaner.feed(piece)

    def _end(self, cleaner: Cleaner) -> bytes:
        """The last of it."""
        cleaned = cleaner.finish()
        for note in cleaned.notes:
            log.event("smtp", queue_id=self._queue_id, kind=note.kind, text=note.text)
        if cleaned.refusal is not None:
            raise cleaned.refusal
        return cleaned.data

    def _converted(self, text: bytes) -> bytes:
        """As the server needs it."""
        for converter in self._converters:
            if not text:
                break
            text = converter.feed(text)
        return text

    def _rest(self) -> bytes:
        """What converters kept."""
        rest = b""
        for converter in self._converters:
            rest = (converter.feed(rest) if rest else b"") + converter.finish()
        return rest
