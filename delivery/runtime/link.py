"""link - how two processes of an engine speak to each other: questions, answers, news.

SUMMARY      link = await Link.over(socket, handlers, lost)
             ask(name, value, *data) -> future of the answer; tell(...): nobody waits for one
FORM         two lengths (32 bits), a JSON array, bytes as they are. The array is
             [number, name, value], a question (number 0: news), or
             [-number, value], its answer, or [-number, null, error, [words]]
RULES        what one side says it hears in that order; frames of one turn of the loop go out in one
             write. JSON and not pickle: who speaks to clients may be taken over by one, and shall
             not be able to make the other side do more than its handlers do
             a handler gives its answer, or a future of it: nobody else waits meanwhile
ERRORS       what a handler raises on purpose (SmtpFailure, ProbeUnavailable) is raised where it was
             asked; anything else is OurError there, and a log line here
             once the other side is gone all questions fail with OurError, and `lost` is called
LIMITS       FRAME_BYTES. A longer question fails with FrameTooLong; one that comes ends the link
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Mapping
from functools import partial
from types import CoroutineType
from typing import Any, Self, cast

from delivery import jsontext, log
from delivery.errors import DeliveryError, OurError, SmtpFailure
from delivery.policy.facts import ProbeUnavailable

FRAME_BYTES = 256 * 1024 * 1024
BUFFER_BYTES = 256 * 1024  # what is heard at once; more only for a frame that is longer
_LENGTHS = struct.Struct("!II")
_HEAD = _LENGTHS.size
_decode = json.JSONDecoder().raw_decode


class FrameTooLong(OurError):
    """It was not asked."""


Handler = Callable[[Any, memoryview], Any]


class Link(asyncio.BufferedProtocol):
    """One end of it."""

    def __init__(self, handlers: Mapping[str, Handler], lost: Callable[[], None]) -> None:
        """`handlers`: name -> answer(value, data), or a future of the answer.

        `data` is a view into what was heard, and gone when the handler returns.
        """
        self._handlers = handlers
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Future[Any]] = set()  # kept: the loop holds tasks only weakly
        self._number = 0
        self._out: list[bytes] = []
        self._in = memoryview(bytearray(BUFFER_BYTES))
        self._end = 0  # of what is in it

    @classmethod
    async def over(
        cls, channel: socket.socket, handlers: Mapping[str, Handler], lost: Callable[[], None]
    ) -> Self:
        """A link over one of a pair of connected sockets; the socket is then the link's."""
        loop = asyncio.get_running_loop()
        _, link = await loop.create_unix_connection(lambda: cls(handlers, lost), sock=channel)
        return link

    def ask(self, name: str, value: object = None, *data: bytes) -> asyncio.Future[Any]:
        """A question; the future has the answer. The pieces of `data` arrive as one."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._transport is None:
            future.set_exception(OurError("the other process of the engine is gone"))
            return future
        self._number = number = self._number + 1
        try:
            self._send([number, name, value], *data)
        except FrameTooLong as error:
            future.set_exception(error)
        else:
            self._asked[number] = future
        return future

    def tell(self, name: str, value: object = None, *data: bytes) -> None:
        """News; lost when the other side is gone."""
        if self._transport is not None:
            self._send([0, name, value], *data)

    def close(self) -> None:
        """Hang up, after what was said has been written."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins."""
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next piece of what the other side says goes to; there always is room."""
        return self._in[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        """It came."""
        self._end += nbytes
        self._hear()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone."""
        self._transport = None
        asked, self._asked = self._asked, {}
        for future in asked.values():
            if not future.done():
                future.set_exception(OurError("the other process of the engine is gone"))
        self._lost()

    # inside

    def _send(self, words: list[object], *data: bytes) -> None:
        self._write(jsontext.encode(words).encode("ascii"), *data)

    def _write(self, text: bytes, *data: bytes) -> None:
        length, rest = len(text), sum(map(len, data))
        if length + rest > FRAME_BYTES:
            raise FrameTooLong(f"{length + rest} bytes do not pass between processes")
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out += (_LENGTHS.pack(length, rest), text, *data)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if out and self._transport is not None:
            self._transport.write(b"".join(out))

    def _hear(self) -> None:
        """Take the whole frames; the rest of what was heard goes to the front."""
        data, place, end, size = self._in, 0, self._end, BUFFER_BYTES
        while end - place >= _HEAD:
            length, rest = _LENGTHS.unpack_from(data, place)
            if length + rest > FRAME_BYTES:
                log.event("link", problem="a frame is too long", bytes=length + rest)
                assert self._transport is not None
                self._transport.abort()
                place = end
                break
            start = place + _HEAD
            middle = start + length
            if middle + rest > end:
                size = len(data)
                if end - place == size:  # as much as came of it, once more
                    size = min(2 * size, middle + rest - place)
                break
            place = middle + rest
            words, _ = _decode(str(data[start:middle], "ascii"))
            with data[middle:place] as part:
                self._heard(words, part)
        if size != len(data):
            self._in = memoryview(bytearray(size))
        if place or self._in is not data:
            self._in[: end - place] = data[place:end]
            self._end = end - place

    def _heard(self, words: list[Any], data: memoryview) -> None:
        number = words[0]
        if number < 0:
            self._answered(self._asked.pop(-number, None), words)
            return
        try:
            answer = self._handlers[words[1]](words[2], data)
        except Exception as error:  # noqa: BLE001 - goes to whoever asked
            self._fail(number, words[1], error)
            return
        if isinstance(answer, CoroutineType):
            answer = self._loop.create_task(answer)
            self._tasks.add(answer)
            answer.add_done_callback(self._tasks.discard)
        elif not isinstance(answer, asyncio.Future):
            self._answer(number, answer)
            return
        answer.add_done_callback(partial(self._done, number, words[1]))

    def _done(self, number: int, name: str, done: asyncio.Future[Any]) -> None:
        if done.cancelled():
            self._fail(number, name, OurError("it was given up"))
        elif (error := done.exception()) is not None:
            self._fail(number, name, error)
        else:
            self._answer(number, done.result())

    def _answer(self, number: int, value: object) -> None:
        if not number or self._transport is None:
            return
        if value is None:  # "done", which is what is said most
            self._write(b"[-%d,null]" % number)
        else:
            self._send([-number, value])

    def _fail(self, number: int, name: str, error: BaseException) -> None:
        if isinstance(error, SmtpFailure):
            words: list[object] = [error.code, error.enhanced, error.text, error.cause]
        elif isinstance(error, DeliveryError):
            words = [str(error)]
        else:
            words = [f"{type(error).__name__}: {error}"]
            log.event("link", problem=words[0], asked=name)
        if number and self._transport is not None:
            self._send([-number, None, type(error).__name__, words])

    def _answered(self, future: asyncio.Future[Any] | None, words: list[Any]) -> None:
        if future is None or future.done():  # nobody waits any more
            return
        if len(words) == 2:
            future.set_result(words[1])
        else:
            future.set_exception(_error(*words[2:]))


def _error(name: str, words: list[Any]) -> DeliveryError:
    """The failure of the other side."""
    if name == SmtpFailure.__name__:
        code, enhanced, text, cause = words
        return SmtpFailure(code, enhanced, text, cause=cause)
    if name == ProbeUnavailable.__name__:
        return ProbeUnavailable(words[0])
    return OurError(words[0])
