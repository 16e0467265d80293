"""The queue manager."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from delivery.agents.base import Part
from delivery.runtime import attempts as module
from delivery.spool import QueueState, SpoolLimits
from delivery.spool.content import ContentFiles
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
async def test_what_is_too_old_is_returned(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.script["joe"] = Status.DEFERRED
        await made.enter(envelope("joe@far.example"))
        await made.run()
        made.clock.now += 432_000
        await made.look()
        await made.quiet()
        assert made.counters.values["expired"] == 1
        report = made.agent.contents[-1].decode()
        assert made.agent.tried[-1] == "ann"  # the sender
        assert "Subject: Undelivered Mail Returned to Sender" in report
        assert await made.states() == {}


@asynchronous
async def test_a_delay_is_told_once(tmp_path: Path) -> None:
    async with queue(tmp_path, values={"delay_warning_time": "1h"}) as made:
        made.agent.script["joe"] = Status.DEFERRED
        await made.enter(envelope("joe@far.example"))
        await made.run()
        for _ in range(3):
            made.clock.now += HOUR
            await made.look()
        assert made.agent.tried.count("ann") == 1
        assert made.agent.tried.count("joe") == 3
        told = [text for text in made.agent.contents if b"Subject: Delayed Mail" in text]
        assert len(told) == 1


@pytest.mark.parametrize("wanted", ["yes", "no"])
@asynchronous
async def test_the_end_of_a_delay_is_told_on_request(wanted: str, tmp_path: Path) -> None:
    values = {"delay_warning_time": "1h", "confirm_delay_cleared": wanted}
    async with queue(tmp_path, values=values) as made:
        made.agent.script |= {"joe": Status.DEFERRED, "eve": Status.DEFERRED}
        await made.enter(envelope("joe@far.example", "bob@far.example"))
        await made.run()
        made.clock.now += HOUR
        await made.enter(envelope("eve@far.example"))
        await made.look()
        made.agent.script.clear()
        made.clock.now += HOUR + 1
        await made.look()
        await made.quiet()
        told = [text for text in made.agent.contents if b"Subject: Delayed Mail (del" in text]
        assert len(told) == (wanted == "yes"), "eve's mail was late, but nobody had been told"
        assert all(b"<joe@far.example>" in text for text in told)
        assert not any(b"<bob@far.example>" in text for text in told)
        assert await made.states() == {}


@asynchronous
async def test_a_report_about_a_report_is_never_made(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.script |= {"joe": Status.BOUNCED, "ann": Status.BOUNCED}
        await made.enter(envelope("joe@far.example"))
        await made.run()
        await made.quiet()
        assert made.agent.tried == ["joe", "ann"]
        assert made.agent.deliveries[1].envelope.sender.text == ""
        assert await made.states() == {}


@asynchronous
async def test_the_postmaster_reads_what_comes_back(tmp_path: Path) -> None:
    async with queue(tmp_path, values={"notify_classes": "bounce, 2bounce"}) as made:
        made.agent.script |= {"joe": Status.BOUNCED, "ann": Status.BOUNCED}
        await made.enter(envelope("joe@far.example"))
        await made.run()
        await made.quiet()
        assert sorted(made.agent.tried) == ["ann", "joe", "postmaster", "postmaster"]
        copies = [text for text in made.agent.contents if b"Postmaster Copy" in text]
        assert [b"Content-Type: message/rfc822" in text for text in copies] == [False, True]
        sender = made.agent.deliveries[-1].envelope.sender
        assert sender.text == "double-bounce@mx.test.example"


@asynchronous
async def test_with_soft_bounce_nothing_is_returned(tmp_path: Path) -> None:
    async with queue(tmp_path, values={"soft_bounce": "yes"}) as made:
        made.agent.script |= {"joe": Status.BOUNCED}
        lost = Part(outcome=outcome(recipient("list@far.example"), Status.BOUNCED))
        made.agent.parts["list"] = (lost,)
        await made.enter(envelope("joe@far.example", "list@far.example"))
        await made.run()
        await made.quiet()
        assert sorted(made.agent.tried) == ["joe", "list"]
        [waiting] = await made.spool.operator.listing()
        assert [(item.status, item.dsn[0]) for item in waiting.recipients] == [
            ("deferred", "4")
        ] * 2


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
async def test_an_alias_is_handed_on_with_its_end(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.forwards["team"] = ("one@far.example", "two@far.example")
        await made.enter(envelope("team@far.example"))
        await made.run()
        await made.quiet()
        assert sorted(made.agent.tried) == ["one", "team", "two"]
        assert made.agent.contents[1].startswith(b"Received: by mx.test.example (Waypost)\r\n")
        assert b"Delivered-To: origin\r\nReceived: here\r\n" in made.agent.contents[1]
        assert await made.states() == {}


@asynchronous
async def test_an_alias_does_not_wait_for_others(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.forwards["team"] = ("one@far.example",)
        made.agent.gate = asyncio.Event()
        await made.enter(envelope("slow@slow.example"))
        made.attempts.wake()
        await until(lambda: made.agent.tried == ["slow"])
        stuck, made.agent.gate = made.agent.gate, None
        await made.enter(envelope("team@far.example", "other@slow.example"))
        made.attempts.wake()
        await until(lambda: "one" in made.agent.tried)
        stuck.set()
        await made.quiet()


class FullDisk(ContentFiles):
    """Content files cannot be written while `is_full`; only large content needs them."""

    is_full = False

    def create(self, name: str) -> BinaryIO:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().create(name)


@asynchronous
async def test_a_report_that_the_disk_refuses_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.02)
    layers: list[FullDisk] = []

    def layer(path: Path) -> ContentFiles:
        layers.append(FullDisk(path))
        return layers[-1]

    limits = SpoolLimits(inline_bytes=10)
    async with queue(tmp_path, limits=limits, files=layer) as made:
        made.agent.script["joe"] = Status.BOUNCED
        made.agent.gate = asyncio.Event()
        await made.enter(envelope("joe@far.example", "tim@far.example"))
        made.attempts.wake()
        await until(lambda: made.agent.deliveries)
        layers[0].is_full = True
        made.agent.gate.set()
        await until(lambda: made.counters.values.get("bounced") == 1)
        await asyncio.sleep(0.1)  # some tries go by
        assert made.agent.tried == ["joe", "tim"]
        [listing] = await made.spool.operator.listing()
        assert listing.state is QueueState.ACTIVE
        layers[0].is_full = False
        await until(lambda: made.agent.tried == ["joe", "tim", "ann"])
        await made.quiet()
        assert await made.states() == {}
        names = [path.name for path in (tmp_path / "spool/0/content").iterdir()]
        assert names == []


@asynchronous
async def test_what_was_found_out_survives_a_crash_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.02)
    layers: list[FullDisk] = []

    def layer(path: Path) -> ContentFiles:
        layers.append(FullDisk(path))
        return layers[-1]

    limits = SpoolLimits(inline_bytes=10)
    async with queue(tmp_path, limits=limits, files=layer) as made:
        made.agent.script["joe"] = Status.BOUNCED
        made.agent.gate = asyncio.Event()
        await made.enter(envelope("joe@far.example", "tim@far.example"))
        made.attempts.wake()
        await until(lambda: made.agent.deliveries)
        layers[0].is_full = True
        made.agent.gate.set()
        await until(lambda: made.counters.values.get("bounced") == 1)
        await asyncio.sleep(0.1)
    async with queue(tmp_path, limits=limits) as made:  # as after a restart
        await made.look()
        await until(lambda: "ann" in made.agent.tried)
        await made.quiet()
        assert made.agent.tried == ["ann"]  # nobody is tried twice, and the report goes out
        assert "<joe@far.example>" in made.agent.contents[-1].decode()
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
async def test_success_is_reported_when_asked(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        asked = replace(recipient("joe@far.example"), notify=frozenset({"SUCCESS"}))
        given = envelope("tim@far.example")
        await made.enter(replace(given, recipients=(*given.recipients, asked)))
        await made.run()
        await made.quiet()
        report = made.agent.contents[-1].decode()
        assert "Subject: Successful Mail Delivery Report" in report
        assert "<joe@far.example>" in report
        assert "<tim@far.example>" not in report


@asynchronous
async def test_what_an_alias_gets_wrong_is_reported_for_each_part(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.script["team"] = Status.BOUNCED
        made.agent.parts["team"] = (
            Part(outcome=outcome(recipient("good@far.example"), Status.SENT)),
            Part(outcome=outcome(recipient("gone@far.example"), Status.BOUNCED)),
            Part(
                outcome=outcome(recipient("listed@far.example"), Status.BOUNCED),
                owner=Address("owner", "far.example"),
            ),
            Part(outcome=outcome(recipient("news@far.example"), Status.SENT), is_news=True),
        )
        await made.enter(envelope("team@far.example"))
        await made.run()
        await made.quiet()
        by_recipient = dict(zip(made.agent.tried, made.agent.contents, strict=True))
        assert set(by_recipient) == {"team", "ann", "owner"}
        assert b"<gone@far.example>" in by_recipient["ann"]
        assert b"<listed@far.example>" not in by_recipient["ann"]
        assert b"<listed@far.example>" in by_recipient["owner"]
        assert b"<gone@far.example>" not in by_recipient["owner"]
        assert made.counters.values == {"delivered": 3, "bounced": 2}
        assert await made.states() == {}


@asynchronous
async def test_an_alias_that_the_disk_refuses_is_expanded_again(tmp_path: Path) -> None:
    """While others of its message are still being tried."""
    async with queue(tmp_path) as made:
        made.agent.forwards["team"] = ("one@far.example",)
        stuck = made.agent.gate = asyncio.Event()
        await made.enter(envelope("slow@slow.example"))
        made.attempts.wake()
        await until(lambda: made.agent.tried == ["slow"])
        await made.enter(envelope("team@far.example", "other@other.example"))
        room = made.spool.limits
        made.spool.limits = replace(room, free_bytes=1 << 62)
        made.attempts.wake()
        await until(lambda: "team" in made.agent.tried)
        stuck.set()
        await made.quiet()
        assert made.counters.values == {"delivered": 2, "deferred": 1}
        made.spool.limits = room
        made.clock.now += HOUR
        await made.look()
        await until(lambda: "one" in made.agent.tried)
        assert made.agent.tried.count("team") == 2
        assert made.agent.tried.count("other") == 1


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


@asynchronous
async def test_an_alias_that_comes_back_for_ever_is_returned(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.forwards["team"] = ("team@far.example",)
        await made.enter(envelope("team@far.example"), b"Received: x\r\n" * 40 + b"\r\n")
        await made.run()
        assert made.agent.tried == ["team"] * 9 + ["ann"]
        assert b"Status: 5.4.0" in made.agent.contents[-1]
        assert await made.states() == {}
    told = [json.loads(line) for line in journal_lines(tmp_path)]
    [bounced] = [each for each in told if each["event"] == "bounced"]
    assert bounced["recipient"] == "team@far.example"
    assert "transport" not in bounced


@asynchronous
async def test_the_first_attempt_is_shown_when_asked(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.script |= {"late": Status.DEFERRED, "bad": Status.BOUNCED}
        given = envelope("late@far.example", "bad@far.example", "good@far.example")
        await made.enter(replace(given, is_traced=True))
        await made.run()
        traces = [text for text in made.agent.contents if b"Subject: Mail Delivery Status" in text]
        assert len(traces) == 1
        for action in (b"delayed", b"failed", b"relayed"):
            assert traces[0].count(b"Action: " + action) == 1
        made.clock.now += HOUR
        await made.look()
        assert len(made.agent.contents) == 4  # the message, its bounce, the trace, the message


@asynchronous
async def test_what_would_come_of_mail_is_told(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.script |= {"late": Status.DEFERRED, "bad": Status.BOUNCED}
        given = envelope("late@far.example", "bad@far.example", "good@far.example")
        await made.enter(replace(given, is_traced=True, is_probe=True))
        await made.run()
        await made.quiet()
        assert made.agent.tried[-1] == "ann"  # the sender
        told = made.agent.contents[-1]
        assert told.count(b"Action: deliverable") == 1
        assert told.count(b"Action: undeliverable") == 2
        assert len(made.agent.contents) == 2  # the question and one report: no bounce
        assert await made.states() == {}


def journal_lines(path: Path) -> list[str]:
    [file] = (path / "journal").glob("*.jsonl")
    return file.read_text().splitlines()
