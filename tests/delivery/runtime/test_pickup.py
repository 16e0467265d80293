"""Mail of programs on this machine comes into the queue."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.journal import Journal
from delivery.runtime.callers import name_of
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.counters import Counters
from delivery.runtime.outcomes import Outcomes
from delivery.runtime.pickup import Pickup
from delivery.runtime.reports import Reporter
from delivery.runtime.rules import Rules
from delivery.spool import Spool, SpoolLimits
from delivery.submission.drop import Drop, Dropped, Slip, Writer, make_drop, read_terms
from delivery.values import Recipient
from tables.addresses import NULL, Address
from tests.delivery.runtime.asynchronous import asynchronous, until
from tests.delivery.runtime.rig import rules

SLIP = Slip(
    sender=Address("joe", ""),
    recipients=tuple(
        Recipient(address=each, original=each)
        for each in (Address("ann", ""), Address("x", "far.example"))
    ),
)
VALUES = {"myhostname": "mx.here.example", "myorigin": "here.example", "message_size_limit": "9999"}


class Rig:
    """A pickup over a real spool."""

    def __init__(self, path: Path, spool: Spool, journal: Journal) -> None:
        self.directory = path / "drop"
        self.spool = spool
        self.rules: Rules | None = rules(path, values=VALUES)
        self.looked = 0  # how often the rules were asked for
        counters = Counters()
        cleanup = Cleanup(spool, journal, counters)
        reporter = Reporter(cleanup, journal, Outcomes(journal, counters))
        self.pickup = Pickup(self.directory, cleanup, self._now, reporter.give_back)

    def _now(self) -> Rules | None:
        self.looked += 1
        return self.rules

    def leave(self, data: bytes = b"Subject: x\n\ny\n", slip: Slip = SLIP) -> None:
        writer = Writer(self.directory)
        writer.write(data)
        writer.finish(slip)

    async def queued(self) -> list[tuple[str, list[str], bytes]]:
        """Sender, recipients and text of all that is queued."""
        found = []
        for queue_id in self.spool.fresh():
            lease = await self.spool.lease(queue_id, next_attempt=0.0)
            assert lease is not None
            content = await self.spool.content(lease)
            assert content is not None
            names = [each.address.internal for each in lease.envelope.recipients]
            text = content.headers + content.data
            found.append((lease.envelope.sender.internal, names, text))
        return found


@asynccontextmanager
async def rig(path: Path, limits: SpoolLimits | None = None) -> AsyncIterator[Rig]:
    spool = Spool.open(path / "spool", limits=limits)
    await spool.start()
    journal = Journal(path / "journal")
    made = Rig(path, spool, journal)
    try:
        yield made
    finally:
        await made.pickup.stop()
        await spool.close()
        journal.close()


@asynchronous
async def test_a_message_is_taken_when_it_is_left(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        made.pickup.start()
        made.leave(b"Subject: x\n\nbare\rreturn\r\nend")
        await until(lambda: bool(made.spool.fresh(1)) and not made.pickup.waiting())
        [(sender, recipients, text)] = await made.queued()
        assert sender == "joe@here.example"
        assert recipients == ["ann@here.example", "x@far.example"]
        assert b"Received: by mx.here.example (Waypost, from userid " in text
        assert text.endswith(b"bare return\r\nend\r\n")


@asynchronous
async def test_what_waits_at_the_start_is_taken(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        made.pickup.start()
        await made.pickup.stop()
        made.leave()
        assert made.pickup.waiting() == 1
        made.pickup.start()
        await until(lambda: not made.pickup.waiting())
        assert len(await made.queued()) == 1


@asynchronous
async def test_without_rules_it_waits(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        made.rules = None
        made.pickup.start()
        made.leave()
        await until(lambda: made.looked > 0)
        assert made.pickup.waiting() == 1


@asynchronous
async def test_a_full_disk_lets_it_wait(tmp_path: Path) -> None:
    async with rig(tmp_path, SpoolLimits(free_bytes=1 << 60)) as made:
        made.pickup.start()
        made.leave()
        await until(lambda: made.looked > 0)
        made.leave()
        await until(lambda: made.looked > 1)  # so the first one was tried
        assert made.pickup.waiting() == 2
        made.spool.limits = SpoolLimits()
        made.leave()
        await until(lambda: not made.pickup.waiting())
        assert len(await made.queued()) == 3


@pytest.mark.parametrize("renames", [True, False])
@asynchronous
async def test_what_cannot_be_removed_is_taken_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: bool
) -> None:
    def refuse(self: Drop, name: str) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(Drop, "remove", refuse)
    if not renames:
        monkeypatch.setattr(Drop, "set_aside", refuse)
    async with rig(tmp_path) as made:
        made.pickup.start()
        made.leave()
        await until(lambda: bool(made.spool.fresh(1)) and made.pickup.waiting() == int(not renames))
        looked = made.looked
        made.leave()
        await until(lambda: made.looked > looked)
        await until(lambda: made.pickup.waiting() == 2 * int(not renames))
        await until(lambda: len(made.spool.fresh()) == 2)
        made.leave()
        await until(lambda: len(made.spool.fresh()) == 3)
        assert len(await made.queued()) == 3


@asynchronous
async def test_messages_to_very_many_are_taken_one_after_the_other(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        at_once: list[int] = []
        entered = made.pickup._enter

        async def enter(rules: Rules, dropped: Dropped) -> None:
            at_once.append(1)
            assert len(at_once) == 1
            assert "slip" not in vars(dropped)
            try:
                await entered(rules, dropped)
            finally:
                at_once.pop()

        made.pickup._enter = enter  # type: ignore[method-assign]
        make_drop(made.directory)
        for _ in range(3):
            made.leave(slip=replace(SLIP, recipients=SLIP.recipients * 3000))
        (made.directory / f"{'0' * 32}.mail").write_bytes(b"x" * 99_000 + b"%15d\n" % 98_000)
        made.pickup.start()
        await until(lambda: not made.pickup.waiting())
        assert len(made.spool.fresh()) == 3
        assert (made.directory / f"{'0' * 32}.bad").exists()


@asynchronous
async def test_what_can_never_be_taken_is_set_aside(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        made.pickup.start()
        (made.directory / f"{'0' * 32}.mail").write_text("x")
        made.leave()
        await until(lambda: not made.pickup.waiting())
        assert len(await made.queued()) == 1
        assert len(list(made.directory.glob("*.bad"))) == 1


@asynchronous
async def test_what_sendmail_would_not_have_left_is_not_read(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        made.pickup.start()
        made.leave(b"Bcc: " + b"x" * 9990 + b"\nSubject: x\n\ny\n")
        made.leave(b"Subject: y\n\n")
        await until(lambda: not made.pickup.waiting())
        assert len(await made.queued()) == 1
        assert len(list(made.directory.glob("*.bad"))) == 1


@asynchronous
async def test_what_is_refused_goes_back(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        made.pickup.start()
        made.leave(b"Received: x\n" * 60 + b"\n")
        await until(lambda: not made.pickup.waiting())
        [(sender, recipients, text)] = await made.queued()
        assert (sender, recipients) == ("", ["joe@here.example"])
        assert text.count(b"Status: 5.4.0") == 2


@asynchronous
async def test_what_is_refused_goes_back_with_soft_bounce_too(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        made.rules = rules(tmp_path / "soft", values={**VALUES, "soft_bounce": "yes"})
        made.pickup.start()
        made.leave(b"Received: x\n" * 60 + b"\n")
        await until(lambda: not made.pickup.waiting())
        assert len(await made.queued()) == 1


@asynchronous
async def test_a_refused_notice_goes_nowhere(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        made.pickup.start()
        made.leave(b"Received: x\n" * 60 + b"\n", replace(SLIP, sender=NULL))
        await until(lambda: not made.pickup.waiting())
        assert await made.queued() == []


@asynchronous
async def test_users_hear_of_the_rules(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        made.pickup.start()
        assert made.rules is not None
        made.pickup.publish(made.rules)
        assert read_terms(made.directory).message_size_limit == 9999


@pytest.mark.parametrize(
    ("users", "is_taken"), [("static:anyone", True), ("{me}", True), ("other", False), ("", False)]
)
@asynchronous
async def test_who_may_submit(users: str, is_taken: bool, tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        me = await name_of(os.getuid())
        values = {**VALUES, "authorized_submit_users": users.format(me=me)}
        made.rules = rules(tmp_path / "other", values=values)
        made.pickup.start()
        made.leave()
        await until(lambda: not made.pickup.waiting())
        assert len(await made.queued()) == is_taken
        assert len(list(made.directory.glob("*.bad"))) == (not is_taken)
