"""References type:name: inline tables, tables of tables, and what cannot be opened."""

from __future__ import annotations

import pytest

from tables.errors import EntryError, TableUnavailable
from tables.formats.base import FailMap, Map, changes
from tables.formats.inline import open_inline
from tables.formats.memory import MemoryMap
from tables.formats.pipemap import PipeMap
from tables.formats.randmap import RandomMap
from tables.formats.reference import open_reference, open_source
from tables.formats.texthash import open_texthash
from tables.formats.unionmap import UnionMap
from tables.formats.unix import open_unix

NAMED: dict[str, Map] = {
    "hash:users": MemoryMap({"joe": "Joe", "Jane": "jane"}),
    "hash:names": MemoryMap({"Joe": "Josephine"}),
}


def open_named(table_type: str, name: str) -> Map:
    """The tables of a generation, as a twin."""
    return NAMED[f"{table_type}:{name}"]


def ask(reference: str, key: str) -> str | None:
    return open_reference(reference, open_named).get(key)


def test_it_works() -> None:
    assert ask("hash:users", "JOE") == "Joe"
    assert ask("proxy:hash:users", "jane") == "jane"
    assert ask("inline:{ a=b, { c = d e } }", "C") == "d e"
    assert ask("static:OK", "anything") == "OK"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("{a=b}", {"a": "b"}),
        ("{ a=b  c=d }", {"a": "b", "c": "d"}),
        ("{ {a = x y}, {b={z} w} }", {"a": "x y", "b": "{z} w"}),
        ('{ {"a b" = c} }', {'"a b"': "c", "a b": None}),
        ("{ {k = 1}, {K = 2} }", {"k": "2"}),
        ("{ {a = } }", {"a": ""}),
        ("{ {= b} }", {"": "b"}),
        ("{ a=b=c }", {"a": "b=c"}),
    ],
)
def test_inline_tables(name: str, expected: dict[str, str | None]) -> None:
    table = open_inline(name)
    assert {key: table.get(key) for key in expected} == expected
    assert not table.is_pattern


@pytest.mark.parametrize(
    "name", ["{}", "{ , }", "a=b", "{a=b", "{a=b}x", "{a}", '{ {"a = b} }', "{{}}"]
)
def test_it_rejects_inline_tables_that_are_malformed(name: str) -> None:
    with pytest.raises(EntryError):
        open_inline(name)


@pytest.mark.parametrize(
    ("name", "value"), [("a,b", "a,b"), ("{two words}", "two words"), ("{ x }", "x"), (" ", " ")]
)
def test_static_values(name: str, value: str) -> None:
    assert ask(f"static:{name}", "") == value


def test_a_union_joins_what_its_tables_have() -> None:
    reference = "unionmap:{inline:{a=1,b=2},inline:{b=3},hash:users}"
    assert [ask(reference, key) for key in ("a", "b", "joe", "x")] == ["1", "2,3", "Joe", None]


def test_a_union_leaves_empty_values_out() -> None:
    union = UnionMap([MemoryMap({"a": "", "b": "1"}), MemoryMap({"a": "2", "b": ""})])
    assert [union.get(key) for key in ("a", "b")] == ["2", "1,"]
    assert UnionMap([MemoryMap({"a": ""})]).get("a") is None


def test_a_pipe_asks_with_the_value_of_the_table_before() -> None:
    reference = "pipemap:{hash:users, hash:names}"
    assert [ask(reference, key) for key in ("joe", "jane", "x")] == ["Josephine", None, None]


def test_a_random_table_gives_one_of_its_values() -> None:
    table = open_reference("randmap:{a, {b c}, a}", open_named)
    assert {table.get(str(n)) for n in range(200)} == {"a", "{b c}"}
    assert RandomMap(["x", "y"], choose=lambda values: values[1]).get("k") == "y"


def test_rules_may_stand_in_the_reference() -> None:
    assert ask("regexp:{ {/^a(.)$/ one $1}, {/b/ two} }", "ax") == "one x"
    assert ask("pcre:{{/\\d/ digit}}", "7") == "digit"
    assert ask("cidr:{ {10.0.0.0/8 ten}, {0.0.0.0/0 all} }", "11.1.1.1") == "all"


def test_whatever_contains_an_unavailable_table_is_unavailable() -> None:
    for reference in ("fail:x", "unionmap:{static:a, fail:x}", "pipemap:{static:a, fail:x}"):
        with pytest.raises(TableUnavailable):
            ask(reference, "a")


def test_pattern_tables_are_known_by_the_first_member() -> None:
    patterns = {
        "static:x": False,
        "inline:{a=b}": False,
        "hash:users": False,
        "fail:x": True,
        "randmap:{a}": True,
        "regexp:{{/a/ b}}": True,
        "cidr:{{::/0 b}}": True,
        "unionmap:{regexp:{{/a/ b}}, static:x}": True,
        "pipemap:{static:x, regexp:{{/a/ b}}}": False,
    }
    found = {name: open_reference(name, open_named).is_pattern for name in patterns}
    assert found == patterns


def test_tables_whose_answers_change_are_known() -> None:
    changing = ("randmap:{a}", "unix:passwd.byname", "pipemap:{static:x, randmap:{a}}")
    steady = ("static:x", "hash:users", "unionmap:{static:x, static:y}", "fail:x")
    for reference in (*changing, "unionmap:{static:x, unix:group.byname}"):
        assert changes(open_reference(reference, open_named)), reference
    for reference in steady:
        assert not changes(open_reference(reference, open_named)), reference


@pytest.mark.parametrize(
    "reference",
    ["", "static", "static:", ":x", "unionmap:{}", "unionmap:{users}", "pipemap:x", "randmap:{ }"],
)
def test_it_rejects_references_that_are_malformed(reference: str) -> None:
    with pytest.raises(EntryError):
        open_reference(reference, open_named)


def test_it_rejects_endless_nesting() -> None:
    reference = "static:x"
    for _ in range(30):
        reference = f"unionmap:{{{reference}}}"
    with pytest.raises(EntryError, match="nested"):
        open_reference(reference, open_named)


def test_tables_kept_as_text() -> None:
    assert open_source("regexp", "/a/ b\n").get("a") == "b"
    assert open_source("texthash", "Key value\n").get("KEY") == "value"
    with pytest.raises(EntryError):
        open_source("hash", "a b\n")


def test_a_text_table_keeps_the_first_of_equal_keys_and_says_so() -> None:
    table = open_texthash("dup first\nDUP second\nkey: value\nalone\n")
    assert (table.get("dup"), table.get("key:")) == ("first", "value")
    assert [(problem.line, problem.skipped) for problem in table.problems] == [
        (2, True),
        (3, False),
        (4, True),
    ]


def test_system_accounts() -> None:
    line = open_unix("passwd.byname").get("Root")
    assert line is not None
    assert line.startswith("root:")
    assert open_unix("passwd.byname").get("no-such-user-here") is None
    assert (open_unix("group.byname").get("root") or "").startswith("root:")
    with pytest.raises(EntryError):
        open_unix("shadow.byname")


def test_an_unavailable_table_says_why() -> None:
    with pytest.raises(TableUnavailable, match="because"):
        FailMap("because").get("a")


def test_a_pipe_of_one_table_is_that_table() -> None:
    assert PipeMap([MemoryMap({"a": "b"})]).get("A") == "b"
