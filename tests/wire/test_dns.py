"""The DNS finds something, finds nothing, or cannot tell: clients and queue know the difference."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.wire.dnsserver import DnsServer
from tests.wire.engine import Home, Running
from tests.wire.polling import eventually
from tests.wire.talk import Talk, mail

LIES = ("servfail", "refused", "hang", "garbage", "other-question", "other-id")


@pytest.fixture
def names() -> Iterator[DnsServer]:
    with DnsServer() as server:
        server.add("found.example", "A", "127.0.0.9")
        for lie in LIES:
            server.add(f"{lie}.example", "A", "127.0.0.9")
            server.behaviour[f"{lie}.example"] = lie
        yield server


def test_three_answers_to_a_client(home: Home, names: DnsServer) -> None:
    restrictions = {"smtpd_sender_restrictions": "reject_unknown_sender_domain"}
    home.publish(values={**restrictions, "unknown_address_reject_code": "550"})
    with Running(home, WAYPOST_RESOLVER=names.endpoint) as engine:
        for domain, code in {
            "found.example": "250",
            "nowhere.example": "550",
            "servfail.example": "450",  # the other lies take their time: test_resolver
        }.items():
            with Talk(engine.port, timeout_s=60) as talk:
                talk.greet().say(f"MAIL FROM:<a@{domain}>", "250 *")
                talk.say("RCPT TO:<joe@example.com>", f"{code} *")


def test_three_answers_to_the_queue(home: Home, names: DnsServer) -> None:
    home.publish()
    with Running(home, WAYPOST_RESOLVER=names.endpoint) as engine:
        mail(engine.port, "joe@example.com", *(f"x@{lie}.example" for lie in LIES))
        mail(engine.port, "ann@example.com", "x@nowhere.example")
        assert b"\nStatus: 5.4.4\n" in home.letter("ann@example.com")
        eventually(lambda: engine.ask("status")["queue"]["deferred"] == 1, within_s=60)
        [listed] = engine.ask("queue")["messages"]
        assert len(listed["recipients"]) == len(LIES)
        for each in listed["recipients"]:
            assert "Host or domain name not found" in each["reason"], each
        assert home.letters("joe@example.com") == []
