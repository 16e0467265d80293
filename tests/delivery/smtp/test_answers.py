"""Answers of other servers: read in any pieces, bounded, made harmless."""

from __future__ import annotations

import random

import pytest

from delivery.errors import PeerError
from delivery.smtp.answers import ANSWER_LIMIT, LINES_LIMIT, Answer, AnswerReader


def read(data: bytes, line_limit: int = 2048) -> list[Answer]:
    reader = AnswerReader(line_limit)
    reader.feed(data)
    answers = []
    while (answer := reader.next_answer()) is not None:
        answers.append(answer)
    return answers


def test_it_works() -> None:
    assert read(b"250 2.1.5 Ok\r\n") == [Answer(250, "2.1.5", ("250 2.1.5 Ok",))]


@pytest.mark.parametrize(
    ("line", "code", "dsn"),
    [
        (b"250 Ok", 250, "2.0.0"),
        (b"250", 250, "2.0.0"),
        (b"550", 550, "5.0.0"),
        (b"550 5.7.1", 550, "5.7.1"),
        (b"550  5.7.1 two blanks", 550, "5.7.1"),
        (b"550 4.1.1 code and status differ", 550, "5.0.0"),
        (b"550 5.1.1234 too long", 550, "5.0.0"),
        (b"550 5.1.1x", 550, "5.0.0"),
        (b"354 2.0.0 go on", 354, "5.5.0"),
        (b"150 wait", 150, "5.5.0"),
        (b"421 4.3.2 closing", 421, "4.3.2"),
        (b"299 2.9.9 odd", 299, "2.9.9"),
    ],
)
def test_the_status_is_chosen_as_postfix_does(line: bytes, code: int, dsn: str) -> None:
    (answer,) = read(line + b"\r\n")
    assert (answer.code, answer.dsn) == (code, dsn)


def test_lines_are_joined() -> None:
    (answer,) = read(b"554-5.7.1 first line\r\n554-5.7.1 second line\r\n554 5.7.1 last line\r\n")
    assert (answer.code, answer.dsn) == (554, "5.7.1")
    assert answer.text == "554-5.7.1 first line 554-5.7.1 second line 554 5.7.1 last line"


def test_a_bare_lf_ends_a_line_too() -> None:
    assert [answer.code for answer in read(b"220 a\n250-b\n250 c\r\n")] == [220, 250]


def test_it_is_made_printable() -> None:
    (answer,) = read(b"550 5.1.1 <a\x00\x1b[2J\xe9\rb>\r\n")
    assert answer.lines == ("550 5.1.1 <a??[2J??b>",)


def test_it_is_classified() -> None:
    success, later, never = (Answer(code, "", ()) for code in (250, 450, 550))
    assert success.is_success
    assert not later.is_success
    assert later.is_temporary
    assert not never.is_temporary


@pytest.mark.parametrize("line", [b"what is this", b"", b"25 x", b"2500 x", b"250x", b"-250 x"])
def test_it_rejects_what_is_no_reply(line: bytes) -> None:
    with pytest.raises(PeerError, match="not an SMTP reply"):
        read(line + b"\r\n")


def test_a_long_line_is_cut() -> None:
    (answer,) = read(b"550 5.1.1 " + b"x" * 3000 + b"\r\n", line_limit=100)
    assert answer.dsn == "5.1.1"
    assert len(answer.lines[0]) == 100


def test_an_endless_line_is_given_up() -> None:
    reader = AnswerReader(2048)
    for _ in range(ANSWER_LIMIT // 1000):
        reader.feed(b"x" * 1000)
        assert reader.next_answer() is None
    reader.feed(b"x" * 1000)
    with pytest.raises(PeerError, match="too long"):
        reader.next_answer()


def test_an_endless_answer_is_given_up() -> None:
    with pytest.raises(PeerError, match="too many lines"):
        read(b"250-x\r\n" * LINES_LIMIT)
    assert len(read(b"250-x\r\n" * (LINES_LIMIT - 1) + b"250 x\r\n")) == 1
    with pytest.raises(PeerError, match="too many lines"):
        read((b"250-" + b"x" * 2000 + b"\r\n") * 100)


@pytest.mark.parametrize("seed", range(20))
def test_how_the_bytes_are_cut_does_not_matter(seed: int) -> None:
    randomly = random.Random(seed)
    parts = [b"250", b"250 ok", b"250-", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"5.1.1", b" "]
    for _ in range(100):
        data = b"".join(randomly.choices(parts, k=randomly.randrange(20)))
        outcomes = []
        for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
            reader, answers = AnswerReader(2048), []
            try:
                for piece in pieces:
                    reader.feed(piece)
                    while (answer := reader.next_answer()) is not None:
                        answers.append(answer)
            except PeerError as error:
                outcomes.append((answers, str(error)))
            else:
                outcomes.append((answers, ""))
        assert outcomes[0] == outcomes[1], f"seed {seed}, data {data!r}"
