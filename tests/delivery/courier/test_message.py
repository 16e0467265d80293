"""The message as files and commands get it."""

from __future__ import annotations

import os
import random
from itertools import pairwise

import pytest

from delivery.courier.message import Form, read_parts, shape

LETTER = (
    b"From: a\r\nSubject: x\r\n\r\nFrom here\r\n>From there\r\n.\r\n..x\r\n"
    b"a\rb\r\nFr\r\nFrom\r\nFrom me"
)


def whole(letter: bytes, form: Form, pieces: int = 1, seed: int = 0) -> bytes:
    places = sorted(random.Random(seed).choices(range(len(letter) + 1), k=pieces - 1))
    edges = [0, *places, len(letter)]
    split = [letter[a:b] for a, b in pairwise(edges)]
    return b"".join(shape(split, form))


def test_it_works() -> None:
    form = Form(prefix=b"From a  now\n", quotes_from=True, ends_blank=True)
    assert whole(LETTER, form) == (
        b"From a  now\nFrom: a\nSubject: x\n\n>From here\n>From there\n.\n..x\n"
        b"a\rb\nFr\nFrom\n>From me\n\n"
    )


@pytest.mark.parametrize(
    "letter, form, expected",
    [
        (b"", Form(), b""),
        (b"a", Form(), b"a\n"),
        (b"a\r\n", Form(), b"a\n"),
        (b"a\r", Form(), b"a\r\n"),
        (b"a\r\r\n", Form(), b"a\r\n"),
        (b"a\nb\r\n", Form(eol=b"\r\n"), b"a\r\nb\r\n"),
        (b".\r\n.a\r\na.\r\n", Form(stuffs_dots=True), b"..\n..a\na.\n"),
        (b"From a\r\n", Form(), b"From a\n"),
        (b"From a\r\nFromage\r\n", Form(quotes_from=True), b">From a\nFromage\n"),
        (b"Fro", Form(quotes_from=True), b"Fro\n"),
    ],
)
def test_line_ends_and_marks(letter: bytes, form: Form, expected: bytes) -> None:
    assert whole(letter, form) == expected


@pytest.mark.parametrize("seed", range(200))
def test_however_it_is_split_it_is_the_same(seed: int) -> None:
    form = Form(
        eol=b"\r\n" if seed % 2 else b"\n", quotes_from=True, stuffs_dots=True, ends_blank=True
    )
    pieces = 1 + seed % 20
    assert whole(LETTER, form, pieces, seed) == whole(LETTER, form), (seed, pieces)


def test_parts_are_read_from_their_beginning_one_after_the_other() -> None:
    parts = []
    for text in (b"one", b"", b"two" * 50_000):
        descriptor = os.memfd_create("part")
        os.write(descriptor, text)
        parts.append(descriptor)
    try:
        assert b"".join(read_parts(parts)) == b"one" + b"two" * 50_000
    finally:
        for descriptor in parts:
            os.close(descriptor)
