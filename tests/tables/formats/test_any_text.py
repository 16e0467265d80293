"""Any text gives a table or an EntryError; any key gives an answer or TableUnavailable."""

from __future__ import annotations

import contextlib
import random

from hypothesis import example, given
from hypothesis import strategies as st

from tables.errors import EntryError, TableUnavailable
from tables.formats.base import FailMap
from tables.formats.reference import open_reference, open_source

SIGNS = r"()[]{}|*+?.^$\!/,;:=<>#&-@ 0123456789abdgkinxAEGKNPQRUZ_é" + "\t\n"
TYPES = ("regexp", "pcre", "cidr", "texthash")
LINES = ["if ", "endif", "!", "/", "/ $1\n", "/ x\n", "\n", "(?", "(?<", "[:alpha:]", "\\Q", "{1,"]

texts = st.text(st.characters(codec="utf-8"), max_size=60)


def ask(table_type: str, text: str, keys: list[str]) -> None:
    table = open_source(table_type, text)
    for key in keys:
        with contextlib.suppress(TableUnavailable):
            answer = table.get(key)
            assert answer is None or isinstance(answer, str)


@given(text=texts, key=texts)
@example(text="\x85", key="")  # a blank to Python, not to Postfix
def test_any_text_is_a_table(text: str, key: str) -> None:
    for table_type in TYPES:
        ask(table_type, text, [key, text])


def test_any_heap_of_signs_is_a_table() -> None:
    generator = random.Random(20261122)
    parts = [*SIGNS, *LINES]
    for _ in range(4000):
        text = "".join(generator.choices(parts, k=generator.randrange(1, 25)))
        for table_type in TYPES[:3]:
            ask(table_type, f"/{text}/ x\n{text} y\n", ["", "abc", "10.0.0.1", "a\nb\n"])


@given(name=texts)
def test_any_reference_is_opened_or_refused(name: str) -> None:
    for table_type in ("inline", "static", "unionmap", "pipemap", "randmap", "regexp", "unix"):
        for reference in (f"{table_type}:{name}", f"{table_type}:{{{name}}}"):
            with contextlib.suppress(EntryError, TableUnavailable):
                open_reference(reference, lambda *_: FailMap("named")).get("key")
