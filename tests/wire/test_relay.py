"""Messages on their way to other servers, and what comes back."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.tables.writing.records import table
from tests.wire.dnsserver import DnsServer
from tests.wire.engine import Home, Running
from tests.wire.nexthop import NextHop
from tests.wire.polling import eventually
from tests.wire.talk import Talk, mail

# the other server is on 127.0.0.1, so that must be no address of ours
ELSEWHERE = {"inet_interfaces": "127.0.0.2"}


@contextmanager
def relaying(
    home: Home, *rules: tuple[str, str], values: dict[str, str] | None = None
) -> Iterator[tuple[Running, NextHop, DnsServer]]:
    """An engine whose mail for far.example goes to a scripted server by MX."""
    home.publish(values=values)
    with NextHop(*rules) as hop, DnsServer() as names:
        names.add("far.example", "MX", "10 mx.far.example.")
        names.add("mx.far.example", "A", "127.0.0.1")
        environment = {
            "WAYPOST_RESOLVER": names.endpoint,
            "WAYPOST_SMTP_CLIENT_PORT": str(hop.port),
        }
        with Running(home, **environment) as engine:
            yield engine, hop, names


def test_it_works(home: Home) -> None:
    with relaying(home, values=ELSEWHERE) as (engine, hop, names):
        queue_id = mail(engine.port, "joe@example.com", "x@far.example", "y@far.example")
        [taken] = eventually(lambda: hop.taken)
        assert sorted(taken.recipients) == ["x@far.example", "y@far.example"]
        assert taken.sender.startswith("MAIL FROM:<joe@example.com>")
        assert f"id {queue_id}".encode() in taken.data
        assert taken.data.endswith(b"\r\n\r\nHello.\r\n")
        eventually(engine.is_idle)
        assert ("far.example", "MX") in names.asked


def test_it_uses_a_fixed_next_hop(home: Home) -> None:
    with NextHop() as hop:
        home.publish(
            values={"transport_maps": "hash:transport"},
            tables=[
                table(
                    "transport", {"far.example": f"smtp:[127.0.0.1]:{hop.port}"}, kind="transport"
                )
            ],
        )
        with Running(home) as engine:
            mail(engine.port, "joe@example.com", "x@far.example")
            eventually(lambda: hop.recipients == ["x@far.example"])


def test_it_tries_again_after_a_flush(home: Home) -> None:
    with relaying(home, ("RCPT TO:<slow", "451 4.7.1 later"), values=ELSEWHERE) as (engine, hop, _):
        queue_id = mail(engine.port, "joe@example.com", "slow@far.example", "quick@far.example")
        eventually(lambda: hop.recipients == ["quick@far.example"])
        [listed] = eventually(lambda: _deferred(engine))
        assert listed["id"] == queue_id
        [waiting] = listed["recipients"]
        assert waiting["address"] == "slow@far.example"
        assert waiting["reason"].endswith("said: 451 4.7.1 later (in reply to RCPT TO command)")
        hop.rules.clear()
        assert engine.ask("flush")["scheduled"] == 1
        eventually(lambda: hop.recipients == ["quick@far.example", "slow@far.example"])
        eventually(engine.is_idle)


def test_it_flushes_one_message(home: Home) -> None:
    with relaying(home, ("RCPT", "451 4.7.1 later"), values=ELSEWHERE) as (engine, hop, _):
        first = mail(engine.port, "joe@example.com", "one@far.example")
        mail(engine.port, "joe@example.com", "two@far.example")
        eventually(lambda: len(_deferred(engine)) == 2)
        hop.rules.clear()
        assert engine.ask("flush", ids=[first])["scheduled"] == 1
        eventually(lambda: hop.recipients == ["one@far.example"])
        assert engine.ask("flush", site="far.example")["scheduled"] == 1
        eventually(lambda: hop.recipients == ["one@far.example", "two@far.example"])


def test_it_returns_what_is_refused(home: Home) -> None:
    with relaying(home, ("RCPT TO:<gone", "550 5.1.1 no such user"), values=ELSEWHERE) as (
        engine,
        hop,
        _,
    ):
        queue_id = mail(
            engine.port,
            "joe@example.com",
            "gone@far.example",
            "there@far.example",
            lines=("Subject: to you", "", "Read me."),
        )
        letter = home.letter("joe@example.com")
        eventually(engine.is_idle)
        assert hop.recipients == ["there@far.example"]
    report: Any = email.message_from_bytes(letter, policy=email.policy.default)
    assert report["Return-Path"] == "<>"
    assert report["Auto-Submitted"] == "auto-replied"
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    text, status, original = report.iter_parts()
    assert "<gone@far.example>" in text.get_content()
    assert status.get_content_type() == "message/delivery-status"
    about_message, about_recipient = status.get_payload()
    assert about_message["Reporting-MTA"] == "dns; mx.test.example"
    assert about_message["X-Waypost-Queue-ID"] == queue_id
    assert about_recipient["Final-Recipient"] == "rfc822; gone@far.example"
    assert about_recipient["Action"] == "failed"
    assert about_recipient["Status"] == "5.1.1"
    assert about_recipient["Remote-MTA"] == "dns; mx.far.example"
    assert about_recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert original.get_payload(0)["Subject"] == "to you"


def test_it_never_reports_on_the_null_sender(home: Home) -> None:
    with relaying(home, ("RCPT", "550 5.1.1 no such user"), values=ELSEWHERE) as (engine, _, _):
        mail(engine.port, "", "gone@far.example")
        eventually(lambda: engine.ask("status")["counters"].get("bounced") == 1)
        eventually(engine.is_idle)
        assert engine.ask("status")["counters"]["accepted"] == 1
        assert home.letters("joe@example.com") == []


def test_it_says_who_was_delivered_when_asked(home: Home) -> None:
    home.publish()
    with Running(home) as engine:
        with Talk(engine.port) as talk:
            talk.greet().say("MAIL FROM:<joe@example.com> RET=HDRS ENVID=q1", "250 *")
            talk.say("RCPT TO:<ann@example.com> NOTIFY=SUCCESS", "250 *")
            talk.message("Subject: x", "", "y")
        home.letter("ann@example.com")
        letter = home.letter("joe@example.com").decode()
        assert "\nAction: delivered\n" in letter
        assert "\nOriginal-Envelope-Id: q1\n" in letter


def test_it_keeps_mail_while_the_dns_is_dead(home: Home) -> None:
    with relaying(home, values=ELSEWHERE) as (engine, hop, names):
        names.behaviour["far.example"] = "servfail"
        mail(engine.port, "joe@example.com", "x@far.example")
        [listed] = eventually(lambda: _deferred(engine))
        assert "Host or domain name not found" in listed["recipients"][0]["reason"]
        names.behaviour.clear()
        engine.ask("flush")
        eventually(lambda: hop.recipients == ["x@far.example"])


def test_it_returns_mail_for_what_does_not_exist(home: Home) -> None:
    with relaying(home) as (engine, _, _):
        mail(engine.port, "joe@example.com", "x@nowhere.example")
        letter = home.letter("joe@example.com").decode()
        assert "\nStatus: 5.4.4\n" in letter


def test_one_dead_destination_delays_nobody_else(home: Home) -> None:
    with relaying(home, ("RCPT TO:<x", "!close"), values=ELSEWHERE) as (engine, hop, names):
        names.add("dead.example", "MX", "10 mx.far.example.")
        with Talk(engine.port) as talk:
            talk.greet()
            for number in range(100):
                talk.begin("joe@example.com", f"x{number}@dead.example")
                talk.message("Subject: x", "", "y")
            talk.begin("joe@example.com", "good@far.example").message("Subject: x", "", "y")
        eventually(lambda: hop.recipients == ["good@far.example"], within_s=10)


def test_it_sends_to_five_thousand(home: Home) -> None:
    with relaying(home, values={**ELSEWHERE, "smtpd_recipient_limit": "10000"}) as (engine, hop, _):
        names = [f"user{number}@far.example" for number in range(5000)]
        with Talk(engine.port, timeout_s=60) as talk:
            talk.greet().say("MAIL FROM:<joe@example.com>", "250 *")
            for start in range(0, 5000, 500):
                talk.send(*(f"RCPT TO:<{name}>" for name in names[start : start + 500]))
                for _ in range(500):
                    talk.expect("250 2.1.5 *")
            talk.message("Subject: news", "", "x")
        eventually(lambda: len(hop.recipients) >= 5000, within_s=90)
        assert sorted(hop.recipients) == sorted(names)
        assert max(len(taken.recipients) for taken in hop.taken) == 50
        eventually(engine.is_idle)


def _deferred(engine: Running) -> list[dict[str, Any]]:
    messages = engine.ask("queue")["messages"]
    return [message for message in messages if message["state"] == "deferred"]
