"""The queue manager."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from delivery.runtime import attempts as module
from delivery.spool import SpoolLimits
from delivery.values import Outcome, Recipient, Status
from tables.addresses import Address
from tables.errors import TableUnavailable
from tests.delivery.runtime.asynchronous import asynchronous, until
from tests.delivery.runtime.rig import outcome, queue
from tests.delivery.spool.messages import envelope, recipient

HOUR = 3600.0


@asynchronous
async def test_it_works(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        await made.enter(envelope("joe@far.example"))
        await made.run()
        assert made.agent.tried == ["joe"]
        assert made.agent.contents == [b"Received: here\r\nSubject: x\r\n\r\ny\r\n"]
        assert await made.states() == {}
        assert made.counters.values == {"delivered": 1}
    [line] = (tmp_path / "journal").glob("*.jsonl")
    told = json.loads(line.read_text())
    assert told["event"] == "delivered"
    assert (told["transport"], told["nexthop"]) == ("smtp", "far.example")


@asynchronous
async def test_without_rules_it_waits(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        given, made.rules = made.rules, None
        await made.enter(envelope("joe@far.example"))
        made.attempts.wake()
        await asyncio.sleep(0.02)
        assert made.agent.tried == []
        made.rules = given
        await made.run()
        assert made.agent.tried == ["joe"]


@asynchronous
async def test_deferred_mail_waits_longer_each_time(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.script["joe"] = Status.DEFERRED
        await made.enter(envelope("joe@far.example", "ann@far.example"))
        await made.run()
        assert sorted(made.agent.tried) == ["ann", "joe"]
        assert await made.states() == {"deferred": 1}
        made.clock.now += 299
        await made.look()
        assert len(made.agent.tried) == 2
        made.clock.now += 2
        await made.look()
        assert made.agent.tried[2:] == ["joe"]
        assert (await made.spool.next_due() or 0) == pytest.approx(made.clock.now + 301)


@asynchronous
async def test_it_looks_at_the_disk_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the clock stands still, or was set back."""
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    async with queue(tmp_path) as made:
        made.agent.script["joe"] = Status.DEFERRED
        queue_id = await made.enter(envelope("joe@far.example"))
        await made.run()
        made.clock.now -= HOUR
        await made.spool.flush(made.clock.now, ids=[queue_id])
        made.agent.script.clear()
        await until(lambda: len(made.agent.tried) == 2)
        await made.quiet()
        assert await made.states() == {}


@asynchronous
async def test_large_lists_come_in_windows(tmp_path: Path) -> None:
    limits = SpoolLimits(recipients=10)
    async with queue(tmp_path, limits=limits) as made:
        names = [f"u{number}" for number in range(35)]
        made.agent.script |= {"u3": Status.DEFERRED, "u17": Status.BOUNCED, "u31": Status.BOUNCED}
        await made.enter(envelope(*(f"{name}@far.example" for name in names)))
        await made.look()
        await made.quiet()
        assert sorted(made.agent.tried) == sorted([*names, "ann"])
        report = made.agent.contents[-1].decode()
        assert "<u17@far.example>" in report
        assert "<u31@far.example>" in report
        assert await made.states() == {"deferred": 1}
        [listing] = await made.spool.operator.listing()
        assert [item.address for item in listing.recipients] == ["u3@far.example"]
        made.agent.script.clear()
        made.clock.now += HOUR
        await made.look()
        assert made.agent.tried[-1] == "u3"
        assert await made.states() == {}


@asynchronous
async def test_a_window_without_routes_is_not_the_end(tmp_path: Path) -> None:
    class Broken:
        """A table that is away for the first recipients."""

        def __init__(self, router: object) -> None:
            self._router = router

        def resolve(self, address: object, sender: object) -> object:
            if int(address.local[1:]) < 10:  # type: ignore[attr-defined]
                raise TableUnavailable("transport table is away")
            return self._router.resolve(address, sender)  # type: ignore[attr-defined]

    async with queue(tmp_path, limits=SpoolLimits(recipients=10)) as made:
        assert made.rules is not None
        made.rules.router = Broken(made.rules.router)  # type: ignore[assignment]
        await made.enter(envelope(*(f"u{number}@far.example" for number in range(15))))
        await made.look()
        await made.quiet()
        assert sorted(made.agent.tried) == sorted(f"u{number}" for number in range(10, 15))
        [listing] = await made.spool.operator.listing()
        assert listing.recipient_count == 10
        assert "lookup failure" in listing.recipients[0].reason


