"""The one door for look-ups: order of keys and tables, partial keys, errors, the trace."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tables.errors import TableUnavailable
from tables.formats.base import FailMap
from tables.formats.cdb import CdbBuilder, CdbMap
from tables.formats.layered import LayeredMap
from tables.formats.memory import MemoryMap
from tables.formats.regexp import open_regexp
from tables.keys import Key
from tables.reading.lookup import Found, Maps

FIRST = ("hash:first", MemoryMap({"joe@example.com": "one", "@example.com": "all"}))
SECOND = ("hash:second", MemoryMap({"joe@example.com": "two", "jane@example.com": "jane"}))
PATTERNS = ("regexp:any", open_regexp("/^example/ domain\n/./ anything\n"))
BROKEN = ("hash:broken", FailMap("disk on fire"))


def test_it_works() -> None:
    maps = Maps([FIRST, SECOND])
    assert maps.find(["Joe@example.com"]) == Found("Joe@example.com", "one", "hash:first")
    assert maps.find(["nobody"]) is None
    assert maps.get("jane@example.com") == "jane"
    assert maps.names == ("hash:first", "hash:second")


def test_every_table_is_asked_for_a_key_before_the_next_key() -> None:
    found = Maps([FIRST, SECOND]).find(["jane@example.com", "@example.com"])
    assert found == Found("jane@example.com", "jane", "hash:second")


def test_pattern_tables_do_not_see_partial_keys() -> None:
    maps = Maps([PATTERNS, ("hash:domains", MemoryMap({"example.com": "hash"}))])
    assert maps.find([Key("example.com", True)]) == Found("example.com", "hash", "hash:domains")
    assert maps.find([Key("example.com")]) == Found("example.com", "domain", "regexp:any")


def test_an_unavailable_table_ends_the_search() -> None:
    maps = Maps([BROKEN, FIRST])
    with pytest.raises(TableUnavailable, match="hash:broken: disk on fire"):
        maps.find(["joe@example.com"])
    assert Maps([FIRST, BROKEN]).get("joe@example.com") == "one"


def test_an_empty_result_is_a_broken_table_not_a_miss() -> None:
    with pytest.raises(TableUnavailable, match="empty result"):
        Maps([("hash:empty", MemoryMap({"a": ""}))]).get("a")


def test_the_empty_key_is_never_asked() -> None:
    assert Maps([BROKEN]).find(["", Key("")]) is None


def test_no_tables_have_nothing() -> None:
    assert not Maps([])
    assert Maps([]).find(["a"]) is None
    assert Maps([FIRST])


def test_the_trace_has_one_record_for_each_question() -> None:
    asked: list[tuple[str, str, str | None]] = []
    keys = [Key("joe+x@example.com"), Key("joe@example.com", True)]
    Maps([FIRST, PATTERNS]).find(keys[1:], lambda *record: asked.append(record))
    assert asked == [("hash:first", "joe@example.com", "one")]
    asked.clear()
    Maps([SECOND, PATTERNS]).find([Key("x", True), *keys], lambda *record: asked.append(record))
    assert asked == [
        ("hash:second", "x", None),
        ("hash:second", "joe+x@example.com", None),
        ("regexp:any", "joe+x@example.com", "anything"),
    ]


def test_the_trace_tells_of_a_table_that_could_not_be_asked() -> None:
    asked: list[tuple[str, str, str | None]] = []
    with pytest.raises(TableUnavailable):
        Maps([FIRST, BROKEN]).find(["nobody"], lambda *record: asked.append(record))
    assert asked == [("hash:first", "nobody", None)]


def cdb(path: Path, entries: dict[str, str]) -> CdbMap:
    with CdbBuilder(path) as builder:
        for key, value in entries.items():
            builder.add(key, value)
        builder.finish()
    return CdbMap(path)


def test_one_hash_table_answers_as_any_other(tmp_path: Path) -> None:
    """The short way through find, against the long one, which a trace takes."""
    seen = random.Random(20261122)
    names = ["a", "B", "ü", "ẞ", "joe@example.com", "a b", "\ud800", "", "x" * 300]
    for number in range(40):
        base = {seen.choice(names[:6]): seen.choice(["v", "ö", "w x"]) for _ in range(4)}
        edits = {seen.choice(names[:6]): seen.choice(["n", "", "é"]) for _ in range(3)}
        layers = [cdb(tmp_path / f"{number}e", edits), cdb(tmp_path / f"{number}b", base)]
        for table in (layers[1], LayeredMap(layers)):
            maps = Maps([("hash:x", table)])
            for _ in range(20):
                keys = [seen.choice((str, Key))(seen.choice(names)) for _ in range(3)]
                assert maps.find(keys) == maps.find(keys, lambda *_: None), keys
                one = seen.choice(names)
                assert maps.get(one) == maps.get(one, lambda *_: None), one


def test_one_hash_table_with_an_empty_or_unreadable_value(tmp_path: Path) -> None:
    empty = Maps([("hash:x", cdb(tmp_path / "empty", {"a": ""}))])
    with pytest.raises(TableUnavailable, match="hash:x: empty result for 'A'"):
        empty.find(["none", "A"])
    with pytest.raises(TableUnavailable, match="hash:x: empty result for 'A'"):
        empty.get("A")
    path = tmp_path / "bad"
    cdb(path, {"a": "mark"}).close()
    path.write_bytes(path.read_bytes().replace(b"mark", b"m\xffrk"))
    with pytest.raises(TableUnavailable, match=r"hash:x: .* decode"):
        Maps([("hash:x", CdbMap(path))]).find(["a"])
    with pytest.raises(TableUnavailable, match=r"hash:x: .* decode"):
        Maps([("hash:x", CdbMap(path))]).get("a")
