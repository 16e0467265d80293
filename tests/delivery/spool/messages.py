"""messages - envelopes, content and opened spools for the tests of this room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from delivery.agents.base import ContentReader
from delivery.spool import Lease, Spool, SpoolLimits
from delivery.spool.content import ContentFiles
from delivery.values import Client, Content, Envelope, Outcome, Recipient, Status
from tables.addresses import Address

NOW = 1_800_000_000.0
LARGE = SpoolLimits().inline_bytes + 10_000  # gets a file


def asynchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in a loop of its own."""

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


def recipient(text: str, **named: Any) -> Recipient:
    local, _, domain = text.rpartition("@")
    address = Address(local, domain)
    return Recipient(address=address, original=address, **named)


def envelope(*recipients: str, sender: str = "ann@sender.example", **named: Any) -> Envelope:
    local, _, domain = sender.rpartition("@")
    return Envelope(
        sender=Address(local, domain),
        recipients=tuple(recipient(text) for text in recipients or ("joe@example.com",)),
        client=Client(address="192.0.2.7", port=40000, name="mx.sender.example"),
        **named,
    )


def small(text: bytes = b"Subject: hello\r\n\r\nbody\r\n") -> Content:
    return Content(size=len(text), data=text)


@asynccontextmanager
async def spool(
    root: Path,
    shard: int = 0,
    *,
    limits: SpoolLimits | None = None,
    files: Callable[[Path], ContentFiles] = ContentFiles,
    trouble: Callable[[str], None] = lambda line: None,
    now: float = NOW,
) -> AsyncIterator[Spool]:
    """An open, started shard; closed at the end."""
    opened = Spool.open(root, shard, limits=limits, files=files, on_trouble=trouble, now=now)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.close()


async def leased(opened: Spool, queue_id: str, next_attempt: float = NOW + 300) -> Lease:
    lease = await opened.lease(queue_id, next_attempt=next_attempt)
    assert lease is not None, queue_id
    return lease


def outcomes(lease: Lease, status: Status = Status.SENT, dsn: str = "2.0.0") -> list[Outcome]:
    return [
        Outcome(recipient=item, status=status, dsn=dsn, reason=f"{status.value} by a test")
        for item in lease.envelope.recipients
    ]


async def written(opened: Spool, data: bytes, headers: bytes = b"") -> tuple[str, Content]:
    """Content received in pieces, as a session does; its queue id and itself."""
    writer = opened.begin()
    for start in range(0, len(data), 7000):
        writer.write(data[start : start + 7000])
    return writer.queue_id, await writer.finish(headers)


async def whole(content: Content | None) -> bytes:
    """All bytes of content as an agent reads them."""
    assert content is not None
    found = b""
    with ContentReader(content) as reader:
        while piece := await reader.next():
            found += piece
    return found
