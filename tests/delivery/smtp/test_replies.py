"""Replies: always whole lines of printable ASCII, whoever wrote the text."""

from __future__ import annotations

import random

import pytest

from delivery.errors import OurError, SmtpFailure
from delivery.smtp import replies
from delivery.smtp.replies import Reply, reply


def test_it_works() -> None:
    assert reply(250, "2.1.5", "Ok").wire == b"250 2.1.5 Ok\r\n"
    assert reply(354, "", "Go on").wire == b"354 Go on\r\n"


def test_every_line_has_the_codes() -> None:
    """RFC 5321 4.2.1, RFC 2034 4."""
    lines = reply(550, "5.7.1", "No", "Really not").wire
    assert lines == b"550-5.7.1 No\r\n550 5.7.1 Really not\r\n"
    assert reply(250, "").wire == b"250 \r\n"


def test_a_hello_names_the_host_first() -> None:
    assert replies.hello("mx.example.net").wire == b"250 mx.example.net\r\n"
    hello = replies.hello("mx.example.net", ("PIPELINING", "SIZE 10"))
    assert hello.wire == b"250-mx.example.net\r\n250-PIPELINING\r\n250 SIZE 10\r\n"


def test_text_from_outside_stays_inside_its_line() -> None:
    nasty = reply(550, "5.1.1", "<a\r\n250 2.0.0 Ok\x00\x1b[2J\x7f\xe9\u2028>: unknown")
    assert nasty.wire == b"550 5.1.1 <a??250 2.0.0 Ok??[2J???>: unknown\r\n"


def test_long_text_is_split() -> None:
    """RFC 5321 4.5.3.1.5: 512 octets, CRLF included."""
    words = reply(550, "5.7.1", " ".join(["word"] * 300))
    unbroken = reply(550, "5.7.1", "x" * 2000)
    for wire in (words.wire, unbroken.wire):
        lines = wire.splitlines(keepends=True)
        assert len(lines) > 2
        assert all(len(line) <= 512 for line in lines)
        assert all(line.startswith(b"550-5.7.1 ") for line in lines[:-1])
        assert lines[-1].startswith(b"550 5.7.1 ")
    assert words.wire.count(b"word") == 300
    assert unbroken.wire.count(b"x") == 2000


@pytest.mark.parametrize("seed", range(10))
def test_any_text_gives_whole_lines(seed: int) -> None:
    randomly = random.Random(seed)
    for _ in range(50):
        text = "".join(chr(randomly.choice([10, 13, 0, 32, 65, 233, 0x2028])) for _ in range(700))
        for line in reply(550, "5.0.0", text).wire.split(b"\r\n")[:-1]:
            assert all(32 <= octet < 127 for octet in line), f"seed {seed}: {line!r}"


@pytest.mark.parametrize(
    ("code", "enhanced"), [(199, ""), (600, ""), (250, "2.0"), (250, "2.0.0 x"), (250, "1.0.0")]
)
def test_it_rejects_what_is_no_reply(code: int, enhanced: str) -> None:
    with pytest.raises(OurError):
        Reply(code, enhanced, ("text",))


def test_it_knows_what_ends_a_connection() -> None:
    closing = [
        replies.BYE,
        replies.timeout("mx"),
        replies.BDAT_SYNTAX,
        replies.too_many_errors("mx"),
    ]
    assert all(one.closes for one in closing)
    assert not replies.NOT_RECOGNIZED.closes


def test_an_error_carries_its_reply() -> None:
    error = SmtpFailure(451, "4.3.0", "Temporary failure", cause="table hash:virtual: no such file")
    assert replies.failure(error).wire == b"451 4.3.0 Temporary failure\r\n"


def test_a_reply_shows_itself_in_one_line() -> None:
    assert str(reply(550, "5.7.1", "No", "Never")) == "550-5.7.1 No / 550 5.7.1 Never"
