"""Types and kinds of tables, and type:name."""

from __future__ import annotations

import pytest

from tables.errors import EntryError
from tables.parameters import REGISTRY
from tables.specs import (
    KIND_OF_PARAMETER,
    KINDS,
    TYPES,
    TableReference,
    is_reference,
    parse_reference,
)


def test_it_works() -> None:
    assert parse_reference("hash:virtual") == TableReference("hash", "virtual")


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("proxy:hash:virtual", TableReference("hash", "virtual")),
        ("static:OK", TableReference("static", "OK")),
        ("proxy:unix:passwd.byname", TableReference("unix", "passwd.byname")),
        ("static:{a b}", TableReference("static", "{a b}")),
        ("inline:{ a=b, c=d }", TableReference("inline", "{ a=b, c=d }")),
        ("regexp:{{/x/ y}}", TableReference("regexp", "{{/x/ y}}")),
        ("cdb:/etc/postfix/access", TableReference("cdb", "/etc/postfix/access")),
        ("unionmap:{hash:a,hash:b}", TableReference("unionmap", "{hash:a,hash:b}")),
    ],
)
def test_it_reads_references(text: str, reference: TableReference) -> None:
    assert parse_reference(text) == reference
    assert is_reference(text)
    assert parse_reference(reference.text) == reference


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("virtual", "for instance hash:virtual"),
        ("mysql:virtual", "not supported"),
        ("nis:passwd.byname", "not supported"),
        ("hsah:virtual", "no table type"),
        ("hash:", "name of a table"),
        ("hash:a b", "name of a table"),
        ("inline:{a=b", "closing"),
        ("static:", "must follow"),
    ],
)
def test_it_rejects_references(text: str, sentence: str) -> None:
    with pytest.raises(EntryError, match=sentence):
        parse_reference(text)


def test_what_is_no_reference() -> None:
    assert not is_reference("[::1]/128")
    assert not is_reference("2001:db8::1")
    assert not is_reference("example.com")
    assert is_reference("ldap:x")  # a table, though not one of ours


def test_kinds_name_types_that_have_rows() -> None:
    for kind in KINDS.values():
        assert kind.types
        assert all(TYPES[name].has_rows for name in kind.types)
        assert kind.key_help
        assert kind.value_help
    assert not TYPES["static"].has_rows
    assert TYPES["cidr"].ordered
    assert TYPES["cdb"].indexed


def test_parameters_name_tables_of_kinds_that_there_are() -> None:
    assert KIND_OF_PARAMETER.keys() <= REGISTRY.keys()
    assert set(KIND_OF_PARAMETER.values()) <= KINDS.keys()


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("access", "192.0.2.1", "REJECT go away"),
        ("aliases", "root", "joe, |/bin/cmd"),
        ("virtual", "@example.com", "joe@example.net"),
        ("canonical", "joe", "joe.smith@example.com"),
        ("generic", "joe@host.local", "joe@example.com"),
        ("transport", ".example.com", "smtp:[gw.example.com]"),
        ("relocated", "joe@example.com", "moved to example.net"),
        ("bcc", "joe@example.com", "archive@example.com"),
        ("recipients", "joe@example.com", "example.com/joe/Maildir/"),
        ("domains", "example.com", "OK"),
        ("passwords", "[mx.example.com]:587", "joe:geheim"),
        ("header_checks", "/^Subject: x/", "REJECT"),
        ("text", "anything", "at all"),
    ],
)
def test_every_kind_takes_an_example(kind: str, key: str, value: str) -> None:
    assert KINDS[kind].parse_key(key)
    assert KINDS[kind].parse_value(value)


def test_every_kind_has_an_example() -> None:
    marker = test_every_kind_takes_an_example.pytestmark[0]  # type: ignore[attr-defined]
    assert {kind for kind, _, _ in marker.args[1]} == set(KINDS)
