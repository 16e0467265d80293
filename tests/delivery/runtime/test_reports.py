"""Who is told what of a message: bounces, delays, successes, traces, also on a full disk."""

from __future__ import annotations

import asyncio
import email
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import BinaryIO

import pytest

from delivery.agents.base import Part
from delivery.runtime import attempts as module
from delivery.spool import QueueState, SpoolLimits
from delivery.spool.content import ContentFiles
from delivery.values import Status
from tables.addresses import Address
from tests.delivery.runtime.asynchronous import asynchronous, until
from tests.delivery.runtime.rig import Queue, outcome, queue
from tests.delivery.spool.messages import envelope, recipient

HOUR = 3600.0


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
        assert "\r\nFrom: Mail Delivery System <MAILER-DAEMON@mx.test.example>\r\n" in report
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


class FullDisk(ContentFiles):
    """Content files cannot be written while `is_full`; only large content needs them."""

    is_full = False

    def create(self, name: str) -> BinaryIO:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().create(name)


@asynccontextmanager
async def bounced_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Queue, FullDisk]]:
    """A message to joe has bounced, tim has his, and no report can be written."""
    monkeypatch.setattr(module, "RETRY_S", 0.02)
    layers: list[FullDisk] = []

    def layer(path: Path) -> ContentFiles:
        layers.append(FullDisk(path))
        return layers[-1]

    async with queue(tmp_path, limits=SpoolLimits(inline_bytes=10), files=layer) as made:
        made.agent.script["joe"] = Status.BOUNCED
        made.agent.gate = asyncio.Event()
        await made.enter(envelope("joe@far.example", "tim@far.example"))
        made.attempts.wake()
        await until(lambda: made.agent.deliveries)
        layers[0].is_full = True
        made.agent.gate.set()
        await until(lambda: made.counters.values.get("bounced") == 1)
        await asyncio.sleep(0.1)  # some tries go by
        yield made, layers[0]


@asynchronous
async def test_a_report_that_the_disk_refuses_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bounced_on_a_full_disk(tmp_path, monkeypatch) as (made, disk):
        assert made.agent.tried == ["joe", "tim"]
        [listing] = await made.spool.operator.listing()
        assert listing.state is QueueState.ACTIVE
        disk.is_full = False
        await until(lambda: made.agent.tried == ["joe", "tim", "ann"])
        await made.quiet()
        assert await made.states() == {}
        names = [path.name for path in (tmp_path / "spool/0/content").iterdir()]
        assert names == []


@asynchronous
async def test_what_was_found_out_survives_a_crash_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bounced_on_a_full_disk(tmp_path, monkeypatch):
        pass
    async with queue(tmp_path, limits=SpoolLimits(inline_bytes=10)) as made:  # after a restart
        await made.look()
        await until(lambda: "ann" in made.agent.tried)
        await made.quiet()
        assert made.agent.tried == ["ann"]  # nobody is tried twice, and the report goes out
        assert "<joe@far.example>" in made.agent.contents[-1].decode()
        assert await made.states() == {}


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


SITES_OWN = b"""\
failure_template = <<EOF
Charset: iso-8859-1
From: Post <post>
Subject: Returned
Postmaster-Subject: Returned to somebody

Failure at $myhostname: gepr\xfcft.
EOF
delay_template = Delay of $delay_warning_time_hours hour(s).
success_template = Success.
verify_template = Verified.
"""


def text_of(report: bytes) -> tuple[str, str, str]:
    """(From, Subject, first line of the text) of a report."""
    message = email.message_from_bytes(report)
    text = message.get_payload(0)
    assert isinstance(text, Message)
    octets = text.get_payload(decode=True)
    assert isinstance(octets, bytes)
    charset = text.get_content_charset()
    assert charset is not None
    return message["From"], message["Subject"], octets.decode(charset).partition("\r\n")[0]


@pytest.mark.parametrize("utf8", ["yes", "no"])
@asynchronous
async def test_reports_have_the_words_of_the_site(utf8: str, tmp_path: Path) -> None:
    path = tmp_path / "bounce.cf"
    path.write_bytes(SITES_OWN)
    values = {
        "bounce_template_file": str(path),
        "smtputf8_enable": utf8,
        "delay_warning_time": "1h",
        "confirm_delay_cleared": "yes",
        "notify_classes": "bounce",
    }
    async with queue(tmp_path, values=values) as made:
        made.agent.script |= {"bad": Status.BOUNCED, "late": Status.DEFERRED}
        asked = replace(recipient("joe@far.example"), notify=frozenset({"SUCCESS"}))
        given = envelope("bad@far.example", "late@far.example")
        await made.enter(replace(given, recipients=(*given.recipients, asked)))
        await made.enter(replace(envelope("tim@far.example"), is_traced=True, is_probe=True))
        await made.run()
        await made.quiet()
        made.clock.now += HOUR
        await made.look()
        made.agent.script.clear()
        made.clock.now += HOUR + 1
        await made.look()
        await made.quiet()
    reports = {
        (*text_of(content), delivery.envelope.eightbit)
        for content, delivery in zip(made.agent.contents, made.agent.deliveries, strict=True)
        if b"multipart/report" in content
    }
    ours = "Mail Delivery System <MAILER-DAEMON@mx.test.example>"
    sites = "Post <post@mx.test.example>"
    failure = "Failure at mx.test.example: geprüft."
    is_utf8 = utf8 == "yes"
    assert reports == {
        (sites, "Returned", failure, True),
        (sites, "Returned to somebody", "", True),
        (ours, "Delayed Mail (still being retried)", "Delay of 1 hour(s).", is_utf8),
        (ours, "Delayed Mail (delivered)", "Success.", is_utf8),
        (ours, "Successful Mail Delivery Report", "Success.", is_utf8),
        (ours, "Mail Delivery Status Report", "Verified.", is_utf8),
    }


@asynchronous
async def test_without_append_at_myorigin_our_own_name_has_no_domain(tmp_path: Path) -> None:
    async with queue(tmp_path, values={"append_at_myorigin": "no"}) as made:
        made.agent.script["joe"] = Status.BOUNCED
        await made.enter(envelope("joe@far.example"))
        await made.run()
        await made.quiet()
        assert text_of(made.agent.contents[-1])[0] == "Mail Delivery System <MAILER-DAEMON>"
