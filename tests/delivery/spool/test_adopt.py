"""Messages of a dead process's shard move to a living one, once and whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from delivery.spool import QueueState, adopt
from tests.delivery.spool.messages import (
    LARGE,
    NOW,
    asynchronous,
    envelope,
    leased,
    outcomes,
    small,
    spool,
    whole,
    written,
)


@asynchronous
async def test_it_works(tmp_path: Path) -> None:
    async with spool(tmp_path, 1) as other:
        small_id = await other.enter(envelope("a@x.example"), small(), now=NOW)
        large_id, content = await written(other, b"x" * LARGE, b"Received: 1\r\n")
        await other.enter(envelope("b@x.example"), content, queue_id=large_id, now=NOW)
        held_id = await other.enter(envelope(), small(), hold="why", now=NOW)
    async with spool(tmp_path, 0) as opened:
        [adoption] = await opened.adopt_shards()
        assert (adoption.shard, adoption.messages) == (1, 3)
        assert set(await opened.due(2**40)) == {small_id, large_id}
        lease = await leased(opened, large_id)
        assert await whole(await opened.content(lease)) == b"Received: 1\r\n" + b"x" * LARGE
        await opened.finish(lease, outcomes(lease), next_attempt=NOW)
        states = {item.queue_id: item.state for item in await opened.operator.listing()}
        assert states == {small_id: QueueState.DEFERRED, held_id: QueueState.HOLD}
    assert os.listdir(tmp_path) == ["0"]


@asynchronous
async def test_living_shards_are_left_alone(tmp_path: Path) -> None:
    async with spool(tmp_path, 1) as other, spool(tmp_path, 0) as opened:
        await other.enter(envelope(), small())
        assert await opened.adopt_shards() == []
        assert (await other.operator.counts())[QueueState.ACTIVE] == 1
    async with spool(tmp_path, 0) as opened:
        assert await opened.adopt_shards(alive=[1]) == []


@asynchronous
async def test_a_second_try_after_a_crash_adopts_nothing_twice(tmp_path: Path) -> None:
    async with spool(tmp_path, 1) as other:
        ids = [await other.enter(envelope(), small(), now=NOW) for _ in range(450)]
    shutil.copytree(tmp_path / "1", tmp_path / "copy")
    async with spool(tmp_path, 0) as opened:
        await opened.adopt_shards()
        (tmp_path / "copy").rename(tmp_path / "1")  # as if the deletion there had been lost
        [again] = await opened.adopt_shards()
        assert again.messages == 450
        assert sorted(await opened.due(2**40)) == sorted(ids)
        assert (await opened.operator.counts())[QueueState.DEFERRED] == 450


@asynchronous
async def test_what_was_damaged_there_moves_along_and_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with spool(tmp_path, 1):
        damaged = tmp_path / "1" / "damaged"
    damaged.mkdir()
    (damaged / "x").write_bytes(b"remains")
    synced: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        adopt, "sync_directory", lambda path: synced.append((path.name, damaged.exists()))
    )
    async with spool(tmp_path, 0) as opened:
        await opened.adopt_shards()
    assert (tmp_path / "0" / "damaged" / "1-x").read_bytes() == b"remains"
    assert synced == [("damaged", True), ("0", True)]  # before the shard is removed
    assert not damaged.exists()


@asynchronous
async def test_what_cannot_be_read_there_is_reported_and_kept(tmp_path: Path) -> None:
    async with spool(tmp_path, 1) as other:
        queue_id, content = await written(other, b"x" * LARGE)
        await other.enter(envelope(), content, queue_id=queue_id)
    (tmp_path / "1" / "content" / queue_id).unlink()
    trouble: list[str] = []
    async with spool(tmp_path, 0, trouble=trouble.append) as opened:
        await opened.adopt_shards()
        assert trouble == [f"{queue_id}: set aside: its content file is missing"]
        assert (await opened.operator.counts())[QueueState.CORRUPT] == 1
