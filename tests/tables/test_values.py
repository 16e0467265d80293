"""Right-hand sides: what they mean and how they are written again."""

from __future__ import annotations

import pytest

from tables.addresses import Address
from tables.errors import EntryError
from tables.values import (
    Action,
    Transport,
    find_slip,
    parse_action,
    parse_check_action,
    parse_recipients,
    parse_rewrite,
    parse_text,
    parse_transport,
    print_recipients,
)


def test_it_works() -> None:
    assert parse_recipients("joe@example.com, jane@example.net") == (
        Address("joe", "example.com"),
        Address("jane", "example.net"),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("joe", [("joe", "")]),
        ("@other.example", [("", "other.example")]),
        ("a@x.test b@y.test", [("a", "x.test"), ("b", "y.test")]),
        ("a@x.test,b", [("a", "x.test"), ("b", "")]),
        ("a@Bücher.example", [("a", "xn--bcher-kva.example")]),
        ("a@x.test (his home), , b", [("a", "x.test"), ("b", "")]),
        ("Joe Smith <joe@x.test>, b", [("joe", "x.test"), ("b", "")]),
        ('"joe smith"@x.test', [("joe smith", "x.test")]),
        ("friends: a, b@x.test;", [("a", ""), ("b", "x.test")]),
        ("joe @ x.test", [("joe", "x.test")]),
        ("a@b@x.test", [("a@b", "x.test")]),
        ("joe@[192.0.2.1]", [("joe", "[192.0.2.1]")]),
        ("<@gate.test:joe@x.test>", [("joe", "x.test")]),
    ],
)
def test_it_reads_recipients(text: str, expected: list[tuple[str, str]]) -> None:  # virtual(5)
    assert [(each.local, each.domain) for each in parse_recipients(text)] == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no address"),
        (" , ", "no address"),
        ("joe@", "must follow"),
        ("joe@-x.test", "hyphen"),
        ('"joe@x.test', "quote"),
        ("joe@x.test>", "belong together"),
        ("a(b", "comment"),
    ],
)
def test_it_rejects_recipients(text: str, sentence: str) -> None:
    with pytest.raises(EntryError, match=sentence):
        parse_recipients(text)


def test_recipients_are_written_as_they_are_read() -> None:
    text = '"joe smith"@x.test, @y.test, jane'
    assert print_recipients(parse_recipients(text)) == text


def test_rewriting_needs_one_address() -> None:  # canonical(5)
    assert parse_rewrite("@x.test") == Address("", "x.test")
    with pytest.raises(EntryError, match="One address"):
        parse_rewrite("a@x.test, b@x.test")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smtp:[mail.x.test]:2525", Transport("smtp", "[mail.x.test]:2525")),
        ("smtp", Transport("smtp")),
        ("smtp:", Transport("smtp")),
        (":x.test", Transport("", "x.test")),
        (":", Transport("")),
        ("error:5.1.1 Moved away", Transport("error", "5.1.1 Moved away")),
        ("lmtp:unix:/run/lmtp", Transport("lmtp", "unix:/run/lmtp")),
        ("smtp:[2001:db8::1]:25", Transport("smtp", "[2001:db8::1]:25")),
    ],
)
def test_it_reads_transports(text: str, expected: Transport) -> None:  # transport(5)
    assert parse_transport(text) == expected
    assert parse_transport(expected.text) == expected


@pytest.mark.parametrize(
    ("text", "slip"),
    [
        ("a@@b.test", '"a@"@b.test'),
        ("joe@b.test, a@@B.test", '"a@"@b.test'),
        ('"q x"@b.test, a@@c.test', '"a@"@c.test'),
        ('"a@"@b.test', None),
        ('"q\\ x"@b.test', None),
        ("joe, @b.test, ann@b.test", None),
        ("@b.test", None),
    ],
)
def test_it_finds_slips(text: str, slip: str | None) -> None:
    found = find_slip(text, parse_recipients(text))
    assert (found and found.text) == slip


@pytest.mark.parametrize(
    "text", ["smtp:a b", "a b", "smtp:[x.test", "a/b:x", "smtp:\x1bx.test", "error:a\x00b"]
)
def test_it_rejects_transports(text: str) -> None:
    with pytest.raises(EntryError):
        parse_transport(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OK", Action(verb="OK")),
        ("ok any remark", Action(verb="OK")),
        ("550", Action(verb="OK")),  # access(5): all-numerical
        ("550 5.7.1 Go away", Action(verb="CODE", code=550, enhanced="5.7.1", text="Go away")),
        ("450 Later", Action(verb="CODE", code=450, text="Later")),
        ("REJECT", Action(verb="REJECT")),
        ("reject 5.7.2 No", Action(verb="REJECT", enhanced="5.7.2", text="No")),
        ("DEFER_IF_PERMIT wait", Action(verb="DEFER_IF_PERMIT", text="wait")),
        ("HOLD\tto be seen", Action(verb="HOLD", text="to be seen")),
        ("FILTER scan:", Action(verb="FILTER", argument="scan:")),
        ("REDIRECT boss@x.test", Action(verb="REDIRECT", argument="boss@x.test")),
        ("PREPEND X-A: b c", Action(verb="PREPEND", argument="X-A: b c")),
        (
            "permit_mynetworks, reject",
            Action(verb="RESTRICTIONS", argument="permit_mynetworks, reject"),
        ),
        ("insiders_only", Action(verb="RESTRICTIONS", argument="insiders_only")),
    ],
)
def test_it_reads_access_actions(text: str, expected: Action) -> None:  # access(5)
    assert parse_action(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty"),
        ("250 fine", "4NN or 5NN"),
        ("5500 fine", "4NN or 5NN"),
        ("550 4.7.1 Go away", "do not agree"),
        ("FILTER scan", "FILTER needs"),
        ("REDIRECT boss", "REDIRECT needs"),
        ("PREPEND nothing", "PREPEND needs"),
        ("hash:more", "cannot be named here"),
    ],
)
def test_it_rejects_access_actions(text: str, sentence: str) -> None:
    with pytest.raises(EntryError, match=sentence):
        parse_action(text)


def test_it_reads_check_actions() -> None:  # header_checks(5)
    assert parse_check_action("replace Subject: x") == Action(verb="REPLACE", argument="Subject: x")
    assert parse_check_action("IGNORE") == Action(verb="IGNORE")
    with pytest.raises(EntryError, match="no action PERMIT"):
        parse_check_action("PERMIT")


def test_text_is_one_line_and_not_empty() -> None:
    assert parse_text(" x ") == "x"
    for text in ("", "  ", "a\nb"):
        with pytest.raises(EntryError):
            parse_text(text)
