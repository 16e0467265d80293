"""What a client says and hears on the wire."""

from __future__ import annotations

import socket

from tests.wire.engine import Running
from tests.wire.polling import eventually
from tests.wire.talk import Talk, mail


def test_it_works(shared: Running) -> None:
    queue_id = mail(shared.port, "a@sender.example", "box0@example.com")
    letter = shared.home.letter("box0@example.com").decode()
    lines = letter.splitlines()
    assert lines[:3] == [
        "Return-Path: <a@sender.example>",
        "X-Original-To: box0@example.com",
        "Delivered-To: box0@example.com",
    ]
    assert lines[3] == "Received: from client.example (unknown [127.0.0.1])"
    assert lines[4] == f"\tby mx.test.example (Waypost) with ESMTP id {queue_id}"
    assert lines[5].startswith("\tfor <box0@example.com>; ")
    assert lines[-1] == "Hello."


def test_it_answers_a_pipelined_group_in_order(shared: Running) -> None:
    with Talk(shared.port) as talk:
        talk.greet()
        talk.send(
            "MAIL FROM:<a@sender.example>",
            "RCPT TO:<nobody@example.com>",
            "RCPT TO:<box1@example.com>",
            "DATA",
        )
        for pattern in ("250 2.1.0 *", "550 5.1.1 *User unknown*", "250 2.1.5 *", "354 *"):
            talk.expect(pattern)
        talk.send("Subject: one", "", "body", ".", "MAIL FROM:<b@sender.example>", "RSET", "QUIT")
        for pattern in ("250 2.0.0 Ok: queued as *", "250 2.1.0 *", "250 2.0.0 Ok", "221 *"):
            talk.expect(pattern)
        talk.expect_end()
    assert b"\nbody\n" in shared.home.letter("box1@example.com")


def test_it_takes_chunks(shared: Running) -> None:
    with Talk(shared.port) as talk:
        talk.greet().begin("a@sender.example", "box2@example.com")
        talk.raw(b"BDAT 15\r\nSubject: x\r\n\r\n.BDAT 6 LAST\r\n.\r\nend")
        talk.expect("250 2.0.0 Ok: 15 bytes")
        talk.expect("250 2.0.0 Ok: 21 bytes queued as *")
        talk.raw(b"MAIL FROM:<>\r\nRCPT TO:<box11@example.com>\r\nBDAT 0 LAST\r\nQUIT\r\n")
        for pattern in ("250 2.1.0 *", "250 2.1.5 *", "[25]5[01] *", "221 *"):
            talk.expect(pattern)
    assert shared.home.letter("box2@example.com").endswith(b"\n\n..\nend\n")


def test_it_takes_unicode_addresses_when_declared(shared: Running) -> None:
    with Talk(shared.port) as talk:
        talk.greet()
        talk.say("MAIL FROM:<jösé@sender.example> SMTPUTF8", "250 *")
        talk.say("RCPT TO:<box3@example.com>", "250 *")
        talk.message("Subject: grüße", "", "x")
    letter = shared.home.letter("box3@example.com").decode()
    assert letter.startswith("Return-Path: <jösé@sender.example>\n")
    assert "with UTF8SMTP id" in letter


def test_it_takes_dsn_keywords(shared: Running) -> None:
    with Talk(shared.port) as talk:
        talk.greet()
        talk.say("MAIL FROM:<a@sender.example> RET=HDRS ENVID=q+2B1", "250 *")
        talk.say("RCPT TO:<box4@example.com> NOTIFY=NEVER ORCPT=rfc822;x@y", "250 *")
        talk.say("RCPT TO:<box4@example.com> NOTIFY=NEVER,DELAY", "501 5.5.4 *")
        talk.message("Subject: x", "", "y")
    shared.home.letter("box4@example.com")


def test_it_answers_a_client_that_has_said_its_last(shared: Running) -> None:
    with Talk(shared.port) as talk:
        talk.raw(
            b"EHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<box5@example.com>\r\nDATA\r\n"
            b"Subject: half\r\n\r\nclosed\r\n.\r\n"
        )
        talk.socket.shutdown(socket.SHUT_WR)
        for pattern in ("220 *", "250*", "250 2.1.0 *", "250 2.1.5 *", "354 *", "250 2.0.0 *"):
            talk.expect(pattern)
        talk.expect_end()
    shared.home.letter("box5@example.com")


