"""Table source text, as postmap(1) and postalias(1) read it."""

from __future__ import annotations

import random

import pytest

from tables.errors import EntryError
from tables.textform import (
    SourceEntry,
    SourceWarning,
    parse_postalias,
    parse_postmap,
    print_postalias,
    print_postmap,
    read_entries,
)

SOURCE = """\
# comment line
Key1 value1
key2\ttabbed   value  
key3   two words
  continued on

  and after blank
key4
DUP first
dup second
"quoted key" qvalue
"half quoted qv
key\\ esc esc
trail:  v
key5 v5 # not comment
key8\tv8
\tkey9 v9
"""  # noqa: W291

ALIASES = """\
# aliases
root: you
"quoted name": x, y
joe : a@b,
   c@d
  , e
pipe: "|/some/cmd -a 'b c'", /file/name
nocolon value
: nokey
empty:
dup: one
DUP: two
back: \\joe
par: a (comment), b
angle: Joe <joe@my.domain>
"half: z
a b: two words
"q\\"x": esc
x@y: withdomain
list:a,b;c
"""


def test_it_works() -> None:
    entries = parse_postmap("joe  jane@example.com, jim\n").entries
    assert [(entry.line, entry.key, entry.value) for entry in entries] == [
        (1, "joe", "jane@example.com, jim")
    ]


def test_it_reads_as_postmap_does() -> None:
    source = parse_postmap(SOURCE)
    assert [(entry.line, entry.key, entry.value) for entry in source.entries] == [
        (2, "Key1", "value1"),
        (3, "key2", "tabbed   value"),
        (4, "key3", "two words  continued on  and after blank"),
        (9, "DUP", "first"),
        (11, '"quoted key"', "qvalue"),
        (13, "key\\ esc", "esc"),
        (14, "trail:", "v"),
        (15, "key5", "v5 # not comment"),
        (16, "key8", "v8\tkey9 v9"),
    ]
    assert [str(warning) for warning in source.warnings] == [
        "line 8: expected format: key whitespace value",
        'line 10: duplicate entry: "dup"',
        "line 12: unbalanced '\"' in '\"half quoted qv' -- ignoring this line",
        'line 14: record is in "key: value" format; is this an alias file?',
    ]


def test_it_reads_as_postalias_does() -> None:
    source = parse_postalias(ALIASES)
    assert [(entry.line, entry.key, entry.value) for entry in source.entries] == [
        (2, "root", "you"),
        (3, "quoted name", "x, y"),
        (4, "joe", "a@b, c@d, e"),
        (7, "pipe", "\"|/some/cmd -a 'b c'\", /file/name"),
        (11, "dup", "one"),
        (13, "back", "joe"),
        (14, "par", "a (comment), b"),
        (15, "angle", "Joe <joe@my.domain>"),
        (17, "a b", "two words"),
        (18, 'q"x', "esc"),
        (20, "list", "a, b;c"),
    ]
    assert [(warning.line, warning.message) for warning in source.warnings] == [
        (8, "need name:value pair"),
        (9, "need name:value pair"),
        (10, "need name:value pair"),
        (12, 'duplicate entry: "dup"'),
        (16, "need name:value pair"),
        (19, "name must be local"),
    ]


def test_it_takes_crlf_and_only_ascii_blanks() -> None:
    source = parse_postmap("k1 v1\r\nk2 v2\r\n\u00a0k4 v4\n")
    assert [(entry.key, entry.value) for entry in source.entries] == [
        ("k1", "v1"),
        ("k2", "v2"),
        ("\u00a0k4", "v4"),
    ]


def test_it_ignores_what_is_not_utf8() -> None:
    source = parse_postmap(b"a b\nk\xf6 v\n".decode("utf-8", "surrogateescape"))
    assert [entry.key for entry in source.entries] == ["a"]
    assert str(source.warnings[0]) == 'line 2: non-UTF-8 input "k? v" -- ignoring this line'


def test_printing_sorts() -> None:
    text = print_postmap([("b", "2"), ('"a b"', "1"), ("a", "x y")])
    assert text == '"a b" 1\na x y\nb 2\n'
    assert print_postalias([("joe smith", "a, b"), ("root", "x")]) == '"joe smith": a, b\nroot: x\n'


@pytest.mark.parametrize(
    "entry",
    [("a b", "x"), ("", "x"), ("a", ""), ("#a", "x"), ("a", "x\ny"), ("a", "x "), ('"a', "x")],
)
def test_it_prints_nothing_that_reads_otherwise(entry: tuple[str, str]) -> None:
    with pytest.raises(EntryError):
        print_postmap([entry])


def test_printing_and_reading_are_inverse() -> None:
    source = random.Random(20261122)
    letters = "ab:;,#\"\\' @.(<é\t"
    read = 0
    for _ in range(4000):
        entry = tuple("".join(source.choices(letters, k=source.randint(1, 6))) for _ in range(2))
        for write, parse in ((print_postmap, parse_postmap), (print_postalias, parse_postalias)):
            try:
                text = write([(entry[0], entry[1])])
            except EntryError:
                continue
            found = parse(text).entries
            assert [each.key for each in found] == [entry[0]], repr(entry)
            read += 1
    assert read > 1000


def test_any_text_is_read_without_an_exception() -> None:
    source = random.Random(7)
    letters = 'ab:,#"\\ \t\n\r()<>@[]\udc80é'
    for _ in range(3000):
        text = "".join(source.choices(letters, k=source.randint(0, 30)))
        for parse in (parse_postmap, parse_postalias):
            for entry in parse(text).entries:
                assert entry.key
                assert "\udc80" not in entry.key + entry.value


def test_a_source_of_any_length_is_read_one_by_one() -> None:
    lines = ("a 1", "# a remark", "", "b", "c 2", "  3", "a 4")
    found = list(read_entries(iter(lines)))
    assert found == [
        SourceEntry(1, "a", "1"),
        SourceWarning(4, "expected format: key whitespace value"),
        SourceEntry(5, "c", "2  3"),
        SourceEntry(7, "a", "4"),
    ]
    assert list(read_entries(["joe: a,b"], aliases=True)) == [SourceEntry(1, "joe", "a, b")]
