"""The one door for look-ups: order of keys and tables, partial keys, errors, the trace."""

from __future__ import annotations

import pytest

from tables.errors import TableUnavailable
from tables.formats.base import FailMap
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
