"""SMTP smuggling (SEC Consult, December 2023): no end of data but CR LF . CR LF.

Two servers that disagree about where a message ends let a sender put a second message, with any
sender address, behind the first. RFC 5321 2.3.8 and 4.1.1.4: only CR LF . CR LF ends the content.
"""

from __future__ import annotations

import itertools

import pytest

from delivery.smtp.settings import ServerSettings
from tests.delivery.smtp.sessions import Session

ENDS = [
    before + b"." + after
    for before, after in itertools.product(
        (b"\n", b"\r", b"\r\n", b"\r\r\n", b"\n\r", b"\x00\r\n", b"\r\x00\n"),
        (b"\n", b"\r", b"\r\n", b"\r\r\n", b"\n\r", b"\x00\r\n", b"\r\x00\n"),
    )
]
ENVELOPE = b"EHLO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\n"
SMUGGLED = b"MAIL FROM:<ceo@example.net>\r\nRCPT TO:<jane@example.net>\r\nDATA\r\nPay!\r\n"


def is_standard(end: bytes) -> bool:
    """True when CR LF . CR LF is somewhere in it."""
    return b"\r\n.\r\n" in end


@pytest.mark.parametrize("policy", ["yes", "normalize", "note", "reject", "nonsense"])
@pytest.mark.parametrize("end", [end for end in ENDS if not is_standard(end)])
def test_no_other_sequence_ends_a_message(end: bytes, policy: str) -> None:
    session = Session(ServerSettings(smtpd_forbid_bare_newline=policy))
    session.talk(ENVELOPE)
    replies = session.talk(b"Hello" + end + SMUGGLED + b"\r\n.\r\n")
    assert replies.count(b"\r\n") == 1, replies  # one reply: one message, whatever is in it
    assert [message.sender for message in session.messages] == (
        [] if replies.startswith(b"5") else ["a@c.example"]
    )


@pytest.mark.parametrize("end", [end for end in ENDS if is_standard(end)])
def test_the_standard_sequence_does(end: bytes) -> None:
    session = Session()
    session.talk(ENVELOPE)
    assert session.talk(b"Hello" + end).startswith(b"250 2.0.0 Ok: queued")


@pytest.mark.parametrize("end", ENDS)
def test_what_is_taken_cannot_smuggle_at_the_next_server(end: bytes) -> None:
    session = Session()
    session.talk(ENVELOPE)
    session.talk(b"Hello" + end + SMUGGLED + b"\r\n.\r\n" + b"QUIT\r\n")
    for message in session.messages:
        lines = message.content.split(b"\r\n")
        assert all(b"\r" not in line and b"\n" not in line for line in lines), message.content


def test_a_chunk_may_hold_any_end() -> None:
    session = Session()
    session.talk(b"EHLO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<joe@example.net>\r\n")
    content = b"Hello\n.\n" + SMUGGLED + b"\r\n.\r\n"
    session.talk(b"BDAT %d LAST\r\n%bQUIT\r\n" % (len(content), content))
    assert len(session.messages) == 1
    assert session.messages[0].content == content.replace(b"\n.\n", b"\r\n.\r\n")
    assert session.protocol.closed


def test_replies_cannot_be_smuggled() -> None:
    session = Session()
    for line in (b"NOOP\r250 fake", b"VRFY <a\r250@b.example>", b"MAIL FROM:<a@b.example> X\r250="):
        out = session.talk(line + b"\r\n")
        assert out.count(b"\r") == out.count(b"\n") == out.count(b"\r\n") == 1, out
