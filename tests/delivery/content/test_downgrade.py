"""8-bit text for servers that take 7 bits, and broken lines; whatever the pieces are."""

from __future__ import annotations

import quopri
import random

import pytest

from delivery.content.downgrade import Downgrade, LongLines
from delivery.content.limits import Limits

LIMITS = Limits(header=1000, line=200, body_checks=0, mime_nesting=20, boundary=70)


def lines(*text: str) -> bytes:
    return "".join(f"{line}\r\n" for line in text).encode()


def through(converter: Downgrade | LongLines, text: bytes, step: int = 0) -> bytes:
    out = b""
    for place in range(0, len(text), step or len(text) or 1):
        out += converter.feed(text[place : place + (step or len(text))])
    return out + converter.finish()


PLAIN = lines(
    "Subject: x",
    "Content-Transfer-Encoding: 8bit",
    "MIME-Version: 1.0",
    "",
    "café =",
    "ends with a blank ",
    "x" * 100,
)
QUOTED = lines(
    "Subject: x",
    "MIME-Version: 1.0",
    "Content-Transfer-Encoding: quoted-printable",
    "",
    "caf=C3=A9 =3D",
    "ends with a blank=20",
    "x" * 73 + "=",
    "x" * 27,
)
PARTS = lines(
    "Content-Type: multipart/mixed;",
    ' boundary="b"',
    "Content-Transfer-Encoding: 8bit",
    "",
    "é in the preamble",
    "--b",
    "Content-Transfer-Encoding: 8bit",
    "",
    "ü",
    "--b",
    "Content-Transfer-Encoding: base64",
    "",
    "w7w=",
    "--b",
    "Content-Type: message/rfc822",
    "Content-Transfer-Encoding: 8bit",
    "",
    "Subject: inner",
    "content-transfer-encoding: BINARY",
    "",
    "ö",
    "--b--",
    "epilogue é",
)
CONVERTED = lines(
    "Content-Type: multipart/mixed;",
    ' boundary="b"',
    "Content-Transfer-Encoding: 7bit",
    "",
    "é in the preamble",
    "--b",
    "Content-Transfer-Encoding: quoted-printable",
    "",
    "=C3=BC",
    "--b",
    "Content-Transfer-Encoding: base64",
    "",
    "w7w=",
    "--b",
    "Content-Type: message/rfc822",
    "Content-Transfer-Encoding: 7bit",
    "",
    "Subject: inner",
    "Content-Transfer-Encoding: quoted-printable",
    "",
    "=C3=B6",
    "--b--",
    "epilogue é",
)
SILENT = lines("Subject: nothing is said", "", "é stays")


@pytest.mark.parametrize("step", [0, 1, 7])
@pytest.mark.parametrize(
    "text, expected", [(PLAIN, QUOTED), (PARTS, CONVERTED), (SILENT, SILENT), (b"", b"")]
)
def test_it_works(text: bytes, expected: bytes, step: int) -> None:
    assert through(Downgrade(LIMITS), text, step) == expected


def test_what_was_quoted_reads_as_before() -> None:
    source = random.Random(1)
    for _ in range(50):
        body = b"".join(
            bytes(source.choice(b"a =\t\x80\xff.-") for _ in range(source.randrange(300))) + b"\r\n"
            for _ in range(5)
        )
        text = b"Content-Transfer-Encoding: 8bit\r\n\r\n" + body
        out = through(Downgrade(LIMITS), text, source.choice((1, 13, 1000)))
        quoted = out.split(b"\r\n\r\n", 1)[1]
        assert quoted.isascii()
        assert max(map(len, quoted.split(b"\r\n"))) <= 76
        assert quopri.decodestring(quoted) == body


def test_headers_without_end_take_bounded_memory() -> None:
    converter = Downgrade(LIMITS)
    converter.feed(b"Subject: x\r\n")
    out = sum(len(converter.feed(b" " + b"y" * 999)) for _ in range(1000))
    assert out + len(converter.finish()) < 5000


@pytest.mark.parametrize("step", [0, 1, 3, 64])
@pytest.mark.parametrize(
    "text, expected",
    [
        (lines("1234567890"), lines("1234567890")),
        (lines("12345678901"), lines("1234567890", " 1")),
        (lines("1" * 20, "x"), lines("1" * 10, " " + "1" * 9, " 1", "x")),
        (b"x" * 10, b"x" * 10),
        (b"x" * 12 + b"\r", b"x" * 10 + b"\r\n xx\r"),
        (lines("", "", "x"), lines("", "", "x")),
    ],
)
def test_long_lines_are_broken(text: bytes, expected: bytes, step: int) -> None:
    assert through(LongLines(10), text, step) == expected
