"""Address headers taken apart and put together again."""

from __future__ import annotations

import random

import pytest

from delivery.content.addresslist import (
    Mailbox,
    address_text,
    are_complete,
    externalize,
    fold,
    parse,
    plain_addresses,
)
from tables.addresses import Address


def addresses(text: str) -> list[str]:
    return [address_text(item) for item in parse(text) if isinstance(item, Mailbox)]


def test_it_works() -> None:
    assert addresses("Joe User <joe@my.domain>, jane@far.test (Jane)") == [
        "joe@my.domain",
        "jane@far.test",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("joe", ["joe"]),
        ("a, , b", ["a", "b"]),
        ("<>", []),
        ("d e f", ["d", "e", "f"]),  # commas are added
        ("far: a@x, b;, undisclosed:;", ["a@x", "b"]),  # RFC 5322 3.4 group
        ('"x y"@far.test', ['"x y"@far.test']),
        ("x\\ y@far.test", ['"x y"@far.test']),
        ("z@[192.0.2.1]", ["z@[192.0.2.1]"]),
        ("<@a,@b:c@d>", ["@a,@b:c@d"]),  # RFC 5322 4.4 route
        ("Who (nested (comment) \\) x) <a@b> (c)", ["a@b"]),
        ("a@b <c@d>", ["c@d"]),
        ("foo: bar <x@y>", ["foo", "x@y"]),  # no group without its semicolon
        ("<<x@y>>", ["x@y>"]),
        ("a%b, c!d, |e", ["a%b", "c!d", "|e"]),
        ('"open', ["open"]),
        ("(open", []),
        ("back\\", ["back"]),
    ],
)
def test_what_is_an_address(text: str, found: list[str]) -> None:
    assert addresses(text) == found


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Joe Q. User <joe>", "Joe Q.User <joe>"),
        ('"Doe, J." <j@x> (c)', '"Doe, J." <j@x>(c)'),
        ("undisclosed:;", "undisclosed: ;"),
        ("a@b (x), c@d", "a@b (x),\nc@d"),
        ("d e", "d,\ne"),
        ('"q\\"r"@x', '"q\\"r"@x'),
        ("a@b@c", '"a@b"@c'),
        ("@h", '""@h'),
        ("(c) z@x (d), ;", "z@x (c) (d),\n;"),  # comments move behind
    ],
)
def test_how_it_is_written(text: str, written: str) -> None:
    assert externalize(parse(text)) == written


def test_what_stands_around_an_address_is_bounded() -> None:  # CA-2003-07
    long = "word " * 60
    assert externalize(parse(f"{long} <a@b>, c@d"), "To: ") == "To: <a@b>,\nc@d"
    short = "word " * 40
    assert externalize(parse(f"{short}<a@b>")) == f"{short}<a@b>"


def test_lines_are_filled() -> None:
    text = externalize(parse(", ".join(f"user{n}@host{n}" for n in range(12))), "To: ")
    folded = fold(text).split("\n")
    assert [len(line) for line in folded] == [68, 65, 29]
    assert all(line.startswith("\tuser") for line in folded[1:])


def test_plain_lists_need_no_parse() -> None:
    assert plain_addresses(' "Doe, J" <j@x.test>,\n k.l@y') == [
        Address("j", "x.test"),
        Address("k.l", "y"),
    ]
    assert plain_addresses("joe") is None
    assert plain_addresses("g: a@b;") is None
    assert plain_addresses("a%b@c") is None
    assert plain_addresses("a.@b") is None
    assert plain_addresses("x <a@b.c.>") is None
    assert plain_addresses("word " * 20_000) is None  # and it takes no time
    assert not are_complete("word " * 20_000)


def test_which_lists_are_complete() -> None:
    assert are_complete("")
    assert are_complete(' "Doe, J" <j@x.test>,\n k.l@y.test')
    for text in (
        "joe",
        "j@x",
        "j@x.",
        "j@x.test, k@y",
        "<j@x>",
        "g: a@b.test;",
        "a.@b.c",
        "<a@b.c.>",
    ):
        assert not are_complete(text)


def test_any_text_can_be_parsed() -> None:
    dice = random.Random(7)
    signs = 'ab.@%!|<>()[]":;,\\ \t\n\x00\xe9'
    for _ in range(3000):
        text = "".join(dice.choices(signs, k=dice.randrange(30)))
        once = externalize(parse(text))
        assert len(parse(text, 3)) <= 7
        assert isinstance(fold(once), str)
        plain = plain_addresses(text)
        if plain is not None:
            assert addresses(text) == [address.text for address in plain]
        full = plain is not None and all("." in address.domain for address in plain)
        assert bool(are_complete(text)) == full


def test_a_long_list_takes_linear_time() -> None:
    assert len(addresses("a@b, " * 20_000)) == 20_000
