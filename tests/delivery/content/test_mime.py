"""Where the parts of a message begin."""

from __future__ import annotations

import pytest

from delivery.content.mime import Section, Structure
from tests.delivery.content.mail import begin, incoming, lines, run, tables

B = "Content-Type: multipart/mixed; boundary=b1\n"


def sections(text: str, **raw: str) -> list[str]:
    """Every header with the table that was asked about it, and every body line."""
    made = tables(
        h="/^(.*)$/ INFO main\n", m="/^(.*)$/ INFO mime\n", n="/^(.*)$/ INFO nested\n",
        b="/^(.+)$/ INFO body\n",
    )  # fmt: skip
    rules = incoming(
        made,
        header_checks="pcre:h",
        mime_header_checks="pcre:m",
        nested_header_checks="pcre:n",
        body_checks="pcre:b",
        **raw,
    )
    message = lines(text)
    out, cleaned = run(begin(rules), message)
    assert out == message
    found = [note.text.rpartition(": ") for note in cleaned.notes]
    return [f"{said} {line.split(' ')[1]}" for line, _, said in found]


def test_it_works() -> None:
    text = f"Subject: s\n{B}\nprologue\n--b1\nX-A: 1\n\ntext\n--b1--\nepilogue\n"
    assert sections(text) == [
        "main Subject:",
        "mime Content-Type:",
        "body prologue",
        "body --b1",
        "mime X-A:",
        "body text",
        "body --b1--",
        "body epilogue",
    ]


def test_a_message_in_a_message() -> None:
    text = f"{B}\n--b1\nContent-Type: message/rfc822\n\nX-N: 1\nMIME-Version: 1.0\n\ntext\n--b1--\n"
    assert sections(text)[2:] == [
        "mime Content-Type:",
        "nested X-N:",
        "mime MIME-Version:",
        "body text",
        "body --b1--",
    ]


def test_a_digest_is_made_of_messages() -> None:  # RFC 2046 5.1.5
    text = "Content-Type: multipart/digest; boundary=x\n\n--x\n\nX-N: 1\n\ntext\n--x--\n"
    assert "nested X-N:" in sections(text)


def test_an_outer_boundary_ends_inner_parts() -> None:
    inner = "Content-Type: multipart/mixed; boundary=b2\n"
    text = f"{B}\n--b1\n{inner}\n--b2\nX-A: 1\n\nx\n--b1\nX-B: 1\n\n--b2\nno: header\n"
    found = sections(text)
    assert "mime X-A:" in found
    assert "mime X-B:" in found
    assert found[-1] == "body no:"


@pytest.mark.parametrize(
    "parameter",
    [
        'boundary="b1"',
        'BOUNDARY = (comment (in) \\) it) "b\\1"',
        'a=b; boundary=other; boundary="b1"; c="d',
        "boundary=b",  # the beginning decides
        'boundary="b\n 1"; boundary=b1',
    ],
)
def test_ways_to_say_a_boundary(parameter: str) -> None:
    text = f"Content-Type: Multipart/Mixed; {parameter}\n\n--b1 cruft\nX-A: 1\n\n"
    assert sections(text)[-1] == "mime X-A:"


@pytest.mark.parametrize(
    "header",
    [
        "Content-Type: text/plain; boundary=b1",
        "Content-Type: multipart/mixed; boundary",
        "Content-Type: multipart/mixed; x=boundary; boundry=b1",
        "X-Type: multipart/mixed; boundary=b1",
        "Content-Type: (multipart/mixed) ; boundary=b1",
        "Content-Type:",
    ],
)
def test_no_boundary(header: str) -> None:
    assert sections(f"{header}\n\n--b1\nX-A: 1\n")[-1] == "body X-A:"


def test_mime_can_be_switched_off() -> None:
    text = f"{B}\n--b1\nX-A: 1\n"
    assert sections(text, disable_mime_input_processing="yes")[-1] == "body X-A:"


def test_a_part_without_an_empty_line() -> None:
    assert sections(f"{B}\n--b1\nX-A: 1\nno header\nX-B: 2\n")[2:] == [
        "mime X-A:",
        "body no",
        "body X-B:",
    ]


def test_boundaries_are_cut() -> None:
    text = "Content-Type: multipart/mixed; boundary=abcdef\n\n--abcxyz\nX-A: 1\n"
    assert sections(text, mime_boundary_length_limit="3")[-1] == "mime X-A:"
    assert sections(text)[-1] == "body X-A:"


def nested(depth: int) -> bytes:
    part = "Content-Type: multipart/mixed; boundary=b{0}\n\n--b{0}\n"
    return lines("".join(part.format(f"{n}x") for n in range(depth)))


def test_nesting_is_bounded() -> None:
    rules = incoming(tables(h="/^X-Y/ IGNORE\n"), header_checks="pcre:h", mime_nesting_limit="3")
    assert run(begin(rules), nested(5))[1].refusal is None
    refusal = run(begin(rules), nested(6))[1].refusal
    assert str(refusal) == "550 5.6.0 MIME nesting exceeds safety limit"
    assert run(begin(rules, is_checked=False), nested(6))[1].refusal is None


STRICT = [
    ("strict_7bit_headers", "Subject: \xe9\n\n", "message header"),
    ("strict_8bitmime", "Subject: \xe9\n\n", "message header"),
    ("strict_8bitmime", "Subject: x\n\n\xe9\n", "message body"),
    ("strict_8bitmime_body", "Subject: x\n\n\xe9\n", "message body"),
    ("strict_8bitmime_body", f"{B}\n--b1\n\n\xe9\n", "message body"),
    ("strict_8bitmime_body", "Content-Transfer-Encoding: 8bit\n\n\xe9\n", ""),
    ("strict_8bitmime_body", "Content-Transfer-Encoding: 7bit\n\n\xe9\n", "message body"),
    ("strict_8bitmime_body", "Subject: \xe9\n\n", ""),
    ("strict_mime_encoding_domain", f"Content-Transfer-Encoding: base64\n{B}\n", "domain"),
    ("strict_mime_encoding_domain", f"Content-Transfer-Encoding: 8bit\n{B}\n", ""),
    (
        "strict_mime_encoding_domain",
        "Content-Type: message/partial\nContent-Transfer-Encoding: 8bit\n\n",
        "domain",
    ),
]


@pytest.mark.parametrize(("parameter", "text", "problem"), STRICT)
def test_strictness(parameter: str, text: str, problem: str) -> None:
    message = lines(text)
    for size in (1 << 20, 1):
        _, cleaned = run(begin(incoming(**{parameter: "yes"})), message, size)
        assert (cleaned.refusal is not None) is bool(problem)
        if cleaned.refusal is not None:
            assert (cleaned.refusal.code, cleaned.refusal.enhanced) == (550, "5.6.0")
            assert problem in cleaned.refusal.text
    assert run(begin(incoming()), message)[1].refusal is None


def test_the_structure_by_itself() -> None:
    structure = Structure(100, 2048)
    structure.read_header("content-type", ' multipart/mixed; boundary="a b"')
    structure.end_of_headers(properly=True)
    assert structure.section is Section.BODY
    assert structure.boundaries
    assert not structure.at_boundary(b"--a")
    assert structure.at_boundary(b"--a b")
    assert structure.section is Section.PART
    structure.end_of_headers(properly=False)
    assert structure.at_boundary(b"--a b--")
    assert not structure.boundaries
