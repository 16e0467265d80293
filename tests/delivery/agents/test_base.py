"""Content as agents read it in the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from delivery.agents.base import PIECE_BYTES, ContentReader
from delivery.values import Content
from tests.delivery.runtime.asynchronous import until
from tests.delivery.spool.messages import asynchronous, whole


@asynchronous
async def test_it_works(tmp_path: Path) -> None:
    path = tmp_path / "content"
    path.write_bytes(b"text" * PIECE_BYTES)
    kept = Content(size=4, data=b"text", headers=b"Received: us\r\n")
    assert await whole(kept) == b"Received: us\r\ntext"
    in_file = Content(size=4 * PIECE_BYTES, path=str(path), headers=b"Received: us\r\n")
    with ContentReader(in_file) as reader:
        sizes = []
        while piece := await reader.next():
            sizes.append(len(piece))
        assert sizes == [14, *[PIECE_BYTES] * 4]
        assert await reader.next() == b""


@asynchronous
async def test_a_file_that_ends_early_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "content"
    path.write_bytes(b"te")
    with pytest.raises(OSError, match="ends 2 bytes early"):
        await whole(Content(size=4, path=str(path)))


@asynchronous
async def test_who_reads_may_be_cancelled_while_the_disk_keeps_it_waiting(tmp_path: Path) -> None:
    path = tmp_path / "content"
    os.mkfifo(path)
    reading = asyncio.create_task(whole(Content(size=4, path=str(path))))
    writer: list[int] = []

    def is_read() -> bool:
        with contextlib.suppress(OSError):  # ENXIO: nobody has it open
            writer.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        return bool(writer)

    await until(is_read)
    reading.cancel()
    [ended] = await asyncio.gather(reading, return_exceptions=True)
    os.close(writer[0])  # the thread goes on
    assert isinstance(ended, asyncio.CancelledError)
