"""Content: the end, the dots, bare CR and LF; the same however the octets are cut."""

from __future__ import annotations

import random
import re

import pytest

from delivery.smtp.content import ContentDecoder, ContentEncoder

ALPHABET = [b"\r\n", b"\r\n", b"\r\n.", b"\r\n.\r\n", b"\n", b"\r", b".", b"..", b"a", b"\xe9"]


def decode(pieces: list[bytes], **options: bool) -> tuple[bytes, bytes | None, ContentDecoder]:
    """(content, rest, decoder) of DATA content that comes in these pieces."""
    decoder = ContentDecoder(**options)
    content = b""
    for place, piece in enumerate(pieces):
        part, rest = decoder.feed(piece)
        content += part
        if rest is not None:
            return content, rest + b"".join(pieces[place + 1 :]), decoder
    return content, None, decoder


def decode_by_lines(data: bytes) -> tuple[bytes, bytes | None]:
    """The rule written down a second time, line by line, as Postfix's smtpd does it."""
    content, at, bare_before = b"", 0, False
    while (end := data.find(b"\n", at)) >= 0:
        line, at = data[at:end], end + 1
        bare = not line.endswith(b"\r")
        line = line if bare else line[:-1]
        if line == b"." and not bare and not bare_before:
            return content, data[at:]
        if line != b".":  # a lone dot that is no end is dropped
            content += line.removeprefix(b".").replace(b"\r", b" ") + b"\r\n"
        bare_before = bare
    return content, None


def cut(data: bytes, randomly: random.Random) -> list[bytes]:
    """The data in pieces."""
    pieces, at = [], 0
    while at < len(data):
        size = randomly.choice([1, 1, 2, 3, 5, 40])
        pieces.append(data[at : at + size])
        at += size
    return pieces


def test_it_works() -> None:
    content, rest, decoder = decode([b"Subject: x\r\n\r\n..text\r\n.\r\nQUIT\r\n"])
    assert content == b"Subject: x\r\n\r\n.text\r\n"
    assert rest == b"QUIT\r\n"
    assert (decoder.size, decoder.eightbit, decoder.bare_newline) == (21, False, False)


def test_an_empty_message_ends_at_once() -> None:
    assert decode([b".\r\n"])[:2] == (b"", b"")
    assert decode([b".", b"\r", b"\n"])[:2] == (b"", b"")


@pytest.mark.parametrize("seed", range(40))
def test_it_agrees_with_the_rule_line_by_line(seed: int) -> None:
    randomly = random.Random(seed)
    for _ in range(100):
        data = b"".join(randomly.choices(ALPHABET, k=randomly.randrange(12))) + b"\r\n.\r\nNOOP\r\n"
        expected = decode_by_lines(data)
        content, rest, decoder = decode(cut(data, randomly))
        assert (content, rest) == expected, f"seed {seed}, data {data!r}"
        assert decoder.size == len(content)
        ended = data[: len(data) - len(rest or b"")]
        assert decoder.eightbit is (b"\xe9" in ended), f"seed {seed}, data {data!r}"
        assert decoder.bare_newline is bool(re.search(rb"(?<!\r)\n", ended)), f"data {data!r}"


@pytest.mark.parametrize("seed", range(20))
def test_without_a_standard_end_the_cuts_do_not_matter_either(seed: int) -> None:
    randomly = random.Random(seed)
    for _ in range(100):
        data = b"".join(randomly.choices(ALPHABET, k=randomly.randrange(12))) + b"\n.\nNOOP\n"
        whole = decode([data], standard_end=False)[:2]
        pieces = decode(cut(data, randomly), standard_end=False)[:2]
        assert pieces == whole, f"seed {seed}, data {data!r}"
        assert whole[1] is not None


def test_without_a_standard_end_any_lone_dot_ends() -> None:
    for end in (b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r\n.\r\n"):
        assert decode([b"text" + end + b"rest"], standard_end=False)[:2] == (b"text\r\n", b"rest")


@pytest.mark.parametrize("seed", range(20))
def test_chunks_are_cleaned_the_same_however_they_are_cut(seed: int) -> None:
    randomly = random.Random(seed)
    for _ in range(100):
        data = b"".join(randomly.choices(ALPHABET, k=randomly.randrange(12)))
        results = set()
        for pieces in ([data], cut(data, randomly)):
            decoder = ContentDecoder(dots=False)
            content = b"".join(decoder.feed(piece)[0] for piece in pieces) + decoder.finish()
            results.add((content, decoder.size))
        expected = re.sub(rb"\r\n|\n", b"\n", data).replace(b"\r", b" ").replace(b"\n", b"\r\n")
        if expected and not expected.endswith(b"\n"):
            expected += b"\r\n"
        assert results == {(expected, len(expected))}, f"seed {seed}, data {data!r}"


def test_it_holds_back_four_octets_at_most() -> None:
    decoder = ContentDecoder()
    given = 0
    for count, octet in enumerate(b"ab\r\n.\rcd\r\n..\n.\r\n\r\r\n" * 50, start=1):
        content, _ = decoder.feed(bytes([octet]))
        given += len(content)
        assert len(decoder._held) <= 4, count
    assert given > 700


@pytest.mark.parametrize("seed", range(20))
def test_what_is_encoded_decodes_to_the_same(seed: int) -> None:
    randomly = random.Random(seed)
    for _ in range(100):
        lines = [randomly.choice([b"", b".", b"..", b".a", b"a.", b"text"]) for _ in range(8)]
        data = b"".join(line + b"\r\n" for line in lines)
        encoder = ContentEncoder()
        wire = b"".join(encoder.feed(piece) for piece in cut(data, randomly)) + encoder.finish()
        assert decode(cut(wire, randomly))[:2] == (data, b""), f"seed {seed}, data {data!r}"


@pytest.mark.parametrize("seed", range(20))
def test_nothing_but_standard_line_ends_is_sent(seed: int) -> None:
    randomly = random.Random(seed)
    for _ in range(100):
        data = b"".join(randomly.choices(ALPHABET, k=randomly.randrange(12)))
        encoder = ContentEncoder()
        wire = b"".join(encoder.feed(piece) for piece in cut(data, randomly)) + encoder.finish()
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n", wire), f"seed {seed}, data {data!r}"
        assert (b"\r\n" + wire).find(b"\r\n.\r\n") == len(wire) - 3, f"seed {seed}, {data!r}"


def test_an_empty_message_is_sent_as_one_dot() -> None:
    assert ContentEncoder().finish() == b".\r\n"
