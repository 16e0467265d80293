"""What operators ask of a shard."""

from __future__ import annotations

from pathlib import Path

from delivery.spool import QueueState
from delivery.values import Status
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
async def test_operators_win_over_a_running_attempt(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        ids = [await opened.enter(envelope(), small(), now=NOW + n) for n in range(3)]
        held, removed, expired = [await leased(opened, queue_id) for queue_id in ids]
        assert len(await opened.operator.hold([held.queue_id])) == 1
        assert len(await opened.operator.remove([removed.queue_id])) == 1
        assert len(await opened.operator.expire([expired.queue_id])) == 1
        for lease in (held, removed, expired):
            late = outcomes(lease, Status.DEFERRED, "4.4.1")
            await opened.finish(lease, late, next_attempt=NOW + 300)
        assert [(item.queue_id, item.state) for item in await opened.operator.listing()] == [
            (held.queue_id, QueueState.HOLD),
            (expired.queue_id, QueueState.DEFERRED),
        ]
        assert (await leased(opened, expired.queue_id)).expired


@asynchronous
async def test_operators_reach_messages_that_were_not_tried_yet(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        held, expired, removed = [
            await opened.enter(envelope(), small(), now=NOW) for _ in range(3)
        ]
        assert len(await opened.operator.hold([held])) == 1
        assert len(await opened.operator.expire([expired])) == 1
        assert len(await opened.operator.remove([removed])) == 1
        assert await opened.due(NOW) == [expired]
        lease = await leased(opened, expired)
        assert lease.expired
        assert await opened.lease(held, next_attempt=NOW) is None
        await opened.operator.release(None)
        released = await leased(opened, held)
        assert await whole(await opened.content(released)) == small().data


@asynchronous
async def test_operators_change_everything_or_what_they_name(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        ids = [
            await opened.enter(envelope(f"u@{site}"), small(), now=NOW + n)
            for n, site in enumerate(["a.example", "B.Example", "sub.b.example"])
        ]
        for queue_id in ids:
            await opened.defer(await leased(opened, queue_id), NOW + 900)
        assert await opened.flush(NOW, site="b.example") == 1
        assert await opened.due(NOW) == [ids[1]]
        assert await opened.flush(NOW, ids=[ids[0]]) == 1
        assert await opened.flush(NOW) == 3
        assert sorted(await opened.due(NOW)) == sorted(ids)
        assert len(await opened.operator.hold(None)) == 3
        assert await opened.due(NOW) == []
        assert len(await opened.operator.release(None)) == 3
        assert len(await opened.operator.remove([ids[0]])) == 1
        assert len(await opened.operator.remove(None)) == 2
        assert await opened.operator.listing() == []


@asynchronous
async def test_a_release_changes_no_time(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        queue_id = await opened.enter(envelope(), small(), now=NOW)
        await opened.defer(await leased(opened, queue_id), NOW + 900)
        assert (
            await opened.operator.hold([queue_id])
            == await opened.operator.release([queue_id])
            == [queue_id]
        )
        assert await opened.due(NOW + 899) == []
        assert await opened.due(NOW + 900) == [queue_id]


@asynchronous
async def test_listing_goes_on_behind_the_last_one(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        ids = [await opened.enter(envelope(sender="@"), small(), now=NOW) for _ in range(5)]
        first = await opened.operator.listing(limit=2)
        rest = await opened.operator.listing(after=first[-1].queue_id, limit=10)
        assert [item.queue_id for item in first + rest] == ids
        assert first[0].sender == ""


@asynchronous
async def test_deleting_a_message_removes_its_content_file(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        queue_id, content = await written(opened, b"x" * LARGE)
        await opened.enter(envelope(), content, queue_id=queue_id, hold="look at it")
        assert len(await opened.operator.remove([queue_id])) == 1
    assert list((tmp_path / "0" / "content").iterdir()) == []
