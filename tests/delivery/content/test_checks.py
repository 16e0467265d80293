"""header_checks(5): every action, good and bad."""

from __future__ import annotations

import pytest

from delivery.content.checks import MOST_NOTES
from delivery.content.cleaner import Cleaned
from delivery.policy.verdict import Effects
from tables.formats.base import FailMap
from tests.delivery.content.mail import RECEIVED, begin, incoming, lines, outgoing, run, tables


def checked(rule: str, text: str, kind: str = "header_checks", **more: bool) -> tuple[str, Cleaned]:
    """What one rule does to a message."""
    rules = incoming(tables(t=f"{rule}\n"), mime_header_checks="", **{kind: "pcre:t"})
    out, cleaned = run(begin(rules, **more), lines(text))
    return out.decode().replace("\r\n", "\n"), cleaned


MESSAGE = "To: a\nSubject: one\n two\nX: y\n\nfirst\nsecond\n"


def test_it_works() -> None:
    out, cleaned = checked("/^Subject: one/ REPLACE Subject: new", MESSAGE)
    assert out == MESSAGE.replace("one\n two", "new")
    (note,) = cleaned.notes
    assert (note.kind, note.text) == ("replace", "header Subject: one? two: Subject: new")


@pytest.mark.parametrize(
    ("action", "written"),
    [
        ("PREPEND X-A: 1", "X-A: 1\nSubject: one\n two\n"),
        ("REPLACE X-S: 1", "X-S: 1\n"),
        ("replace\tX-S:1", "X-S:1\n"),
        ("IGNORE because", ""),
        ("STRIP", ""),
        ("DUNNO", "Subject: one\n two\n"),
        ("OK", "Subject: one\n two\n"),
        ("WARN x", "Subject: one\n two\n"),
        ("INFO", "Subject: one\n two\n"),
        ("PREPEND", "Subject: one\n two\n"),
        ("PREPEND no colon", "Subject: one\n two\n"),
        ("REPLACE", "Subject: one\n two\n"),
        ("REPLACE no colon", "Subject: one\n two\n"),
        ("NONSENSE here", "Subject: one\n two\n"),
    ],
)
def test_what_is_written_for_a_header(action: str, written: str) -> None:
    out, cleaned = checked(f"/^Subject/ {action}", MESSAGE)
    assert out == MESSAGE.replace("Subject: one\n two\n", written)
    assert cleaned.refusal is None
    assert cleaned.effects == Effects()


@pytest.mark.parametrize(
    ("action", "written"),
    [
        ("PREPEND line before", "line before\nfirst\n"),
        ("REPLACE new", "new\n"),
        ("IGNORE", ""),
        ("REPLACE", "first\n"),
        ("STRIP", ""),
    ],
)
def test_what_is_written_for_a_body_line(action: str, written: str) -> None:
    out, _ = checked(f"/^first/ {action}", MESSAGE, "body_checks")
    assert out == MESSAGE.replace("first\n", written)


@pytest.mark.parametrize(
    ("action", "effects"),
    [
        ("DISCARD quietly", Effects(discard=True)),
        ("HOLD", Effects(hold=True)),
        ("FILTER smtp:[192.0.2.1]:10025", Effects(filter="smtp:[192.0.2.1]:10025")),
        ("REDIRECT jane@my.domain", Effects(redirect="jane@my.domain")),
        ("BCC jane@my.domain", Effects(bcc=("jane@my.domain",))),
        ("FILTER", Effects()),
        ("FILTER nonsense", Effects()),
        ("REDIRECT nodomain", Effects()),
        ("BCC nodomain", Effects()),
        ("PASS", Effects()),
    ],
)
def test_actions_on_the_whole_message(action: str, effects: Effects) -> None:
    for kind in ("header_checks", "body_checks"):
        out, cleaned = checked(f"/^(Subject|first)/ {action}", MESSAGE, kind)
        assert cleaned.effects == effects
        assert out == MESSAGE or effects.discard


@pytest.mark.parametrize(
    ("action", "reply"),
    [
        ("REJECT no such mail", "550 5.7.1 no such mail"),
        ("REJECT 5.7.9 with code", "550 5.7.9 with code"),
        ("REJECT 4.7.1 for now", "451 4.7.1 for now"),
        ("REJECT 2.0.0 odd", "451 4.0.0 odd"),
        ("REJECT", "550 5.7.1 message content rejected"),
    ],
)
def test_rejects(action: str, reply: str) -> None:
    _, cleaned = checked(f"/^Subject/ {action}", MESSAGE)
    assert str(cleaned.refusal) == reply
    assert cleaned.notes[-1].kind == "reject"


def test_what_the_sender_wrote_does_not_break_the_reply() -> None:
    _, cleaned = checked("/^Subject: (.*)/ REJECT $1", MESSAGE.replace("one", "x" * 2000))
    assert cleaned.refusal is not None
    assert len(str(cleaned.refusal)) <= 510
    assert str(cleaned.refusal).isprintable()


@pytest.mark.parametrize("action", ["REJECT", "DISCARD", "REDIRECT a@b.c", "PASS"])
def test_some_actions_end_the_checks(action: str) -> None:
    _, cleaned = checked(f"/^To/ {action}\n/^X/ HOLD", MESSAGE)
    assert not cleaned.effects.hold


