"""Addresses: what peers and administrators may write, and what comes back."""

from __future__ import annotations

import random

import pytest

from tables.addresses import (
    NULL,
    Address,
    fold,
    parse_mailbox,
    parse_path,
    quote_local,
    split_extension,
)
from tables.errors import AddressSyntaxError


def test_it_works() -> None:
    assert parse_path("<user@example.com>") == Address("user", "example.com")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("<>", NULL),
        ("user@example.com", Address("user", "example.com")),
        ("<User@Example.COM>", Address("User", "Example.COM")),
        ("<user@example.com.>", Address("user", "example.com.")),
        ("<postmaster>", Address("postmaster")),
        ("<@a.test,@b.test:user@example.com>", Address("user", "example.com")),  # RFC 5321 app. C
        ('<"joe smith"@example.com>', Address("joe smith", "example.com")),
        (r'<"a\"b"@example.com>', Address('a"b', "example.com")),
        (r"<joe\ smith@example.com>", Address("joe smith", "example.com")),
        ("<user@[192.0.2.1]>", Address("user", "[192.0.2.1]")),
        ("<user@[IPv6:2001:db8::1]>", Address("user", "[IPv6:2001:db8::1]")),
        ("<user (the one) @ example.com>", Address("user", "example.com")),
        ("<a@b@example.com>", Address("a@b", "example.com")),
        ("<a%b@example.com>", Address("a%b", "example.com")),
        ("<.a..b.@example.com>", Address(".a..b.", "example.com")),
        ("<user@under_score.test>", Address("user", "under_score.test")),
        ("<a@b.test@>", Address("a@b.test@")),
        ("<user@>", Address("user@")),
        ("<@>", Address("@")),
        ("<@example.com>", Address("", "example.com")),
        ('<""@example.com>', Address("", "example.com")),
        ('<user@"example".com>', Address("user", "example.com")),
        ("<a:b@c.test>", Address("a:b", "c.test")),
        # resolving finds out what is wrong with these
        ("<user@example.com..>", Address("user", "example.com..")),
        ("<user@-a.test>", Address("user", "-a.test")),
        ("<user@192.0.2.1>", Address("user", "192.0.2.1")),
        ("<user@[192.0.2.300]>", Address("user", "[192.0.2.300]")),
        ("<a b>", None),
        ("<>x", None),
        ("", None),
        ("<user@example.com", None),
        ("user@example.com>", None),
        ("<a@b.test,c@d.test>", None),
        ('<"a@b.test>', None),
        ("<a(b@c.test>", None),
        ("<a\x00b@c.test>", None),
        ('<"a\r\nb"@c.test>', None),
        ('<"">', None),
        ("<" + "a" * 2000 + " @example.com>", None),
        ("<us\udce9r@example.com>", None),
    ],
)
def test_it_reads_paths(path: str, expected: Address | None) -> None:
    if expected is None:
        with pytest.raises(AddressSyntaxError):
            parse_path(path)
    else:
        assert parse_path(path) == expected


def test_it_requires_smtputf8_for_other_characters() -> None:  # RFC 6531 3.3
    assert parse_path("<jörg@bücher.example>", smtputf8=True) == Address("jörg", "bücher.example")
    with pytest.raises(AddressSyntaxError, match="SMTPUTF8"):
        parse_path("<jörg@bücher.example>")
    with pytest.raises(AddressSyntaxError, match="UTF-8"):
        parse_path("<j\udcf6rg@example.com>", smtputf8=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("joe@Example.COM", Address("joe", "example.com")),
        ('"joe smith"@example.com', Address("joe smith", "example.com")),
        ("jörg@bücher.example", Address("jörg", "xn--bcher-kva.example")),
        ("joe@[192.0.2.1]", Address("joe", "[192.0.2.1]")),
    ],
)
def test_it_reads_mailboxes(text: str, expected: Address) -> None:
    assert parse_mailbox(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "user@example.com"),
        (" joe@example.com", "without spaces"),
        ("joe", 'no "@"'),
        ("@example.com", "nothing before"),
        ("joe@", "domain is missing"),
        ("joe smith@example.com", "needs quotes"),
        ("joe.@example.com", "dot cannot be first or last"),
        ("a..b@example.com", "two cannot follow"),
        ("joe@exa mple.com", "cannot be part of a domain"),
        ("joe@192.0.2.1", "IP address"),
        ("a@b@example.com", "cannot be part of a domain"),
        ('"joe"x@example.com', "must follow"),
        ("x" * 65 + "@example.com", "longer than 64"),
        ("x@" + "y" * 64 + ".com", "longer than 63"),
        ("a\x07b@example.com", "quotes|control"),
    ],
)
def test_it_rejects_mailboxes_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(AddressSyntaxError, match=sentence):
        parse_mailbox(text)


