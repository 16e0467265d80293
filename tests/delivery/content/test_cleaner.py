"""The stream: however a message is cut, the same comes out; nothing breaks it."""

from __future__ import annotations

import random

import pytest

from delivery.content.contexts import Submitter
from delivery.content.incoming import Incoming
from tests.delivery.content.mail import (
    HERE,
    RECEIVED,
    STRANGER,
    begin,
    incoming,
    lines,
    run,
    tables,
)

MESSAGE = lines(
    "X-A: 1\n folded\nFrom: joe\nDKIM-Signature: x\nMessage-ID:\n <1@x>\nX-B: 2\n\n"
    "--b1\ntext\n\nmore\n"
)


def test_it_works() -> None:
    out, cleaned = run(begin(incoming(), prologue=RECEIVED), MESSAGE)
    assert out == RECEIVED + MESSAGE
    assert (cleaned.refusal, cleaned.notes) == (None, ())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ""),
        ("\n", "\n"),
        ("\nx\n", "\nx\n"),
        ("A: b\n", "A: b\n"),  # no body at all
        ("no header\nx\n", "\nno header\nx\n"),
        ("A: b\nno header\nC: d\n\nx\n", "A: b\n\nno header\nC: d\n\nx\n"),
        (" x\nA: b\n\n", "\n x\nA: b\n\n"),
        ("A : b\nC\t:d\nE:f\n\n", "A: b\nC:d\nE:f\n\n"),
        ("A\x01: b\n", "\nA\x01: b\n"),
        ("\xe9: b\n", "\n\xe9: b\n"),
        (": b\n", "\n: b\n"),
        ("A: b\x00c\n\nx\x00y\n", "A: b\n\nx\x00y\n"),
        ("A: b\n\nno line end", "A: b\n\nno line end\n"),
        ("From x Mon\n>From y\nA: b\n\nFrom z\n", "X-Mailbox-Line: From x Mon\n"
         "X-Mailbox-Line: >From y\nA: b\n\nFrom z\n"),
        ("From x\n\ny\n", "X-Mailbox-Line: From x\n\ny\n"),
        ("A: b\nFrom x\n", "A: b\n\nFrom x\n"),
        (">" * 100 + "From \n", "\n" + ">" * 100 + "From \n"),
    ],
)  # fmt: skip
def test_the_shape_of_messages(text: str, found: str) -> None:
    message = lines(text)
    for size in (1 << 20, 1):
        out, cleaned = run(begin(incoming(), prologue=RECEIVED), message, size)
        assert out == RECEIVED + lines(found)
        assert cleaned.refusal is None


def test_an_endless_header_does_not_fill_the_memory() -> None:
    cleaner = begin(incoming(header_size_limit="1000", line_length_limit="100"))
    cleaner.feed(b"A: ")
    for _ in range(1000):
        cleaner.feed(b"x" * 100)
        cleaner.feed(b"\r\n y")
    assert sum(map(len, cleaner._pending)) < 2000
    assert len(cleaner._rest) < 1000
    assert 900 < len(cleaner.finish().data) <= 1002


def test_a_body_that_nobody_checks_is_passed_on_as_it_is() -> None:
    cleaner = begin(incoming(tables(t="/^X-Y/ IGNORE\n"), header_checks="pcre:t"))
    cleaner.feed(b"A: b\r\n\r\n")
    slice_of_body = b"x" * 70_000 + b"\r\n"
    assert cleaner.feed(slice_of_body) is slice_of_body


RULES = """\
/^X-A/ REPLACE X-R: $0
/^Subject/ PREPEND X-P: 1
/^Content-D/ IGNORE
/name=/ WARN name
/text(.*)/ REPLACE other$1
/drop/ IGNORE
/pre/ PREPEND line
"""


def every_kind() -> list[tuple[Incoming, Submitter]]:
    made = tables(t=RULES)
    checks = {"header_checks": "pcre:t"}
    return [
        (incoming(), STRANGER),
        (incoming(canonical_maps="hash:canonical", masquerade_domains="my.domain"), HERE),
        (incoming(made, **checks), STRANGER),
        (incoming(made, body_checks="pcre:t", body_checks_size_limit="40", **checks), HERE),
        (incoming(made, body_checks="pcre:t", line_length_limit="10"), HERE),
        (incoming(made, header_size_limit="30", line_length_limit="12", **checks), HERE),
        (incoming(strict_8bitmime="yes", strict_mime_encoding_domain="yes"), STRANGER),
        (incoming(message_strip_characters="\\0q"), STRANGER),
        (incoming(always_add_missing_headers="yes", message_drop_headers="subject"), STRANGER),
    ]


PIECES = [
    b"Subject: s", b"From: joe", b"To: a, b <c@ws.my.domain> (d)", b" folded: x", b"\tx",
    b"X-A:b", b"X-Q : r", b"Content-Type: multipart/mixed; boundary=b1", b"--b1", b"--b1--",
    b"--b", b"-", b"", b"Content-Type: message/rfc822", b"Content-Disposition: x; name=y",
    b"text body", b"drop", b"pre", b"Content-Transfer-Encoding: 8bit",
    b"Content-Transfer-Encoding: base64", b"no header", b"From here", b"\xff\xfe", b"\xc3\xa9: x",
    b"a\x00b", b"A: q\x00", b"x" * 30, b"\r", b"Bcc: x", b"Message-ID: <1>", b"--b2",
    b"Content-Type: multipart/digest; boundary=b2", b'"<(', b":",
]  # fmt: skip


def random_message(dice: random.Random) -> bytes:
    ends = [b"\r\n"] * 12 + [b"\n", b"\r\n\r\n", b""]
    return b"".join(dice.choice(PIECES) + dice.choice(ends) for _ in range(dice.randrange(1, 25)))


@pytest.mark.parametrize(("rules", "submitter"), every_kind())
def test_however_it_is_cut_the_same_comes_out(rules: Incoming, submitter: Submitter) -> None:
    dice = random.Random(repr(rules.settings))
    for _ in range(150):
        message = random_message(dice)
        whole, cleaned = run(begin(rules, submitter, RECEIVED), message)
        for size in (1, 3, dice.randrange(2, 40)):
            parts, other = run(begin(rules, submitter, RECEIVED), message, size)
            assert str(other.refusal) == str(cleaned.refusal), message
            if cleaned.refusal is None:
                assert parts == whole, message
            assert other._replace(data=b"", refusal=None) == cleaned._replace(
                data=b"", refusal=None
            ), message


@pytest.mark.parametrize(("rules", "submitter"), every_kind())
def test_any_bytes_will_do(rules: Incoming, submitter: Submitter) -> None:
    dice = random.Random(repr(rules.settings))
    for _ in range(100):
        message = dice.randbytes(dice.randrange(300))
        out, _ = run(begin(rules, submitter), message)
        assert isinstance(out, bytes)
        if out:
            assert out.endswith(b"\n")
