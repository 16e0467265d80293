"""enter(): on disk when it returns, found again, many messages in one commit."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.errors import OurError, SmtpFailure
from delivery.spool import QueueState, ShardBusy, Spool, SpoolLimits
from delivery.spool.records import Submission
from delivery.values import Client, Outcome, Recipient, Status
from tables.addresses import Address
from tests.delivery.spool.messages import (
    LARGE,
    NOW,
    asynchronous,
    envelope,
    leased,
    outcomes,
    recipient,
    small,
    spool,
    whole,
    written,
)


@asynchronous
async def test_it_works(tmp_path: Path) -> None:
    sent = envelope("joe@example.com", "ann@example.com", helo="mx", envid="e1", ret="HDRS")
    async with spool(tmp_path) as opened:
        queue_id = await opened.enter(sent, small(), now=NOW)
        assert await opened.due(NOW) == [queue_id]
        lease = await leased(opened, queue_id)
        assert lease.envelope == sent
        assert lease.attempts == 1
        assert await whole(await opened.content(lease)) == small().data
        await opened.finish(lease, outcomes(lease), next_attempt=NOW + 300)
        assert await opened.due(NOW + 1e6) == []
        assert (await opened.operator.counts())[QueueState.ACTIVE] == 0


@asynchronous
async def test_everything_about_a_message_survives_a_restart(tmp_path: Path) -> None:
    sent = replace(
        envelope(),
        sender=Address("a b@c", "sender.example"),
        recipients=(
            Recipient(
                address=Address('q"uo te', "example.com"),
                original=Address("übung", "example.com"),
                notify=frozenset({"SUCCESS", "DELAY"}),
                orcpt="rfc822;joe@example.com",
            ),
            recipient("postmaster@"),
        ),
        client=Client(
            address="2001:db8::1", port=1, name="n", reverse_name="r", forward_error=True
        ),
        helo="[192.0.2.1]",
        protocol="UTF8SMTPS",
        smtputf8=True,
        eightbit=True,
        envid="x+20y",
        ret="FULL",
        generation=41,
    )
    async with spool(tmp_path) as opened:
        queue_id, content = await written(opened, b"b\r\n" * 100, b"Received: here\r\n")
        assert await opened.enter(sent, content, queue_id=queue_id, now=NOW) == queue_id
    async with spool(tmp_path, now=NOW + 10) as opened:
        assert await opened.due(NOW + 10) == [queue_id]
        lease = await leased(opened, queue_id)
        assert lease.envelope == sent
        assert lease.arrived == NOW
        assert await whole(await opened.content(lease)) == b"Received: here\r\n" + b"b\r\n" * 100


@asynchronous
async def test_null_sender_and_local_origin_survive_a_restart(tmp_path: Path) -> None:
    sent = replace(envelope(), sender=Address("", ""), client=None)
    async with spool(tmp_path) as opened:
        queue_id = await opened.enter(sent, small(), now=NOW)
    async with spool(tmp_path) as opened:
        assert (await leased(opened, queue_id)).envelope == sent


@asynchronous
async def test_a_hundred_sessions_share_few_commits(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        before = opened.commits
        ids = await asyncio.gather(*(opened.enter(envelope(), small()) for _ in range(100)))
        assert len(set(ids)) == 100
        assert opened.commits - before <= 10, opened.commits - before
        assert (await opened.operator.counts())[QueueState.ACTIVE] == 100


@asynchronous
async def test_nobody_else_can_read_what_is_queued(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        async with spool(tmp_path / "spool") as opened:
            queue_id, content = await written(opened, b"secret")
            await opened.enter(envelope(), content, queue_id=queue_id)
            modes = {
                name: os.stat(os.path.join(here, name)).st_mode & 0o077
                for here, folders, files in os.walk(tmp_path)
                for name in (*folders, *files)
            }
    finally:
        os.umask(before)
    assert "queue.db-wal" in modes
    assert not any(modes.values()), modes


@asynchronous
async def test_large_content_lives_in_a_file_until_it_is_delivered(tmp_path: Path) -> None:
    data = bytes(range(256)) * 2000
    async with spool(tmp_path) as opened:
        queue_id, content = await written(opened, data, b"Received: here\r\n")
        assert content.data == b""
        assert content.size == len(data)
        await opened.enter(envelope(), content, queue_id=queue_id)
    async with spool(tmp_path) as opened:
        lease = await leased(opened, queue_id)
        assert await whole(await opened.content(lease)) == b"Received: here\r\n" + data
        path = tmp_path / "0" / "content" / queue_id
        assert path.stat().st_mode & 0o777 == 0o600
        await opened.finish(lease, outcomes(lease), next_attempt=NOW)
    assert not path.exists()


@asynchronous
async def test_all_sessions_together_hold_a_bounded_amount_in_memory(tmp_path: Path) -> None:
    limits = SpoolLimits(buffer_bytes=100_000)
    async with spool(tmp_path, limits=limits) as opened:
        writers = [opened.begin() for _ in range(20)]
        for writer in writers:
            writer.write(b"x" * 10_000)
        contents = [await writer.finish() for writer in writers]
        assert sum(len(item.data) for item in contents) == 100_000
        assert sum(1 for item in contents if item.path) == 10
        for item in contents:
            opened.forget(item)
        writer = opened.begin()
        writer.write(b"x" * 10_000)
        assert (await writer.finish()).data, "the memory was not given back"
    assert list((tmp_path / "0" / "content").iterdir()) == []


@asynchronous
async def test_an_abandoned_message_leaves_nothing(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        writer = opened.begin()
        writer.write(b"x" * LARGE)
        assert [path.name for path in (tmp_path / "0" / "content").iterdir()] == [writer.queue_id]
        writer.abandon()
        writer.abandon()
        assert list((tmp_path / "0" / "content").iterdir()) == []
        with pytest.raises(OurError):
            writer.write(b"x")


@asynchronous
async def test_messages_that_come_to_nothing_are_not_remembered(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        for size in (10, LARGE):
            writer = opened.begin()
            writer.write(b"x" * size)
            writer.abandon()
            _, content = await written(opened, b"x" * size)
            opened.forget(content)
        assert opened.loose_files == 0
        assert list((tmp_path / "0" / "content").iterdir()) == []
        await written(opened, b"x" * LARGE)
        assert opened.loose_files == 1, "removed when the spool is closed"
    assert list((tmp_path / "0" / "content").iterdir()) == []


@asynchronous
async def test_forgetting_content_that_was_entered_keeps_it(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        queue_id, content = await written(opened, b"x" * LARGE)
        await opened.enter(envelope(), content, queue_id=queue_id)
        opened.forget(content)
        assert (tmp_path / "0" / "content" / queue_id).exists()


@asynchronous
async def test_exact_copies_of_a_recipient_are_one(tmp_path: Path) -> None:
    twice = replace(envelope(), recipients=(recipient("a@b"), recipient("a@b"), recipient("c@b")))
    async with spool(tmp_path) as opened:
        lease = await leased(opened, await opened.enter(twice, small()))
        assert [item.address.local for item in lease.envelope.recipients] == ["a", "c"]


@asynchronous
async def test_a_held_message_waits_for_its_release(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        queue_id = await opened.enter(envelope(), small(), hold="HOLD in an access table", now=NOW)
        assert await opened.due(NOW + 1e6) == []
        assert await opened.lease(queue_id, next_attempt=NOW) is None
        [listed] = await opened.operator.listing()
        assert (listed.state, listed.reason) == (QueueState.HOLD, "HOLD in an access table")
        assert await opened.operator.release([queue_id]) == [queue_id]
        assert await opened.due(NOW + 5) == [queue_id]


@asynchronous
async def test_more_than_the_active_limit_waits_on_disk(tmp_path: Path) -> None:
    async with spool(tmp_path, limits=SpoolLimits(active=2)) as opened:
        ids = [await opened.enter(envelope(), small(), now=NOW + n) for n in range(5)]
        counts = await opened.operator.counts()
        assert (counts[QueueState.ACTIVE], counts[QueueState.DEFERRED]) == (2, 3)
        assert await opened.due(NOW + 10) == ids
        assert await opened.due(NOW + 10, 3) == ids[:3]
        lease = await leased(opened, ids[4])
        assert await whole(await opened.content(lease)) == small().data


@asynchronous
async def test_recipients_of_all_messages_together_are_bounded(tmp_path: Path) -> None:
    ten = envelope(*(f"u{n}@x.example" for n in range(10)))
    async with spool(tmp_path, limits=SpoolLimits(recipients=25, recipient_minimum=3)) as opened:
        ids = [await opened.enter(ten, small(), now=NOW + n) for n in range(4)]
        counts = await opened.operator.counts()
        assert (counts[QueueState.ACTIVE], counts[QueueState.DEFERRED]) == (2, 2)
        assert opened.recipients_in_memory == 20
        assert opened.has_passed_by
        few = await opened.enter(envelope("a@b.example"), small(), now=NOW + 4)
        assert opened.fresh() == [*ids[:2], few], "the minimum is everybody's"
        assert await opened.due(NOW + 5) == [*ids[:2], few, *ids[2:]]
        assert not opened.has_passed_by

        leases = [await leased(opened, queue_id) for queue_id in ids]
        assert [len(each.numbers) for each in leases] == [10, 10, 4, 3]
        assert [each.more for each in leases] == [False, False, True, True]
        assert opened.recipients_in_memory == 28
        await opened.finish(leases[0], outcomes(leases[0]), next_attempt=NOW)
        await opened.settle(leases[2], outcomes(leases[2]))
        following = await opened.window(leases[2])
        assert (len(following.numbers), following.more) == (6, False)
        for each in (leases[1], following, leases[3], await leased(opened, few)):
            await opened.finish(each, outcomes(each), next_attempt=NOW + 300)
        assert opened.recipients_in_memory == 0
        assert (await opened.operator.counts())[QueueState.DEFERRED] == 1, "with seven to go"


@asynchronous
async def test_what_did_not_stay_in_memory_has_no_room_there(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        held, removed, refused = [
            envelope("a@x.example", "b@x.example"),
            envelope("c@x.example"),
            replace(envelope(), recipients=(recipient("\udce4@example.com"),)),
        ]
        ids = [await opened.enter(each, small()) for each in (held, removed)]
        with pytest.raises(SmtpFailure):
            await opened.enter(refused, small())
        assert opened.recipients_in_memory == 3
        await opened.operator.hold(ids[:1])
        await opened.operator.remove(ids[1:])
        assert opened.recipients_in_memory == 0
        assert await opened.lease(ids[0], next_attempt=NOW) is None
        assert opened.recipients_in_memory == 0


@asynchronous
async def test_new_mail_that_waits_on_disk_comes_before_what_was_tried(tmp_path: Path) -> None:
    async with spool(tmp_path, limits=SpoolLimits(active=1)) as opened:
        old = [await opened.enter(envelope(), small(), now=NOW) for _ in range(3)]
        for queue_id in old:
            await opened.defer(await leased(opened, queue_id), NOW + 300)
        first = await leased(opened, old[0], NOW + 900)
        new = await opened.enter(envelope(), small(), now=NOW + 1000)
        assert await opened.flush(NOW + 1000) == 3
        assert await opened.due(NOW + 1000) == [new, *old[1:]]
        await opened.finish(first, outcomes(first), next_attempt=NOW)
        shown = {each.queue_id: each.next_attempt for each in await opened.operator.listing()}
        assert shown[new] == NOW + 1000


@asynchronous
async def test_an_address_that_is_no_text_is_refused_and_harms_nobody(tmp_path: Path) -> None:
    bad = replace(envelope(), recipients=(recipient("\udce4@example.com"),))
    async with spool(tmp_path) as opened:
        with pytest.raises(SmtpFailure) as caught:
            await opened.enter(bad, small())
        assert caught.value.code == 553
        assert await opened.enter(envelope(), small())


@asynchronous
async def test_a_shard_belongs_to_one_process(tmp_path: Path) -> None:
    async with spool(tmp_path):
        with pytest.raises(ShardBusy):
            Spool.open(tmp_path)
    async with spool(tmp_path):
        pass


@asynchronous
async def test_entering_after_the_end_is_an_error_not_a_wait(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        pass
    with pytest.raises(OurError):
        await asyncio.wait_for(opened.enter(envelope(), small()), 5)


@asynchronous
async def test_mail_is_refused_when_the_disk_has_too_little_room(tmp_path: Path) -> None:
    async with spool(tmp_path, limits=SpoolLimits(free_bytes=2**62)) as opened:
        with pytest.raises(SmtpFailure) as caught:
            opened.begin()
        assert (caught.value.code, caught.value.enhanced) == (452, "4.3.1")


@asynchronous
async def test_the_log_needs_its_room_in_the_database_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda path: free)
    room = free.f_bavail * free.f_frsize
    async with spool(tmp_path, limits=SpoolLimits(free_bytes=room // 2)) as opened:
        await opened.enter(envelope(), small())
        opened.begin().abandon()
        opened.limits = replace(opened.limits, free_bytes=room)
        with pytest.raises(SmtpFailure) as caught:
            opened.begin()
        assert (caught.value.code, caught.value.enhanced) == (452, "4.3.1")


@asynchronous
async def test_what_is_done_with_already_is_told_with_the_first_attempt(tmp_path: Path) -> None:
    told = Outcome(
        recipient=recipient("list@example.com"),
        status=Status.SENT,
        dsn="2.0.0",
        reason="alias expanded",
        is_expanded=True,
    )
    ready = Submission(envelope=envelope(), content=small(), settled=(told,))
    async with spool(tmp_path) as opened:
        queue_id = await opened.enter_submission(ready, now=NOW)
        lease = await leased(opened, queue_id)
        assert (len(lease.numbers), lease.settled) == (1, (told,))
    async with spool(tmp_path) as again:  # a crash before the report
        lease = await leased(again, queue_id)
        assert (len(lease.numbers), lease.settled) == (1, (told,))
        await again.finish(lease, outcomes(lease), next_attempt=NOW + 300)
        assert await again.operator.listing() == []
