"""Address verification: what is answered, when a probe is sent, what is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from delivery.policy.facts import Probe, ProbeStatus, ProbeUnavailable
from delivery.runtime.verifier import PROBE_S, Verifier, VerifySettings, probe_sender
from delivery.runtime.verifycache import Verified, VerifyCache
from delivery.values import Recipient, Status
from tables.addresses import Address
from tests.delivery.runtime.asynchronous import asynchronous, until
from tests.delivery.runtime.rig import Queue, outcome, queue
from tests.delivery.spool.messages import NOW

JOE = Address("joe", "far.example")
DAY = 86400.0


class Desk:
    """A verifier beside a queue whose agent does as a script says."""

    def __init__(self, made: Queue, path: Path) -> None:
        self.queue = made
        self.cache = VerifyCache(path / "verify.db")
        self.verifier = Verifier(made.cleanup, self.cache, lambda: made.rules, clock=made.clock)
        made.outcomes.probed = self.verifier.told

    @property
    def probes(self) -> int:
        """How many were delivered."""
        return len(self.queue.agent.deliveries)

    async def ask(self, address: Address = JOE) -> Probe:
        return await self.verifier.verify(address)


@asynccontextmanager
async def desk(path: Path, **values: str) -> AsyncIterator[Desk]:
    async with queue(path, values={"address_verify_poll_delay": "5s", **values}) as made:
        yield Desk(made, path)
        await made.run()
        assert made.spool.fresh() == []  # probes never stay


@asynchronous
async def test_a_probe_is_waited_for(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        assert (await made.ask()).status is ProbeStatus.DELIVERABLE
        [delivery] = made.queue.agent.deliveries
        assert delivery.envelope.is_probe
        assert delivery.envelope.sender.local == "double-bounce"


@asynchronous
async def test_what_is_known_is_not_probed(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        made.queue.agent.script["joe"] = Status.BOUNCED
        for _ in range(3):
            found = await made.ask()
            assert found == Probe(ProbeStatus.UNDELIVERABLE, "bounced by script")
        assert made.probes == 1


@asynchronous
async def test_what_could_not_be_found_out_is_deferred_and_not_tried_again(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        made.queue.agent.script["joe"] = Status.DEFERRED
        assert (await made.ask()).status is ProbeStatus.DEFERRED
        await made.queue.run()
        assert made.probes == 1


@asynchronous
async def test_without_polling_the_first_answer_is_that_nothing_is_known(tmp_path: Path) -> None:
    async with desk(tmp_path, address_verify_poll_count="1") as made:
        assert (await made.ask()).status is ProbeStatus.PENDING
        await until(lambda: made.cache.get("joe@far.example") != Verified(ProbeStatus.PENDING, NOW))
        assert (await made.ask()).status is ProbeStatus.DELIVERABLE
        assert made.probes == 1


@asynchronous
async def test_many_who_ask_at_once_cause_one_probe(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        found = await asyncio.gather(*(made.ask() for _ in range(20)))
        assert {each.status for each in found} == {ProbeStatus.DELIVERABLE}
        assert made.probes == 1


@asynchronous
async def test_a_good_address_is_refreshed_while_it_is_answered(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        await made.ask()
        made.queue.clock.now = NOW + 8 * DAY
        made.queue.agent.script["joe"] = Status.BOUNCED
        assert (await made.ask()).status is ProbeStatus.DELIVERABLE
        await until(lambda: made.probes == 2)
        await made.queue.run()
        assert (await made.ask()).status is ProbeStatus.DELIVERABLE  # one failure is not believed
        made.queue.clock.now = NOW + 32 * DAY
        assert (await made.ask()).status is ProbeStatus.UNDELIVERABLE  # it has expired


@asynchronous
async def test_a_bad_address_is_forgotten_in_the_end(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        made.queue.agent.script["joe"] = Status.BOUNCED
        await made.ask()
        made.queue.agent.script.clear()
        made.queue.clock.now = NOW + 4 * DAY
        assert (await made.ask()).status is ProbeStatus.DELIVERABLE


@asynchronous
async def test_failures_may_not_be_remembered(tmp_path: Path) -> None:
    """postconf(5) address_verify_negative_cache: each question is a probe."""
    async with desk(tmp_path, address_verify_negative_cache="no") as made:
        made.queue.agent.script["joe"] = Status.BOUNCED
        assert (await made.ask()).status is ProbeStatus.PENDING
        await made.queue.run()
        assert made.probes == 3  # one for each time that was asked
        assert len(made.cache) == 0


@asynchronous
async def test_so_many_probes_are_under_way(tmp_path: Path) -> None:
    async with desk(
        tmp_path, address_verify_pending_request_limit="1", address_verify_poll_count="1"
    ) as made:
        made.queue.agent.gate = asyncio.Event()
        for name in ("joe", "ann", "bob"):
            found = await made.ask(Address(name, "far.example"))
            assert found.status is ProbeStatus.PENDING
        made.queue.agent.gate.set()
        await made.queue.run()
        assert made.probes == 1
        assert made.cache.get("ann@far.example") is None


@asynchronous
async def test_a_probe_of_many_recipients_counts_once(tmp_path: Path) -> None:
    async with desk(
        tmp_path, address_verify_pending_request_limit="2", address_verify_poll_count="1"
    ) as made:
        made.queue.agent.gate = asyncio.Event()
        team = Address("team", "far.example")
        for address in (team, JOE):
            await made.ask(address)
        for name in ("a", "b"):  # whom the team's address stands for
            recipient = Recipient(address=Address(name, "far.example"), original=team)
            made.verifier.told(team, outcome(recipient, Status.SENT))
        for name in ("ann", "bob"):
            await made.ask(Address(name, "far.example"))
        made.queue.agent.gate.set()
        await made.queue.run()
        assert made.cache.get("ann@far.example") is not None
        assert made.cache.get("bob@far.example") is None  # joe and ann were under way


@asynchronous
async def test_a_probe_that_was_removed_does_not_count_for_ever(tmp_path: Path) -> None:
    async with desk(
        tmp_path, address_verify_pending_request_limit="1", address_verify_poll_count="1"
    ) as made:
        made.queue.agent.gate = asyncio.Event()
        await made.ask()
        made.queue.clock.now = NOW + PROBE_S + 1
        await made.ask(Address("ann", "far.example"))
        made.queue.agent.gate.set()
        await made.queue.run()
        assert made.cache.get("ann@far.example") is not None


@asynchronous
async def test_a_full_disk_is_no_verdict(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        made.queue.spool.limits = made.queue.spool.limits.__class__(free_bytes=1 << 62)
        with pytest.raises(ProbeUnavailable):
            await made.ask()
        assert len(made.cache) == 0


@asynchronous
async def test_probes_have_transports_of_their_own(tmp_path: Path) -> None:
    values = {"address_verify_transport_maps": "inline:{far.example=special:[hop.example]}"}
    async with desk(tmp_path, **values) as made:
        await made.ask()
        [delivery] = made.queue.agent.deliveries
        assert (delivery.route.transport, delivery.route.nexthop) == ("special", "[hop.example]")


@asynchronous
async def test_the_cache_outlives_the_engine(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        await made.verifier.start()
        await made.ask()
        await made.verifier.stop()
        later = Desk(made.queue, tmp_path)
        await later.verifier.start()
        assert (await later.ask()).status is ProbeStatus.DELIVERABLE
        await later.verifier.stop()
        assert made.probes == 1


@asynchronous
async def test_without_a_file_nothing_waits_to_be_saved(tmp_path: Path) -> None:
    async with desk(tmp_path, address_verify_map="") as made:
        await made.verifier.start()
        await made.ask()
        await made.verifier.stop()
        assert not made.cache.is_changed  # a set of names, that would grow for ever
        assert (await made.ask()).status is ProbeStatus.DELIVERABLE


@asynchronous
async def test_a_broken_cache_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "verify.db").write_bytes(b"no database at all" * 100)
    cache = VerifyCache(tmp_path / "verify.db")
    await cache.load()
    cache.put("joe@far.example", Verified(ProbeStatus.DELIVERABLE, NOW, NOW))
    await cache.save()
    assert cache.get("joe@far.example") is not None


def test_names_that_do_not_exist_drive_out_none_that_does(tmp_path: Path) -> None:
    cache = VerifyCache(tmp_path / "verify.db", entries=10)
    cache.put("joe@far.example", Verified(ProbeStatus.DELIVERABLE, NOW, NOW))
    for number in range(1000):
        cache.put(f"{number}@far.example", Verified(ProbeStatus.UNDELIVERABLE, NOW, NOW))
    assert len(cache) == 11
    assert cache.get("joe@far.example") is not None
    assert cache.get("999@far.example") is not None


@pytest.mark.parametrize(
    ("sender", "ttl", "shown"),
    [
        ("double-bounce", 0.0, "double-bounce"),
        ("probe@example.com", 0.0, "probe@example.com"),
        ("<>", 0.0, ""),
        ("", 0.0, ""),
        ("probe@example.com", 60.0, "probe10@example.com"),
    ],
)
def test_who_sends_probes(sender: str, ttl: float, shown: str) -> None:
    settings = VerifySettings(
        address_verify_map="x",
        address_verify_sender=sender,
        address_verify_sender_ttl=ttl,
        address_verify_poll_count=3,
        address_verify_poll_delay=3.0,
        address_verify_negative_cache=True,
        address_verify_negative_expire_time=1.0,
        address_verify_negative_refresh_time=1.0,
        address_verify_positive_expire_time=1.0,
        address_verify_positive_refresh_time=1.0,
        address_verify_cache_cleanup_interval=1.0,
        address_verify_pending_request_limit=1,
        myhostname="mx.example",
        mail_name="Waypost",
    )
    assert probe_sender(settings, 60.0 * 31).text == shown
