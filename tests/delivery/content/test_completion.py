"""Headers that are added, and headers that are dropped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.content.completion import missing_headers
from tables.addresses import NULL, Address
from tests.delivery.content.mail import HERE, OCCASION, STRANGER, begin, incoming, lines, run

ADDED = (
    "Message-Id: <19700101000000.4X@mail.my.domain>\n"
    "Date: Thu, 1 Jan 1970 00:00:00 +0000 (UTC)\n"
    "From: joe@my.domain\n"
)


def test_it_works() -> None:
    out, _ = run(begin(incoming(), HERE), b"Subject: x\r\n\r\ntext\r\n")
    assert out == lines(f"Subject: x\n{ADDED}\ntext\n")


def test_strangers_mail_stays_incomplete() -> None:
    message = b"Subject: x\r\n\r\ntext\r\n"
    assert run(begin(incoming(), STRANGER), message)[0] == message
    rules = incoming(always_add_missing_headers="yes")
    assert run(begin(rules, STRANGER), message)[0] == lines(f"Subject: x\n{ADDED}\ntext\n")


def test_what_is_there_is_not_added() -> None:
    message = lines("DATE: d\nmessage-id: <m>\nFrom : f@x.test\n\n")
    out, _ = run(begin(incoming(), HERE), message)
    assert out == message.replace(b"From :", b"From:")


def test_a_message_that_is_sent_again_gets_resent_headers() -> None:  # RFC 5322 3.6.6
    out, _ = run(begin(incoming(), HERE), lines("Resent-To: a@x.test\n\n"))
    resent = "".join(f"Resent-{line}\n" for line in ADDED.splitlines())
    assert out == lines(f"Resent-To: a@x.test\n{resent}\n")


@pytest.mark.parametrize(
    ("header", "is_added"),
    [("Subject: x", True), ("Bcc: a@b.c", True), ("To: a@b.c", False), ("Resent-Cc: a@b.c", False)],
)
def test_undisclosed_recipients(header: str, is_added: bool) -> None:
    rules = incoming(undisclosed_recipients_header="To: undisclosed-recipients:;")
    out, _ = run(begin(rules, HERE), lines(f"{header}\n\n"))
    assert (b"\r\nTo: undisclosed-recipients:;\r\n\r\n" in out) is is_added


def test_a_bad_undisclosed_header_is_left_out() -> None:
    out, _ = run(begin(incoming(undisclosed_recipients_header="nobody"), HERE), b"\r\n")
    assert b"nobody" not in out


@pytest.mark.parametrize(
    ("name", "form", "author"),
    [
        ("Joe User", "standard", "Joe User <joe@my.domain>"),
        ("Joe Q. User", "standard", '"Joe Q. User" <joe@my.domain>'),
        ('J "x" \\', "standard", '"J \\"x\\" \\\\" <joe@my.domain>'),
        ("J\xe9", "standard", "=?utf-8?b?SsOp?= <joe@my.domain>"),
        ("two\r\nlines: x", "standard", '"two lines: x" <joe@my.domain>'),
        ("Joe (x)", "obsolete", "joe@my.domain (Joe \\(x\\))"),
        ("", "standard", "joe@my.domain"),
    ],
)
def test_the_author_has_a_name(name: str, form: str, author: str) -> None:
    settings = incoming(header_from_format=form).settings
    found = missing_headers(settings, replace(OCCASION, full_name=name), {"date", "message-id"})
    assert found == [f"From: {author}".encode()]


def test_other_authors() -> None:
    settings = incoming(enable_long_queue_ids="yes").settings
    seen = {"date"}
    assert missing_headers(settings, replace(OCCASION, sender=NULL), seen) == [
        b"Message-Id: <4X@mail.my.domain>",
        b"From: MAILER-DAEMON",
    ]
    quoted = replace(OCCASION, sender=Address("a b", "my.domain"))
    assert missing_headers(settings, quoted, seen)[1] == b'From: "a b"@my.domain'


def test_some_headers_are_dropped() -> None:
    message = lines(
        "Bcc: x@y.test,\n z@y.test\nSubject: s\nReturn-Path: <a>\ncontent-length: 9\n\nx\n"
    )
    assert run(begin(incoming()), message)[0] == b"Subject: s\r\n\r\nx\r\n"
    assert (
        run(begin(incoming(message_drop_headers="subject, X-A")), message + b"X-A: 1\r\n")[0]
        == message.replace(b"Subject: s\r\n", b"") + b"X-A: 1\r\n"
    )


def test_they_are_dropped_in_the_message_itself_only() -> None:
    message = lines("Content-Type: message/rfc822\n\nBcc: x@y.test\n\nx\n")
    assert run(begin(incoming()), message)[0] == message
