"""Leases, outcomes and the end of a message."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.errors import OurError
from delivery.spool import QueueState, SpoolLimits, Submission
from delivery.values import Outcome, Status
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
    async with spool(tmp_path) as opened:
        queue_id = await opened.enter(envelope("a@x.example", "b@y.example"), small(), now=NOW)
        lease = await leased(opened, queue_id)
        first, second = outcomes(lease)
        deferred = replace(second, status=Status.DEFERRED, dsn="4.4.1", reason="no route")
        await opened.finish(lease, [first, deferred], next_attempt=NOW + 300)
        assert await opened.due(NOW + 299) == []
        assert await opened.next_due() == NOW + 300
        assert await opened.due(NOW + 300) == [queue_id]
        [listed] = await opened.operator.listing()
        assert [(r.address, r.dsn, r.reason) for r in listed.recipients] == [
            ("b@y.example", "4.4.1", "no route")
        ]
        again = await leased(opened, queue_id)
        assert again.attempts == 2
        assert [item.address.local for item in again.envelope.recipients] == ["b"]
        await opened.finish(again, outcomes(again), next_attempt=NOW)
        assert await opened.operator.listing() == []
        assert await opened.next_due() is None


@asynchronous
async def test_what_failed_first_is_listed_first(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        given = envelope(*(f"{name}@x.example" for name in "abcd"))
        lease = await leased(opened, await opened.enter(given, small(), now=NOW))
        a, _, c, d = outcomes(lease, Status.DEFERRED, "4.0.0")
        ended = [replace(each, noted=NOW + at) for each, at in ((a, 2.5), (c, 1), (d, 2))]
        await opened.finish(lease, ended, next_attempt=NOW + 300)
        (listed,) = await opened.operator.listing()
        assert [(each.address[0], each.noted) for each in listed.recipients] == [
            ("c", NOW + 1),
            ("d", NOW + 2),
            ("a", NOW + 2.5),
            ("b", 0.0),
        ]


@asynchronous
async def test_the_next_attempt_is_on_disk_before_the_attempt(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        queue_id = await opened.enter(envelope(), small(), now=NOW)
        lease = await leased(opened, queue_id)
        await opened.defer(lease, NOW + 60)
        await leased(opened, queue_id, NOW + 5000)
        [listed] = await opened.operator.listing()
        assert (listed.state, listed.next_attempt) == (QueueState.ACTIVE, NOW + 5000)


@asynchronous
async def test_a_message_is_leased_once_at_a_time(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        queue_id = await opened.enter(envelope(), small(), now=NOW)
        lease = await leased(opened, queue_id)
        assert await opened.lease(queue_id, next_attempt=NOW) is None
        assert await opened.due(NOW + 1e6) == []
        await opened.defer(lease, NOW)
        again = await leased(opened, queue_id)
        assert await opened.lease(queue_id, next_attempt=NOW) is None
        await opened.finish(again, outcomes(again), next_attempt=NOW)
        assert await opened.lease(queue_id, next_attempt=NOW) is None


@asynchronous
async def test_reports_enter_with_the_end_of_the_message(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        lease = await leased(opened, await opened.enter(envelope(), small(), now=NOW))
        report_id, content = await written(opened, b"report\r\n" * 20_000)
        report = Submission(
            envelope=envelope("ann@sender.example", sender="@"), content=content, queue_id=report_id
        )
        before = opened.commits
        ids = await opened.finish(
            lease, outcomes(lease, Status.BOUNCED, "5.1.1"), next_attempt=NOW, enter=[report]
        )
        assert ids == [report_id]
        assert opened.commits == before + 1
        assert await opened.due(NOW) == [report_id]
        entered = await leased(opened, report_id)
        assert await whole(await opened.content(entered)) == b"report\r\n" * 20_000


@asynchronous
async def test_content_in_the_file_of_another_message_is_not_entered(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        queue_id, content = await written(opened, b"y" * LARGE)
        with pytest.raises(OurError, match=queue_id):
            await opened.enter(envelope(), content, now=NOW)


@asynchronous
async def test_settled_recipients_stay_settled_after_a_crash_and_reports_are_owed(
    tmp_path: Path,
) -> None:
    names = ["sent@x.example", "bounced@x.example", "late@x.example"]
    wants = recipient("told@x.example", notify=frozenset({"SUCCESS"}))
    sent = envelope(*names)
    sent = replace(sent, recipients=(*sent.recipients, wants))
    async with spool(tmp_path) as opened:
        queue_id = await opened.enter(sent, small(), now=NOW)
        lease = await leased(opened, queue_id)
        ok, bad, _, told = outcomes(lease)
        bad = replace(bad, status=Status.BOUNCED, dsn="5.1.1", reply="550 5.1.1 no")
        await opened.settle(lease, [ok, bad, told])
    async with spool(tmp_path) as opened:
        again = await leased(opened, queue_id)
        assert [item.address.local for item in again.envelope.recipients] == ["late"]
        assert again.settled == (bad, told)
        await opened.finish(again, outcomes(again), next_attempt=NOW)
        assert await opened.operator.listing() == []


@asynchronous
async def test_what_is_being_leased_does_not_hide_what_is_due(tmp_path: Path) -> None:
    async with spool(tmp_path, limits=SpoolLimits(active=0)) as opened:
        ids = [await opened.enter(envelope(), small(), now=NOW) for _ in range(5)]
        disk = threading.Event()
        busy = asyncio.ensure_future(opened._submit(action=lambda work: disk.wait()))
        leases = [asyncio.ensure_future(leased(opened, queue_id)) for queue_id in ids[:3]]
        await asyncio.sleep(0)  # they are on their way to the disk
        try:
            assert await opened.due(NOW, 2) == ids[3:]
        finally:
            disk.set()
        await busy
        for each in leases:
            await opened.defer(await each, NOW)


@asynchronous
async def test_many_recipients_come_in_windows(tmp_path: Path) -> None:
    many = envelope(*(f"u{n}@x.example" for n in range(25)))
    async with spool(tmp_path, limits=SpoolLimits(recipients=10)) as opened:
        queue_id = await opened.enter(many, small(), now=NOW)
        lease = await leased(opened, queue_id)
        seen = []
        while True:
            seen += [item.address.local for item in lease.envelope.recipients]
            await opened.settle(lease, outcomes(lease))
            if not lease.more:
                break
            lease = await opened.window(lease)
        assert seen == [f"u{n}" for n in range(25)]
        await opened.finish(lease, next_attempt=NOW)
        assert await opened.operator.listing() == []


@asynchronous
async def test_the_last_window_does_not_end_those_deferred_before(tmp_path: Path) -> None:
    many = envelope(*(f"u{n}@x.example" for n in range(15)))
    async with spool(tmp_path, limits=SpoolLimits(recipients=10)) as opened:
        first = await leased(opened, await opened.enter(many, small(), now=NOW))
        await opened.settle(first, outcomes(first, Status.DEFERRED, "4.0.0"))
        last = await opened.window(first)
        await opened.finish(last, outcomes(last), next_attempt=NOW + 300)
        (left,) = await opened.operator.listing()
        assert [item.address for item in left.recipients] == [f"u{n}@x.example" for n in range(10)]


@asynchronous
async def test_an_outcome_for_a_stranger_is_our_mistake(tmp_path: Path) -> None:
    async with spool(tmp_path) as opened:
        lease = await leased(opened, await opened.enter(envelope(), small()))
        strange = Outcome(
            recipient=recipient("x@y"), status=Status.DEFERRED, dsn="4.0.0", reason="r"
        )
        with pytest.raises(OurError):
            await opened.finish(lease, [strange], next_attempt=NOW)
