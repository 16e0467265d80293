"""Received, Delivered-To and loops; RFC 5321 4.4 and 6.3."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from delivery.trace import (
    HEADER_LIMIT,
    HeaderScan,
    header_address,
    local_headers,
    mail_date,
    received,
    received_locally,
    scan,
    with_protocol,
)
from delivery.values import Client, Envelope
from tables.addresses import Address

WHEN = 1_795_353_714.9
CLIENT = Client(address="192.0.2.77", port=40000)
ENVELOPE = Envelope(
    sender=Address("alice", "outside.example"),
    recipients=(),
    client=CLIENT,
    helo="client.outside.example",
)


def write(envelope: Envelope = ENVELOPE, **named: object) -> str:
    header = received(
        envelope,
        queue_id="4c9BsN2rG8z1",
        myhostname="mx.example.net",
        mail_name="Postfix",
        when=WHEN,
        **named,  # type: ignore[arg-type]
    )
    return header.decode()


def test_it_works() -> None:
    assert write(recipient=Address("reject", "far.example")) == (
        "Received: from client.outside.example (unknown [192.0.2.77])\r\n"
        "\tby mx.example.net (Postfix) with ESMTP id 4c9BsN2rG8z1\r\n"
        "\tfor <reject@far.example>; Sun, 22 Nov 2026 13:21:54 +0000 (UTC)\r\n"
    )


def test_several_recipients_are_not_named() -> None:
    assert write() == (
        "Received: from client.outside.example (unknown [192.0.2.77])\r\n"
        "\tby mx.example.net (Postfix) with ESMTP id 4c9BsN2rG8z1;"
        " Sun, 22 Nov 2026 13:21:54 +0000 (UTC)\r\n"
    )


def test_tls_and_login_have_lines_of_their_own() -> None:
    lines = write(comments=("using TLSv1.3", "Authenticated sender: joe")).split("\r\n")
    assert lines[1:3] == [
        "\t(using TLSv1.3)",
        "\t(Authenticated sender: joe)",
    ]


def test_an_ipv6_client_is_tagged() -> None:
    client = replace(CLIENT, address="2001:db8::1", name="six.example")
    assert "(six.example [IPv6:2001:db8::1])" in write(replace(ENVELOPE, client=client))


def test_a_message_made_here() -> None:
    header = received_locally(
        queue_id="Q", myhostname="mx.example.net", mail_name="Postfix", when=WHEN, origin=""
    )
    assert header.decode() == (
        "Received: by mx.example.net (Postfix)\r\n\tid Q; Sun, 22 Nov 2026 13:21:54 +0000 (UTC)\r\n"
    )


@pytest.mark.parametrize(
    "helo",
    ["a\r\nBcc: x", "a) (b", "\x00", "é", "x" * 100_000, "a\\", "<a@b>;", "\udce4", "\x1b[2J"],
)
def test_what_a_client_says_cannot_break_the_header(helo: str) -> None:
    text = write(replace(ENVELOPE, helo=helo))
    lines = text.split("\r\n")
    assert len(lines) == 3, text
    assert len(lines[0]) < 400
    assert text.isascii()
    assert lines[0].startswith("Received: from ")
    assert lines[0].count("(") == lines[0].count(")") == 1
    assert lines[1].startswith("\tby mx.example.net (Postfix) with ESMTP id")


def test_a_recipient_cannot_break_the_header() -> None:
    text = write(recipient=Address('a\r\nX: "b', "far.example"))
    assert text.count("\r\n") == 3
    assert text.count("\n") == 3


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"extended": False}, "SMTP"),
        ({"extended": True}, "ESMTP"),
        ({"extended": True, "tls": True}, "ESMTPS"),
        ({"extended": True, "tls": True, "login": True}, "ESMTPSA"),
        ({"extended": True, "login": True}, "ESMTPA"),
        ({"extended": True, "smtputf8": True}, "UTF8SMTP"),
        ({"extended": True, "smtputf8": True, "tls": True}, "UTF8SMTPS"),
    ],
)
def test_protocol_names(options: dict[str, bool], expected: str) -> None:
    assert with_protocol(**options) == expected


def test_dates_have_no_leading_zero_and_no_locale() -> None:
    assert mail_date(0) == "Thu, 1 Jan 1970 00:00:00 +0000 (UTC)"


def test_headers_of_a_final_delivery() -> None:
    assert local_headers(
        sender=Address("", ""),
        recipient=Address("joe", "example.com"),
        original=Address("j smith", "example.com"),
    ) == (
        b"Return-Path: <>\r\n"
        b'X-Original-To: "j smith"@example.com\r\n'
        b"Delivered-To: joe@example.com\r\n"
    )


MESSAGE = (
    b"Received: from a\r\n\tby b; now\r\n"
    b"received : from c\r\n"
    b"X-Received: not this\r\n"
    b"Subject: x\r\n Received: folded, not a header\r\n"
    b"DELIVERED-TO:\r\n Joe@Example.com\r\n"
    b"Delivered-To: ann@example.com\r\n"
    b"\r\n"
    b"Received: in the body\r\nDelivered-To: body@example.com\r\n"
)


def test_the_scan_keeps_deliveries() -> None:
    found = scan([MESSAGE])
    assert found.delivered == {"joe@example.com", "ann@example.com"}
    assert found.was_delivered_to(Address("JOE", "example.COM"))
    assert not found.was_delivered_to(Address("body", "example.com"))


def test_however_the_message_is_cut_the_scan_is_the_same() -> None:
    chance = random.Random(5)
    for size in [1, 2, 3, 7]:
        for text in (MESSAGE, MESSAGE.replace(b"\r\n", b"\n")):
            pieces = []
            start = 0
            while start < len(text):
                step = chance.randrange(1, size + 1)
                pieces.append(text[start : start + step])
                start += step
            found = scan(pieces)
            assert found.delivered == {"joe@example.com", "ann@example.com"}, pieces


@pytest.mark.parametrize(
    "text, count",
    [(b"", 0), (b"Delivered-To: x", 1), (b"\r\nDelivered-To: x\r\n", 0)],
)
def test_messages_without_a_body(text: bytes, count: int) -> None:
    assert len(scan([text]).delivered) == count


def test_an_endless_header_costs_no_memory() -> None:
    found = HeaderScan()
    for _ in range(100):
        found.feed(b"X" * 50_000)
        assert len(found._rest) <= HEADER_LIMIT
    for number in range(3000):
        found.feed(b"\r\nDelivered-To: %d@example.com" % number)
    found.finish()
    assert len(found.delivered) == 1000


def test_an_empty_local_part_is_quoted() -> None:
    assert header_address(Address("", "far.example")) == '""@far.example'
    assert header_address(Address("", "")) == ""
    assert header_address(Address("a b@")) == '"a b"@'
    assert header_address(Address("a@b.example")) == '"a@b.example"'


def test_a_long_domain_is_cut_off() -> None:
    assert header_address(Address("a", "b" * 255)) == "a@" + "b" * 255
    assert header_address(Address("a", "b" * 256)) == "a@" + "b" * 255
