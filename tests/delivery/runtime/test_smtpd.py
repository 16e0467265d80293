"""A process that clients speak to, when the one with the queue dies."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from delivery.config import Config, Endpoint
from delivery.runtime.anvil import answers
from delivery.runtime.link import Link
from delivery.runtime.rates import Rates
from delivery.runtime.reception import NUMBER
from delivery.runtime.smtpd import Smtpd
from tests.delivery.runtime.asynchronous import asynchronous, until
from tests.ports import free_port
from tests.wire.engine import Home


class Queue:
    """The other process: it takes messages, and never says that they are on disk."""

    def __init__(self) -> None:
        self.entered: list[bytes] = []
        self.lost = asyncio.Event()

    def enter(self, value: Any, data: memoryview) -> asyncio.Future[None]:
        self.entered.append(bytes(data))
        return asyncio.get_running_loop().create_future()


@asynccontextmanager
async def begun(path: Path, port: int, queue: Queue) -> AsyncIterator[Link]:
    """The queue's end of the link to a process that listens; at the end it has ended."""
    Home(path).publish()
    (path / "spool" / "0" / "content").mkdir(parents=True)
    ours, theirs = socket.socketpair()
    config = Config(home=path, listeners={"smtp": Endpoint("127.0.0.1", port)})
    life = asyncio.create_task(Smtpd(config).run(theirs))
    handlers = {**answers(Rates()), "enter": queue.enter, "journal": lambda value, data: None}
    link = await Link.over(ours, handlers, queue.lost.set)
    status = await link.ask("begin", (0, NUMBER, 0, 1, None))
    assert status["problems"] == {}
    try:
        yield link
    finally:
        link.close()
        await asyncio.wait_for(life, 20)
        await queue.lost.wait()


def is_open(port: int) -> bool:
    """Somebody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return False
        return True


@pytest.mark.parametrize("is_entered", [False, True])
@asynchronous
async def test_who_hears_that_the_queue_is_gone_finds_nobody_there(
    tmp_path: Path, is_entered: bool
) -> None:
    port, queue = free_port(), Queue()
    async with begun(tmp_path, port, queue) as link, client(port) as (reader, writer):
        lines = ["EHLO c.example", "MAIL FROM:<a@sender.example>", "RCPT TO:<joe@example.com>"]
        for line in (*lines, "DATA"):
            await heard(reader)
            writer.write(f"{line}\r\n".encode())
        assert (await heard(reader)).startswith("354")
        writer.write(b"Subject: x\r\n\r\nHello.\r\n")
        if is_entered:  # and whether it is on disk nobody will say
            writer.write(b".\r\n")
            await until(lambda: queue.entered)
        link.close()
        await queue.lost.wait()
        if not is_entered:
            writer.write(b".\r\n")
        assert (await heard(reader)).startswith("421 4.3.0 ")
        assert not is_open(port)


@asynccontextmanager
async def client(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def heard(reader: asyncio.StreamReader) -> str:
    """The next reply, its last line."""
    async with asyncio.timeout(20):
        while (line := (await reader.readline()).decode())[3:4] == "-":
            pass
    return line
