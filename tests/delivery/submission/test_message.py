"""What is on standard input of sendmail(1)."""

from __future__ import annotations

import io

import pytest

from delivery.submission.message import PIECE, HeaderTooLong, RecipientHeaders, copy, read_addresses
from tables.addresses import Address


def copied(text: bytes, *, ends_at_dot: bool = True) -> bytes:
    written: list[bytes] = []
    copy(io.BytesIO(text), written.append, ends_at_dot=ends_at_dot)
    return b"".join(written)


def extracted(text: bytes) -> list[str]:
    headers = RecipientHeaders()
    copy(io.BytesIO(text), lambda data: None, headers=headers)
    return [each.internal for each in headers.recipients]


def test_a_lone_dot_ends_the_message() -> None:
    assert copied(b"a\n..\n .\n.\nb\n") == b"a\n..\n .\n"
    assert copied(b"a\r\n.\r\nb") == b"a\r\n"
    assert copied(b"a\n.") == b"a\n"
    assert copied(b"a\n.\nb\n", ends_at_dot=False) == b"a\n.\nb\n"


def test_a_dot_inside_a_long_line_ends_nothing() -> None:
    text = b"x" * PIECE + b".\nrest\n"
    assert copied(text) == text


def test_lines_of_a_mailbox_file_are_left_out() -> None:
    assert copied(b"From joe Mon\n>From ann\nSubject: x\n\nFrom here\n") == (
        b"Subject: x\n\nFrom here\n"
    )
    assert copied(b"From " + b"x" * (2 * PIECE) + b"\nSubject: x\n") == b"Subject: x\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"To: joe, Ann <ann@far.example>\nBcc: b\n\nTo: x\n", ["joe", "ann@far.example", "b"]),
        (b"To: joe,\n ann@far.example\n\tb\nSubject: x\n", ["joe", "ann@far.example", "b"]),
        (b"To: joe,\n \n ann@far.example\n\nTo: x\n", ["joe", "ann@far.example"]),
        (b'CC : "a b"@far.example\r\n\r\n', ["a b@far.example"]),
        (b"Resent-To: r\nTo: t\n\n", ["r"]),
        (b"Resent-Date: now\nTo: t\n\n", []),
        (b"To: undisclosed-recipients:;\n\n", []),
        (b"To: list: a@far.example, b;, (c) d\n\n", ["a@far.example", "b", "d"]),
        (b"to:\n\n", []),
        (b"no header\nTo: joe\n\n", []),
        (b"", []),
        (b"To: joe", ["joe"]),
    ],
)
def test_recipients_of_headers(text: bytes, expected: list[str]) -> None:
    assert extracted(text) == expected


@pytest.mark.parametrize("line", [b"a@far.example,\n ", b"a@far.example, "])
def test_no_recipient_of_a_long_header_is_left_out(line: bytes) -> None:
    assert len(extracted(b"To: " + line * 6000 + b"\n\n")) == 6000
    with pytest.raises(HeaderTooLong):
        extracted(b"To: " + line * 7000 + b"\n\n")
    assert extracted(b"To: joe\n\n" + line * 7000) == ["joe"]


def test_addresses_of_the_command_line() -> None:
    def read(text: str) -> list[Address]:
        return list(read_addresses(text))

    assert read("a b@far.example") == [Address("a", ""), Address("b", "far.example")]
    assert read('"quoted user"@here') == [Address("quoted user", "here")]
    assert read("|cmd") == [Address("|cmd", "")]
    assert read("(comment) joe@here") == [Address("joe", "here")]
    assert read("<@a,@b:joe@here>") == [Address("joe", "here")]
    assert read("jörg@here") == [Address("jörg", "here")]
    assert read("\udce9@here") == [Address("\udce9", "here")]
    assert read("<>") == []
