"""Words that are no commands of ours, as lists and tables name them."""

from __future__ import annotations

from delivery.smtp.settings import ServerSettings
from delivery.smtp.words import CommandWords, words_in_place
from tables.formats.base import FailMap
from tables.formats.memory import MemoryMap
from tables.reading.lookup import Maps


def test_it_works() -> None:
    words = words_in_place(ServerSettings(smtpd_noop_commands=("Foo",)))
    assert words.is_noop("FOO")
    assert words.is_noop("foo")
    assert not words.is_noop("BAR")
    assert words.is_forbidden("GET")
    assert words.is_forbidden("{json}")
    assert not words.is_forbidden("XADR")


def test_tables_count_by_their_keys() -> None:
    settings = ServerSettings(smtpd_noop_commands=("hash:noop",), smtpd_forbidden_commands=())
    words = CommandWords(settings, lambda spec: Maps([(spec, MemoryMap({"foo": "anything"}))]))
    assert words.is_noop("FOO")
    assert not words.is_noop("BAR")
    in_place = words_in_place(ServerSettings(smtpd_forbidden_commands=("!xok", "regexp:{{/^X/}}")))
    assert in_place.is_forbidden("XBAD")
    assert not in_place.is_forbidden("XOK")
    assert not in_place.is_forbidden("GET")


def test_a_table_that_is_away_knows_no_word() -> None:
    settings = ServerSettings(smtpd_noop_commands=("hash:away",))
    words = CommandWords(settings, lambda spec: Maps([(spec, FailMap("gone"))]))
    assert not words.is_noop("FOO")
