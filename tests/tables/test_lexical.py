"""Tokens of addresses and lists."""

from __future__ import annotations

import random

import pytest

from tables.errors import AddressSyntaxError
from tables.itemtext import split_items
from tables.lexical import Token, internal_items, tokens


def test_it_works() -> None:
    assert tokens("joe@x.test") == [
        Token("atom", "joe"),
        Token("separator", "@"),
        Token("atom", "x.test"),
    ]


def test_it_unquotes_and_drops_comments() -> None:
    assert tokens(r'"a \"b\"" (a (nested) \) comment) c\ d [192.0.2.1]') == [
        Token("quoted", 'a "b"'),
        Token("atom", "c d", gap=True),
        Token("literal", "[192.0.2.1]", gap=True),
    ]


@pytest.mark.parametrize("text", ['"a', "[a", "(a", "a)", "a\\", "a\x00b", '"a\nb"'])
def test_it_rejects(text: str) -> None:
    with pytest.raises(AddressSyntaxError):
        tokens(text)


def test_lists_in_all_their_forms() -> None:
    assert internal_items("a, b@x.test ,, c") == ["a", "b@x.test", "c"]
    assert internal_items("a b") == ["a", "b"]
    assert internal_items("a . b @ x.test c") == ["a.b@x.test", "c"]
    assert internal_items('joe."q u"@x.test, |"cmd arg"') == ["joe.q u@x.test", "|cmd arg"]
    assert internal_items("list: a, b;, c") == ["a", "b", "c"]
    assert internal_items("The List <a@x.test>, :include:/x") == ["a@x.test", ":include:/x"]
    assert internal_items("") == []


def test_the_short_way_gives_what_the_long_way_gives() -> None:
    source = random.Random(8)
    for _ in range(3000):
        text = "".join(source.choices("ab.@, |/é", k=source.randint(0, 10)))
        long_way = internal_items(f"{text}, ()")  # a comment leads to the tokens
        assert internal_items(text) == long_way, repr(text)


def test_items_of_parameter_lists() -> None:  # mystrtokq(3)
    assert split_items("a, b\n c,,") == ("a", "b", "c")
    assert split_items("x:{ a, b {c} } d") == ("x:{ a, b {c} }", "d")
    assert split_items("a {b, c") == ("a", "{b, c")
    assert split_items("a} b") == ("a}", "b")
    assert split_items("") == ()


@pytest.mark.parametrize("text", ['joe+"q u"', 'joe+ "q u"', '"joe+""q u"', 'joe+,"q u"'])
def test_words_side_by_side_are_two_addresses(text: str) -> None:  # Postfix tok822_parse(3)
    assert internal_items(text) == ["joe+", "q u"]