@pytest.mark.parametrize(
    ("local", "quoted"),
    [
        ("joe", "joe"),
        ("joe.smith+x", "joe.smith+x"),
        ("joe smith", '"joe smith"'),
        (".joe", '".joe"'),
        ("joe.", '"joe."'),
        ("a..b", '"a..b"'),
        ('a"\\b', '"a\\"\\\\b"'),
        ("", '""'),
        ("jörg", "jörg"),
        ("ö", "ö"),
        ("a@b", '"a@b"'),
    ],
)
def test_it_quotes_local_parts(local: str, quoted: str) -> None:  # RFC 5321 4.1.2
    assert quote_local(local) == quoted


def test_quoting_and_reading_are_inverse() -> None:
    source = random.Random(20261122)
    letters = "ab.+@ \"\\<>(),:;[]%!'é"
    for _ in range(3000):
        local = "".join(source.choices(letters, k=source.randint(1, 8)))
        address = Address(local, "example.com")
        assert parse_path(f"<{address.text}>", smtputf8=True) == address, repr(local)


def test_any_text_gives_an_address_or_a_syntax_error() -> None:
    source = random.Random(5321)
    letters = 'ab.@<>,:;()[]"\\ \t\r\n\x00é\udc80-1'
    for _ in range(5000):
        text = "".join(source.choices(letters, k=source.randint(0, 14)))
        try:
            address = parse_path(text, smtputf8=bool(source.randint(0, 1)))
        except AddressSyntaxError:
            continue
        assert not set(address.internal) & set("\r\n\x00\udc80"), repr(text)


@pytest.mark.parametrize(
    ("local", "delimiter", "expected"),
    [
        ("joe+work", "+", ("joe", "work")),
        ("joe+work+more", "+", ("joe", "work+more")),
        ("joe-a+b", "+-", ("joe", "a+b")),
        ("joe+a-b", "+-", ("joe", "a-b")),
        ("joe+", "+", ("joe", "")),
        ("+joe", "+", ("+joe", None)),
        ("joe+work", "", ("joe+work", None)),
        ("joe", "+", ("joe", None)),
        ("Mailer-Daemon", "-", ("Mailer-Daemon", None)),
        ("double-bounce", "-", ("double-bounce", None)),
        ("owner-list", "-", ("owner-list", None)),
        ("list-request", "-", ("list-request", None)),
        ("-request", "-", ("-request", None)),
        ("owner+list", "+", ("owner", "list")),
        ("owner-list+x", "+", ("owner-list", "x")),
    ],
)
def test_it_splits_extensions(
    local: str, delimiter: str, expected: tuple[str, str | None]
) -> None:  # split_addr(3)
    assert split_extension(local, delimiter) == expected


def test_it_folds_for_comparison() -> None:
    assert fold(Address("Joe", "Example.COM")) == Address("joe", "example.com")
    assert fold(Address("JÖRG", "BÜCHER.example")) == Address("jörg", "xn--bcher-kva.example")
    same = Address("joe", "example.com")
    assert fold(same) is same


def test_it_prints_both_forms() -> None:
    address = Address("joe smith", "example.com")
    assert (address.text, address.internal) == (
        '"joe smith"@example.com',
        "joe smith@example.com",
    )
    assert (NULL.text, NULL.internal, bool(NULL)) == ("", "", False)