def test_it_goes_on_when_a_client_leaves_in_the_middle(shared: Running) -> None:
    for step in range(6):
        with Talk(shared.port) as talk:
            talk.expect("220 *")
            talk.send(*("EHLO x", "MAIL FROM:<>", "RCPT TO:<box6@example.com>", "DATA", "x")[:step])
    eventually(lambda: shared.ask("status")["sessions"] == 0, what="no session left")
    assert shared.home.letters("box6@example.com") == []
    eventually(shared.is_idle)


def test_it_ends_after_too_many_errors(shared: Running) -> None:
    with Talk(shared.port) as talk:
        talk.expect("220 *")
        talk.send(*["FOO"] * 30)
        for _ in range(20):
            talk.expect("500 5.5.2 Error: command not recognized")
        talk.expect("421 4.7.0 mx.test.example Error: too many errors")


def test_it_counts_junk_as_errors_in_the_end(shared: Running) -> None:
    with Talk(shared.port) as talk:
        talk.greet()
        talk.send(*["NOOP"] * 130)
        for _ in range(120):  # EHLO counts too; postconf(5) smtpd_junk_command_limit: 100
            talk.expect("250 2.0.0 Ok")
        talk.expect("421 4.7.0 *too many errors")


def test_it_forgives_what_it_cannot_take_at_once(shared: Running) -> None:
    with Talk(shared.port) as talk:
        talk.greet().say("MAIL FROM:<>", "250 *")
        talk.send(*["RCPT TO:<box7@example.com>"] * 1000)
        for _ in range(1000):
            talk.expect("250 2.1.5 *")
        talk.send(*["RCPT TO:<box7@example.com>"] * 1020)
        for _ in range(1020):  # postconf(5) smtpd_recipient_overshoot_limit: 1000
            talk.expect("452 4.5.3 Error: too many recipients")
        talk.expect("421 4.7.0 *too many errors")


def test_it_says_who_may_ask_for_mail(shared: Running) -> None:
    with Talk(shared.port) as talk:
        talk.greet().say("ETRN example.com", "459 <example.com>: service unavailable")


def test_it_verifies_like_a_recipient(shared: Running) -> None:
    with Talk(shared.port) as talk:
        talk.greet().say("VRFY box0@example.com", "252 2.0.0 box0@example.com")
        talk.say("VRFY nobody@example.com", "550 5.1.1 *User unknown*")
        talk.say("VRFY box0@elsewhere.example", "25* 2.0.0 *")  # mynetworks may relay


def test_it_refuses_to_relay_for_strangers(shared: Running) -> None:
    with Talk(shared.port, source="127.0.0.9") as talk:
        talk.greet().say("MAIL FROM:<a@sender.example>", "250 *")
        talk.say("RCPT TO:<x@elsewhere.example>", "554 5.7.1 *Relay access denied")
        talk.say("RCPT TO:<box8@example.com>", "250 *")
        talk.say("VRFY x@elsewhere.example", "554 5.7.1 *Relay access denied")


def test_it_refuses_a_message_that_goes_in_circles(shared: Running) -> None:
    with Talk(shared.port) as talk:
        talk.greet().begin("a@sender.example", "box9@example.com")
        talk.say("DATA", "354 *")
        talk.send(*["Received: from x by y; now"] * 50, "", "round", ".")
        talk.expect("554 5.4.0 Error: too many hops")
        talk.say("NOOP", "250 *")
    assert shared.home.letters("box9@example.com") == []


def test_it_refuses_what_is_too_large_and_goes_on(shared: Running) -> None:
    with Talk(shared.port) as talk:
        talk.greet().say("MAIL FROM:<> SIZE=99999999", "552 5.3.4 *")
        talk.begin("", "box10@example.com").say("DATA", "354 *")
        line = b"x" * 998 + b"\r\n"
        for _ in range(11):
            talk.raw(line * 1000)
        talk.raw(b".\r\n")
        talk.expect("552 5.3.4 *")
        talk.begin("", "box10@example.com").message("", "small")
    assert shared.home.letter("box10@example.com").endswith(b"\nsmall\n")