def test_nothing_more_comes_out_of_a_refused_message() -> None:
    rules = incoming(tables(t="/^Subject/ REJECT\n"), header_checks="pcre:t")
    cleaner = begin(rules)
    assert cleaner.feed(b"To: a\r\nSubject: x\r\n\r\n") == b""
    assert cleaner.feed(b"text\r\n") == b""
    assert cleaner.finish().data == b""
    kept, cleaned = run(begin(rules, keeps_refused=True), lines(MESSAGE))
    assert kept == lines(MESSAGE)  # to be returned to a sender of our own
    assert cleaned.refusal is not None


def test_a_reject_of_one_kind_only_counts_once() -> None:
    _, cleaned = checked("/^(To|X)/ REJECT $1", MESSAGE)
    assert str(cleaned.refusal) == "550 5.7.1 To"


def test_received_of_our_own_is_seen() -> None:
    rules = incoming(
        tables(t="/^Received: from (.*)\\sby/ REPLACE Received: hidden\n"), header_checks="pcre:t"
    )
    out, _ = run(begin(rules, prologue=RECEIVED), lines(MESSAGE))
    assert out == b"Received: hidden\r\n" + lines(MESSAGE)


def test_notices_of_our_own_are_not_checked() -> None:
    out, cleaned = checked("/./ REJECT", MESSAGE, is_checked=False)
    assert (out, cleaned.refusal) == (MESSAGE, None)


def test_checks_end_where_the_limit_says() -> None:
    rules = incoming(tables(t="/x/ REPLACE y\n"), body_checks="pcre:t", body_checks_size_limit="20")
    text = "A: b\n\n" + "x\n" * 20
    assert run(begin(rules), lines(text))[0].count(b"y") == 10  # the empty line counts as well
    part = "CONTENT-TYPE: multipart/mixed; BOUNDARY=b\n\n" + ("--b\n\n" + "x\n" * 20) * 2
    assert run(begin(rules), lines(part))[0].count(b"y") == 20
    endless = incoming(
        tables(t="/x/ REPLACE y\n"), body_checks="pcre:t", body_checks_size_limit="0"
    )
    assert run(begin(endless), lines(text))[0].count(b"y") == 20


def test_long_lines_are_checked_in_pieces() -> None:
    rules = incoming(tables(t="/^(x+)$/ REPLACE y\n"), body_checks="pcre:t", line_length_limit="8")
    out, _ = run(begin(rules), b"\r\n" + b"x" * 20 + b"\r\n" + b"x" * 8 + b"\r\n")
    assert out == b"\r\nyyy\r\ny\r\n"


def test_lines_that_are_no_utf8() -> None:
    rules = incoming(
        tables(t="/^(.*)Hello(.*)!/ REPLACE ${1}x$2\n/caf\xe9 (.*)/ REPLACE tea $1\n"),
        body_checks="pcre:t",
    )
    body = b"\xffHello\xfe!\r\n" + "café é\r\n".encode()
    assert run(begin(rules), b"\r\n" + body)[0] == b"\r\n\xffx\xfe\r\n" + "tea é\r\n".encode()


def test_half_a_character_is_no_reason_to_refuse() -> None:
    out, cleaned = checked("/half(.)/ REPLACE x$1", "A: b\n\nhalf\xe9\n", "body_checks")
    assert (out, cleaned.refusal) == ("A: b\n\nx?\n", None)


def test_a_table_that_cannot_be_asked() -> None:
    made = tables()
    made.tables["pcre:t"] = FailMap("down")
    for kind in ("header_checks", "body_checks"):
        _, cleaned = run(begin(incoming(made, **{kind: "pcre:t"})), lines(MESSAGE))
        assert str(cleaned.refusal) == "451 4.3.0 Temporary lookup failure"


def test_log_lines_are_bounded_and_printable() -> None:
    _, cleaned = checked(
        "/./ WARN \x1b[31m", "A: b\n\n" + "x\x07" * 500 + "\n" * 500, "body_checks"
    )
    assert cleaned.notes[0].text.startswith("body x?x?")
    _, cleaned = checked("/./ WARN", "A: b\n\n" + "x\n" * 500, "body_checks")
    assert len(cleaned.notes) == MOST_NOTES


@pytest.mark.parametrize(
    ("parameter", "value", "text", "found"),
    [
        ("message_strip_characters", "\\0q", "A: q\n\nx\x00yq\n", "A: \n\nxy\n"),
        ("message_strip_characters", "\\r\\n\\101", "A: b\n\nxAy\n", "\n\nxy\n"),
        ("message_reject_characters", "\\0", "A: b\n\nx\x00y\n", None),
        ("message_reject_characters", "]^", "A: b\n\nx]y\n", None),
    ],
)
def test_characters(parameter: str, value: str, text: str, found: str | None) -> None:
    for size in (1 << 20, 1):
        out, cleaned = run(begin(incoming(**{parameter: value})), lines(text), size)
        if found is None:
            assert str(cleaned.refusal) == "550 5.7.1 disallowed character"
        else:
            assert out.endswith(lines(found))
            assert cleaned.refusal is None


def test_checks_on_the_way_out_only_write_and_log() -> None:
    made = tables(t="/^Subject/ REJECT\n/^X/ REPLACE Z: 1\n/^To/ HOLD\n", b="/^first/ IGNORE\n")
    cleaner = outgoing(made, smtp_header_checks="pcre:t", smtp_body_checks="pcre:b").begin()
    assert cleaner is not None
    out, cleaned = run(cleaner, lines(MESSAGE))
    assert out == lines(MESSAGE.replace("X: y", "Z: 1").replace("first\n", ""))
    assert (cleaned.refusal, cleaned.effects) == (None, Effects())
    assert [note.kind for note in cleaned.notes] == ["configuration", "configuration", "replace"]
