"""Aliases and mailboxes of the domains that this machine is for."""

from __future__ import annotations

from tests.tables.writing.records import domain, mailbox, table
from tests.wire.engine import Home, Running
from tests.wire.nexthop import NextHop
from tests.wire.polling import eventually
from tests.wire.talk import Talk, mail


def publish(home: Home, aliases: dict[str, str], **values: str) -> None:
    """A local domain with a mailbox for joe, and aliases."""
    home.publish(
        values={"alias_maps": "hash:aliases", "myorigin": "here.example", **values},
        mailboxes=["ann@example.com"],
        boxes=[mailbox("joe@here.example", "local")],
        domains=[domain("here.example", "local")],
        tables=[table("aliases", aliases, kind="aliases")],
    )


def test_it_works(home: Home) -> None:
    publish(home, {"team": "joe, ann@example.com"})
    with Running(home) as engine:
        queue_id = mail(engine.port, "a@sender.example", "team@here.example")
        at_ann = home.letter("ann@example.com").decode()
        at_joe = home.letter("joe@here.example").decode()
        eventually(engine.is_idle)
    for letter in (at_ann, at_joe):
        assert "Return-Path: <a@sender.example>\n" in letter
        assert "X-Original-To: team@here.example\n" in letter
        assert f"id {queue_id}" in letter
    assert "Delivered-To: joe@here.example\n" in at_joe
    assert "Delivered-To: team@here.example\n" in at_ann  # handed on: a message of its own
    assert at_ann.count("Received: ") == 2
    assert "Received: by mx.test.example (Waypost)\n\tid " in at_ann


def test_it_refuses_unknown_users(home: Home) -> None:
    publish(home, {})
    with Running(home) as engine, Talk(engine.port) as talk:
        talk.greet().say("MAIL FROM:<a@sender.example>", "250 *")
        talk.say("RCPT TO:<nobody@here.example>", "550 5.1.1 *User unknown in local*")


def test_an_alias_does_not_wait_for_a_slow_server(home: Home) -> None:
    with NextHop(("connect", "220-slow")) as hop:  # a greeting that never ends
        publish(
            home,
            {"team": "ann@example.com"},
            transport_maps=f"inline:{{far.example=smtp:[127.0.0.1]:{hop.port}}}",
        )
        with Running(home) as engine:
            mail(engine.port, "a@sender.example", "x@far.example", "team@here.example")
            home.letter("ann@example.com", within_s=10)


def test_an_alias_that_leads_back_is_returned(home: Home) -> None:
    publish(home, {"one": "two", "two": "one"})
    with Running(home) as engine:
        mail(engine.port, "ann@example.com", "one@here.example")
        assert b"\nStatus: 5.4.6\n" in home.letter("ann@example.com")
        eventually(engine.is_idle)


def test_what_an_alias_stands_for_survives_kill_9(home: Home) -> None:
    publish(home, {"team": "joe, ann@example.com"})
    engine = Running(home)
    with engine:
        for number in range(5):
            with Talk(engine.port) as talk:
                talk.greet()
                for place in range(5):
                    talk.begin("a@sender.example", "team@here.example")
                    talk.message(f"Subject: {number}-{place}", "", "x")
                engine.kill()
            engine.start_again()
        # what two kills met in the middle of an attempt would wait five minutes (recovery.py)
        engine.ask("flush")
        eventually(engine.is_idle, within_s=30)
    for address in ("ann@example.com", "joe@here.example"):
        subjects = {
            letter.partition(b"Subject: ")[2].splitlines()[0] for letter in home.letters(address)
        }
        assert subjects == {f"{a}-{b}".encode() for a in range(5) for b in range(5)}


def test_copies_are_sent(home: Home) -> None:
    publish(home, {}, always_bcc="ann@example.com")
    with Running(home) as engine:
        mail(engine.port, "a@sender.example", "joe@here.example")
        assert b"Delivered-To: ann@example.com\n" in home.letter("ann@example.com")
        home.letter("joe@here.example")