@asynchronous
async def test_a_bug_in_routing_defers_one_recipient(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        assert made.rules is not None
        resolve = made.rules.router.resolve

        def broken(address: object, sender: object) -> object:
            if address.local == "bad":  # type: ignore[attr-defined]
                raise ZeroDivisionError
            return resolve(address, sender)  # type: ignore[arg-type]

        made.rules.router.resolve = broken  # type: ignore[method-assign, assignment]
        await made.enter(envelope("bad@far.example", "good@far.example"))
        await made.run()
        assert made.agent.tried == ["good"]
        assert await made.states() == {"deferred": 1}


@pytest.mark.parametrize(
    "answer", [RuntimeError("broken"), OSError(errno.EIO, "disk"), TableUnavailable("away")]
)
@asynchronous
async def test_an_agent_that_breaks_defers(tmp_path: Path, answer: Exception) -> None:
    async with queue(tmp_path) as made:
        made.agent.script["joe"] = answer
        await made.enter(envelope("joe@far.example"))
        await made.run()
        assert await made.states() == {"deferred": 1}
        assert len(made.attempts) == 0


@asynchronous
async def test_an_agent_that_says_too_little_defers(tmp_path: Path) -> None:
    stranger = recipient("stranger@far.example")

    def talks_of_others(_: Recipient) -> Outcome:
        return outcome(stranger, Status.SENT)

    async with queue(tmp_path) as made:
        made.agent.script["joe"] = talks_of_others
        await made.enter(envelope("joe@far.example", "ann@far.example"))
        await made.run()
        [listing] = await made.spool.operator.listing()
        assert [item.address for item in listing.recipients] == ["joe@far.example"]
        assert listing.recipients[0].reason == "the delivery agent said nothing"


@asynchronous
async def test_a_transport_that_nobody_runs_defers(tmp_path: Path) -> None:
    values = {"transport_maps": "inline:{far.example=missing:}"}
    async with queue(tmp_path, values=values) as made:
        await made.enter(envelope("joe@far.example"))
        await made.run()
        [listing] = await made.spool.operator.listing()
        reason = "mail transport unavailable: no service named missing"
        assert listing.recipients[0].reason == reason


@asynchronous
async def test_outcomes_are_settled_while_others_are_tried(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.gate = asyncio.Event()
        await made.enter(envelope("joe@far.example", "ann@other.example"))
        made.attempts.wake()
        await until(lambda: len(made.agent.deliveries) == 2)
        gate, made.agent.gate = made.agent.gate, None
        made.agent.deliveries.clear()
        gate.set()
        await made.quiet()
        assert await made.states() == {}


@asynchronous
async def test_the_next_does_not_wait_until_the_end_of_the_last_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", HOUR)
    values = {"default_destination_concurrency_limit": "1"}
    async with queue(tmp_path, values=values) as made:
        disk, finish = asyncio.Event(), made.spool.finish

        async def slowly(*given: Any, **named: Any) -> None:
            await disk.wait()
            await finish(*given, **named)

        monkeypatch.setattr(made.spool, "finish", slowly)
        made.agent.gate = asyncio.Event()
        await made.enter(envelope("joe@far.example"))
        await made.enter(envelope("ann@far.example"))
        made.attempts.wake()
        await until(lambda: len(made.agent.tried) == 1)
        made.agent.gate.set()
        await until(lambda: sorted(made.agent.tried) == ["ann", "joe"])
        disk.set()
        await made.quiet()
        assert await made.states() == {}


@asynchronous
async def test_a_message_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    limits = SpoolLimits(inline_bytes=10, fresh_bytes=0)
    async with queue(tmp_path, limits=limits) as made:
        made.agent.script["joe"] = Status.DEFERRED
        queue_id = await made.enter(envelope("joe@far.example", "tim@other.example"))
        await made.run()
        (tmp_path / "spool/0/content" / queue_id).write_bytes(b"")
        made.clock.now += HOUR
        await made.look()
        assert await made.states() == {"corrupt": 1}
        assert len(made.attempts) == 0
        assert any("set aside" in line for line in made.trouble)


@asynchronous
async def test_what_is_entered_while_the_queue_is_full_is_tried(tmp_path: Path) -> None:
    """The spool writes it as deferred then: nobody has it in memory."""
    values = {"qmgr_message_active_limit": "10"}
    async with queue(tmp_path, limits=SpoolLimits(active=10), values=values) as made:
        made.agent.gate = asyncio.Event()
        for number in range(25):
            await made.enter(envelope(f"u{number}@far.example"))
            made.attempts.wake()
        await until(lambda: len(made.attempts) == 10)
        assert len(made.agent.deliveries) <= 10
        assert (await made.states())["deferred"] == 15
        made.agent.gate.set()
        await until(lambda: len(set(made.agent.tried)) == 25)
        await made.quiet()
        assert await made.states() == {}


@asynchronous
async def test_stopping_leaves_mail_for_the_next_start(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.gate = asyncio.Event()  # never opened
        await made.enter(envelope("joe@far.example"))
        made.attempts.wake()
        await until(lambda: made.agent.deliveries)
        await made.attempts.stop(0.01)
        await made.enter(envelope("tim@far.example"))
        made.attempts.wake()
        await asyncio.sleep(0.02)
        assert made.agent.tried == ["joe"]
    async with queue(tmp_path) as made:
        await made.look()
        assert sorted(made.agent.tried) == ["joe", "tim"]
        assert await made.states() == {}


@asynchronous
async def test_others_have_their_turn_while_much_is_put_off(tmp_path: Path) -> None:
    async with queue(tmp_path, values={"defer_transports": "smtp"}) as made:
        for turn in range(20):
            await made.enter(envelope(*(f"u{turn}.{n}@far.example" for n in range(100))))
        counts: list[int] = []

        def tick() -> None:
            counts.append(made.counters.values.get("deferred", 0))
            if counts[-1] < 2000:
                asyncio.get_running_loop().call_soon(tick)

        tick()
        await made.run()
        steps = [after - before for before, after in itertools.pairwise(counts)]
        assert sum(steps) == 2000
        assert max(steps) <= 2 * module.IN_A_ROW


@asynchronous
async def test_a_dead_destination_is_left_alone_until_a_flush(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.script |= {f"u{number}": Status.DEFERRED for number in range(30)}
        made.agent.unreachable = "connection refused"
        for number in range(30):
            await made.enter(envelope(f"u{number}@dead.example"))
        made.agent.gate = asyncio.Event()
        made.attempts.wake()
        await until(lambda: len(made.agent.tried) == 5)  # initial_destination_concurrency
        made.agent.gate.set()
        await made.quiet()
        assert len(made.agent.tried) < 20
        assert await made.states() == {"deferred": 30}
        before = len(made.agent.tried)
        made.agent.unreachable = ""
        made.agent.script.clear()
        await made.spool.flush(made.clock.now)
        made.attempts.flush()
        await until(lambda: made.counters.values.get("delivered") == 30)
        assert len(made.agent.tried) == before + 30


@asynchronous
async def test_deferred_transports_are_not_tried(tmp_path: Path) -> None:
    async with queue(tmp_path, values={"defer_transports": "smtp"}) as made:
        await made.enter(envelope("joe@far.example"))
        await made.run()
        assert made.agent.tried == []
        [listing] = await made.spool.operator.listing()
        assert listing.recipients[0].reason == "deferred transport"
        await made.enter(envelope("ann@far.example"))
        await made.spool.flush(made.clock.now)
        await made.attempts.flush()
        await made.quiet()
        assert made.agent.tried == ["joe"]  # ann came in later
        assert await made.states() == {"deferred": 1}
        await made.look()
        assert made.agent.tried == ["joe"]


@asynchronous
async def test_a_recipient_is_tried_for_the_address_it_resolves_to(tmp_path: Path) -> None:
    """Routing through us (user%site@us) is followed; the spool knows the recipient as entered."""
    async with queue(tmp_path, values={"mydestination": "here.example"}) as made:
        plain = recipient("joe@far.example")
        double = replace(plain, address=Address("far.example!joe", "here.example"))
        other = recipient("ann%far.example@here.example")
        made.agent.script["ann"] = Status.DEFERRED
        given = replace(envelope(), recipients=(double, plain, other))
        queue_id = await made.enter(given)
        await made.run()
        tried = [each.address.text for item in made.agent.deliveries for each in item.recipients]
        assert sorted(tried) == ["ann@far.example", "joe@far.example"]  # joe once, for both
        lease = await made.spool.lease(queue_id, next_attempt=made.clock.now)
        assert lease is not None
        assert lease.envelope.recipients == (other,)
