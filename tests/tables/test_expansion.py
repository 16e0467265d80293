"""$name references: the forms of postconf(5), and that none of them can be made to run away."""

from __future__ import annotations

import random

import pytest

from tables.errors import EntryError
from tables.expansion import expand, names

VALUES = {
    "a": "x",
    "b": "$a y",
    "empty": "",
    "n": "10",
    "compatibility_level": "3.6",
    "loop": "$loop",
    "left": "$right",
    "right": "$left",
}


def test_it_works() -> None:
    assert expand("$a and ${b}", VALUES.get) == "x and x y"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain {text}", "plain {text}"),
        ("$(a)", "x"),
        ("$a$b", "xx y"),
        ("$a-b", "x-b"),
        ("$a_b", ""),
        ("${a}_b", "x_b"),
        ("$nosuch", ""),
        ("$$a", "$a"),
        ("${a?set}", "set"),
        ("${a:unset}", ""),
        ("${empty?set}", ""),
        ("${empty:unset}", "unset"),
        ("${nosuch:unset}", "unset"),
        ("${a?{yes}:{no}}", "yes"),
        ("${empty?{yes}:{no}}", "no"),
        ("${a?yes:no}", "yes:no"),
        ("${ a }", "x"),
        ("${a ? x}", "x"),
        ("${a?{ yes }}", " yes "),
        ("${a?${nosuch:inner}}", "inner"),
        ("${nosuch:{${a?{deep}}}}", "deep"),
        ("${:x}", "x"),
        ("${{$a} == {x}?{eq}:{ne}}", "eq"),
        ("${{$a} != {x}?{ne}:{eq}}", "eq"),
        ("${{$n}=={10}?{ten}}", "ten"),
        ("${{10} > {9}?{number}:{text}}", "number"),
        ("${{b} >= {a}?{yes}:{no}}", "yes"),
        ("${{b} <= {a}?{yes}:{no}}", "no"),
        ("${{b} < {a}?{yes}:{no}}", "no"),
        ("${{a} == {a}}", "true"),
        ("${{3.10} >level {3.9}?{new}:{old}}", "new"),
        ("${{$compatibility_level} <level {1}?{old}:{new}}", "new"),
        ("${{$compatibility_level} >=level {3.6.0}?{new}:{old}}", "new"),
    ],
)
def test_it_replaces_references(text: str, expected: str) -> None:
    assert expand(text, VALUES.get) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("$", "name is missing"),
        ("a$ b", "name is missing"),
        ("${}", "name is missing"),
        ("$()", "name is missing"),
        ("${a", 'closing "}"'),
        ("$(a", r'closing "\)"'),
        ("${a b}", "expected before"),
        ("${a?{yes}no}", '":" is expected'),
        ("${a?{yes}:{no}x}", "not expected"),
        ("${{a} === {b}?{x}}", "One of"),
        ("${{a} ==fun {b}?{x}}", "One of"),
        ("${{a} == b?{x}}", '"{" is expected'),
        ("${{a} <level {3.x}?{x}}", "compatibility level"),
        ("$loop", "without end"),
        ("$left", "without end"),
    ],
)
def test_it_rejects_broken_references(text: str, sentence: str) -> None:
    with pytest.raises(EntryError, match=sentence):
        expand(text, VALUES.get)


def test_a_chain_of_doublings_is_stopped() -> None:
    values = {f"v{n}": f"$v{n + 1}$v{n + 1}" for n in range(60)}
    for last in ("", "x"):
        with pytest.raises(EntryError, match="unreasonable"):
            expand("$v0", {**values, "v60": last}.get)


def test_values_stay_as_they_are_without_recursion() -> None:
    assert expand("<$b>", VALUES.get, recurse=False) == "<$a y>"


def test_it_lists_the_names_of_all_branches() -> None:
    text = "$a ${b?{$c}:{${d}}} ${{$e} == {$f}?{$g}:{x}} $$no"
    assert names(text) == {"a", "b", "c", "d", "e", "f", "g"}


def test_any_text_expands_or_is_an_entry_error() -> None:
    source = random.Random(5)
    for _ in range(5000):
        text = "".join(source.choices("${}()?:=<>a b.1", k=source.randint(1, 16)))
        try:
            assert isinstance(expand(text, VALUES.get), str)
        except EntryError:
            continue
