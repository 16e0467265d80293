"""plain: the short way for plain entries gives what the parsers give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables.formats.base import fold_key
from tables.specs import KINDS
from tables.writing.plain import (
    ADDRESS_KEYS,
    PLAIN_ADDRESS,
    PLAIN_LIST,
    PLAIN_VALUES,
    are_plain,
)

ADDRESSES = st.from_regex(PLAIN_ADDRESS, fullmatch=True)
# the same forms from few draws: hypothesis spends a second on ten lists made from the pattern
LETTERS = "abyz019"
LABELS = st.lists(st.text(LETTERS, min_size=1, max_size=10), min_size=1, max_size=3).map("-".join)
LOCAL_PARTS = st.lists(st.text(LETTERS + "_+=", min_size=1, max_size=16), min_size=1, max_size=3)
DRAWN = st.builds(
    lambda words, dot, labels, top: f"{dot.join(words)}@{'.'.join(labels)}.{top}",
    LOCAL_PARTS,
    st.sampled_from(".-"),
    st.lists(LABELS, min_size=1, max_size=4),
    st.text("abyz", min_size=2, max_size=8),
)
LISTS = st.builds(
    lambda comma, addresses: comma.join(addresses),
    st.sampled_from([",", ", "]),
    st.lists(DRAWN, min_size=1, max_size=4),
)


def test_it_works() -> None:
    for text in ("joe@example.com", "user0000001@example001.com", "a.b-c+d@mx-1.example.co.uk"):
        assert PLAIN_ADDRESS.fullmatch(text), text
        assert PLAIN_LIST.fullmatch(text), text
    assert PLAIN_LIST.fullmatch("joe@example.com, ann@example.net,bob@example.org")


@pytest.mark.parametrize(
    "text",
    [
        "Joe@example.com",
        "joe",
        "joe@",
        "@example.com",
        "joe@example",
        "joe@-a.example",
        "joe@a-.example",
        "joe@xn--mller-kva.example",
        "joe@a..example",
        ".joe@a.example",
        "joe.@a.example",
        "j..e@a.example",
        "joe@1.2.3.4",
        "joe@[192.0.2.1]",
        '"joe"@a.example',
        "joe@a.example ",
        "joe@a.example\n",
        "jo e@a.example",
        "jö@a.example",
        f"{'x' * 65}@a.example",
        f"joe@{'x' * 64}.example",
    ],
)
def test_it_leaves_anything_else_to_the_parsers(text: str) -> None:
    assert PLAIN_ADDRESS.fullmatch(text) is None
    assert PLAIN_LIST.fullmatch(text) is None


@given(ADDRESSES)
def test_every_parser_gives_a_plain_key_back(key: str) -> None:
    for name in ADDRESS_KEYS:
        assert KINDS[name].parse_key(key) == key, name


@given(ADDRESSES)
def test_every_parser_takes_a_plain_address(value: str) -> None:
    for name in PLAIN_VALUES:
        KINDS[name].parse_value(value)


@given(LISTS)
def test_every_parser_of_lists_takes_a_plain_list(value: str) -> None:
    assert PLAIN_LIST.fullmatch(value)
    for name, plain in PLAIN_VALUES.items():
        if plain is PLAIN_LIST:
            KINDS[name].parse_value(value)


def test_every_kind_is_known() -> None:
    assert KINDS.keys() >= ADDRESS_KEYS | PLAIN_VALUES.keys()


def encoded(texts: list[str]) -> list[bytes]:
    return [text.encode() for text in texts]


@given(DRAWN, LISTS)
def test_capitals_change_only_the_stored_key(key: str, value: str) -> None:
    """What entries.py and panel/api/bulknew.py rely on."""
    for name in ADDRESS_KEYS:
        assert fold_key(KINDS[name].parse_key(key.upper())) == key
    for name, form in PLAIN_VALUES.items():
        if form.fullmatch(value):
            KINDS[name].parse_value(value.title())


@given(st.lists(DRAWN, min_size=1, max_size=10))
def test_a_block_of_plain_entries_is_plain(texts: list[str]) -> None:
    for kind, form in PLAIN_VALUES.items():
        assert are_plain(kind, encoded(texts), encoded(texts)) == (kind in ADDRESS_KEYS), form


@given(
    st.lists(
        st.one_of(LISTS, st.text("a@.,\n -é1", max_size=12)),
        min_size=1,
        max_size=10,
    )
)
def test_a_block_is_plain_when_every_entry_is(values: list[str]) -> None:
    keys = ["joe@example.com"] * len(values)
    one_by_one = all(PLAIN_LIST.fullmatch(value) for value in values)
    assert are_plain("virtual", encoded(keys), encoded(values)) == one_by_one


def test_two_lines_in_one_text_are_not_two_plain_texts() -> None:
    assert not are_plain("virtual", [b"a@example.com\nb@example.com"], [b"c@example.com"])
    assert not are_plain("virtual", [b"a@example.com"], [b"a@example.com\nb@example.com"])


def test_kinds_with_other_values_are_never_plain() -> None:
    assert not are_plain("transport", [b"a@example.com"], [b"a@example.com"])
    assert not are_plain("aliases", [b"a@example.com"], [b"a@example.com"])
