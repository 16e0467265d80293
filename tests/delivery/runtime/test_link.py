"""The link between the two processes: questions, answers, failures, the end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.errors import OurError, SmtpFailure
from delivery.policy.facts import ProbeUnavailable
from delivery.runtime import link
from delivery.runtime.link import FrameTooLong, Handler, Link
from tests.delivery.runtime.asynchronous import asynchronous, until


class Both:
    """Two ends in one loop."""

    def __init__(self, near: Link, far: Link, lost: list[str]) -> None:
        self.near = near
        self.far = far
        self.lost = lost


@asynccontextmanager
async def linked(handlers: Mapping[str, Handler]) -> AsyncIterator[Both]:
    ours, theirs = socket.socketpair()
    lost: list[str] = []
    near = await Link.over(ours, {}, lambda: lost.append("near"))
    far = await Link.over(theirs, handlers, lambda: lost.append("far"))
    try:
        yield Both(near, far, lost)
    finally:
        near.close()
        far.close()
        await until(lambda: len(lost) == 2)


@asynchronous
async def test_it_answers() -> None:
    handlers = {"sum": lambda value, data: [sum(value), len(data)]}
    async with linked(handlers) as both:
        assert await both.near.ask("sum", [1, 2], b"abc") == [3, 3]


@asynchronous
async def test_answers_come_when_they_are_ready() -> None:
    waiting: dict[str, asyncio.Future[str]] = {}

    def later(value: Any, data: memoryview) -> asyncio.Future[str]:
        return waiting.setdefault(value, asyncio.get_running_loop().create_future())

    async with linked({"later": later}) as both:
        first, second = both.near.ask("later", "a"), both.near.ask("later", "b")
        await until(lambda: len(waiting) == 2)
        waiting["b"].set_result("2")
        assert await second == "2"
        assert not first.done()
        waiting["a"].set_result("1")
        assert await first == "1"


@asynchronous
async def test_news_come_in_their_order_and_are_not_answered() -> None:
    heard: list[bytes] = []
    async with linked({"line": lambda value, data: heard.append(bytes(data))}) as both:
        for number in range(1000):
            both.near.tell("line", None, b"%d" % number)
        await until(lambda: len(heard) == 1000)
        assert heard == [b"%d" % number for number in range(1000)]


@pytest.mark.parametrize(
    "error",
    [SmtpFailure(452, "4.3.1", "no room", cause="disk"), ProbeUnavailable("not now")],
    ids=["smtp", "probe"],
)
@asynchronous
async def test_a_failure_is_raised_where_it_was_asked(error: Exception) -> None:
    async def fail(value: Any, data: memoryview) -> None:
        raise error

    async with linked({"fail": fail}) as both:
        with pytest.raises(type(error)) as raised:
            await both.near.ask("fail")
        assert vars(raised.value) == vars(error)
        assert str(raised.value) == str(error)


@asynchronous
async def test_a_bug_is_an_error_of_ours_and_the_link_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    handlers = {"divide": lambda value, data: 1 / value}
    async with linked(handlers) as both:
        with pytest.raises(OurError, match="ZeroDivisionError"):
            await both.near.ask("divide", 0)
        with pytest.raises(OurError, match="KeyError"):
            await both.near.ask("unknown")
        assert await both.near.ask("divide", 2) == 0.5
    assert "link problem=" in capsys.readouterr().out


@asynchronous
async def test_who_is_gone_answers_nothing() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    heard: list[object] = []

    def wait(value: Any, data: memoryview) -> asyncio.Future[None]:
        heard.append(value)
        return future

    async with linked({"wait": wait}) as both:
        asked = both.near.ask("wait")
        await until(lambda: heard)
        both.far.close()
        with pytest.raises(OurError, match="is gone"):
            await asked
        await until(lambda: "near" in both.lost)
        with pytest.raises(OurError, match="is gone"):
            await both.near.ask("wait")
        both.near.tell("wait")


@given(
    st.lists(
        st.tuples(st.recursive(st.none() | st.text() | st.floats(allow_nan=False), st.lists),
                  st.binary(max_size=300)),
        max_size=5,
    ),
    st.integers(1, 50),
)  # fmt: skip
def test_pieces_do_not_matter(said: list[tuple[Any, bytes]], size: int) -> None:
    async def hear() -> None:
        heard: list[tuple[Any, bytes]] = []
        far = Link({"say": lambda value, data: heard.append((value, bytes(data)))}, lambda: None)
        wire = bytearray()
        near = Link({}, lambda: None)
        near._transport = Sink(wire)  # type: ignore[assignment]
        for value, data in said:
            near.tell("say", value, data)
        near._flush()
        for place in range(0, len(wire), size):
            receive(far, wire[place : place + size])
        assert heard == said

    asyncio.run(hear())


@asynchronous
async def test_frames_of_any_length_follow_each_other() -> None:
    heard: list[bytes] = []
    sizes = [0, link.BUFFER_BYTES - 20, 5, link.BUFFER_BYTES, 3 * link.BUFFER_BYTES, 0, 1 << 20, 7]
    async with linked({"take": lambda value, data: heard.append(bytes(data))}) as both:
        for letter, size in zip(b"abcdefgh", sizes, strict=True):
            both.near.tell("take", None, bytes([letter]) * size)
        await until(lambda: len(heard) == len(sizes))
        assert heard == [bytes([x]) * size for x, size in zip(b"abcdefgh", sizes, strict=True)]
        assert len(both.far.get_buffer(-1)) == link.BUFFER_BYTES


@asynchronous
async def test_data_is_there_for_its_handler_alone() -> None:
    kept: list[memoryview] = []
    async with linked({"take": lambda value, data: kept.append(data)}) as both:
        await both.near.ask("take", None, b"abc")
    with pytest.raises(ValueError, match="released"):
        bytes(kept[0])


def receive(far: Link, piece: bytes) -> None:
    """As a transport hands it over: no more than there is room for."""
    while piece:
        count = min(len(piece), len(room := far.get_buffer(-1)))
        room[:count] = piece[:count]
        far.buffer_updated(count)
        piece = piece[count:]


class Sink:
    """A transport that keeps what is written."""

    def __init__(self, wire: bytearray) -> None:
        self._wire = wire

    def write(self, data: bytes) -> None:
        self._wire += data


@asynchronous
async def test_what_is_too_long_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with linked({"size": lambda value, data: len(data)}) as both:
        monkeypatch.setattr(link, "FRAME_BYTES", 1000)
        with pytest.raises(FrameTooLong):
            await both.near.ask("size", None, b"x" * 1000)
        assert await both.near.ask("size", None, b"x" * 900) == 900


@asynchronous
async def test_a_frame_that_is_too_long_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = socket.socketpair()
    lost: list[bool] = []
    await Link.over(ours, {}, lambda: lost.append(True))
    with theirs:
        theirs.sendall(b"\xff" * 8)
        await until(lambda: lost)
    assert "a frame is too long" in capsys.readouterr().out
