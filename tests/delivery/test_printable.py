"""What others say is shown without what could end a line or speak to a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from delivery.printable import printable


@given(st.text(st.characters()))
def test_what_comes_out_can_be_printed(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
    pairs = zip(shown, text, strict=True)
    assert all(after == before or not before.isprintable() for after, before in pairs)


def test_something_stands_for_the_rest() -> None:
    assert printable("a\x1b[2J\nb\udce9") == "a?[2J?b?"
    assert printable("a\tb", "_") == "a_b"
    assert printable("J\u00f6rg, \u20ac") == "J\u00f6rg, \u20ac"
