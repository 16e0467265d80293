"""Match lists: strings, domains with their parents, clients by name and address, exclusions."""

from __future__ import annotations

import pytest

from tables.errors import ParameterError, TableUnavailable
from tables.formats.base import Map
from tables.formats.cidr import open_cidr
from tables.formats.memory import MemoryMap
from tables.formats.reference import open_reference
from tables.formats.regexp import open_regexp
from tables.reading.lookup import Maps
from tables.reading.matchlist import MatchList

TABLES: dict[str, Map] = {
    "hash:names": MemoryMap({"listed.test": "x", "10.9.8.7": "x"}),
    "cidr:nets": open_cidr("172.16.0.0/12 x\n"),
    "regexp:names": open_regexp("/^far\\.test$/ x\n"),
}


def maps(spec: str) -> Maps:
    return Maps([(spec, open_reference(spec, lambda kind, name: TABLES[f"{kind}:{name}"]))])


def match_list(text: str, *, parent: bool = False) -> MatchList:
    return MatchList("mynetworks", text.split(), maps, parent=parent)


def test_it_works() -> None:
    names = match_list("example.com Other.test hash:names")
    assert names.matches("EXAMPLE.com")
    assert names.matches("other.test")
    assert names.matches("listed.test")
    assert not names.matches("sub.example.com")
    assert not names.matches("sub.listed.test")


def test_the_first_pattern_that_matches_decides() -> None:
    assert not match_list("!a.test a.test").matches("a.test")
    assert match_list("a.test !a.test").matches("a.test")
    assert match_list("!!a.test").matches("a.test")


def test_a_domain_matches_its_parent_only_when_the_list_says_so() -> None:
    bare = match_list("example.com .dotted.test hash:names", parent=True)
    assert bare.matches_domain("a.b.example.com")
    assert bare.matches_domain("sub.listed.test")
    assert not bare.matches_domain("notexample.com")
    assert not bare.matches_domain("sub.dotted.test")
    dotted = match_list("example.com .dotted.test hash:names")
    assert not dotted.matches_domain("a.example.com")
    assert dotted.matches_domain("a.b.dotted.test")
    assert not dotted.matches_domain("dotted.test")
    assert not dotted.matches_domain("sub.listed.test")


def test_a_pattern_table_is_not_asked_for_parents() -> None:
    assert match_list("regexp:names", parent=True).matches_domain("far.test")
    assert not match_list("regexp:names", parent=True).matches_domain("a.far.test")


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("192.0.2.77", True),
        ("192.0.2.5", False),
        ("198.51.100.1", True),
        ("198.51.100.2", False),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        ("10.9.8.7", True),
        ("172.20.1.1", True),
        ("unknown", False),
    ],
)
def test_clients_match_by_address(address: str, inside: bool) -> None:
    text = "!192.0.2.5 192.0.2.0/24 198.51.100.1 [2001:db8::]/32 hash:names cidr:nets"
    assert match_list(text).matches_host("unknown", address) is inside


def test_clients_match_by_name() -> None:
    networks = match_list("host.test .inside.test", parent=True)
    assert networks.matches_host("host.test", "192.0.2.1")
    assert networks.matches_host("a.host.test", "192.0.2.1")
    assert not networks.matches_host("unknown", "192.0.2.1")


def test_a_list_of_names_may_hold_literals() -> None:
    names = MatchList("mydestination", ["[192.0.2.1]", "1.test"], maps, hosts=False)
    assert names.matches("[192.0.2.1]")
    assert not names.matches_host("unknown", "192.0.2.1")


def test_a_table_that_cannot_be_asked_is_not_a_no() -> None:
    with pytest.raises(TableUnavailable):
        match_list("a.test fail:down").matches("b.test")
    assert match_list("a.test fail:down").matches("a.test")


@pytest.mark.parametrize("text", ["192.0.2.1/24", "!", "/etc/networks", "[2001:db8::x]/32"])
def test_it_rejects_patterns_that_mean_nothing(text: str) -> None:
    with pytest.raises(ParameterError) as caught:
        match_list(text)
    assert caught.value.name == "mynetworks"


def test_of_a_table_the_keys_count_even_without_values() -> None:
    """Postfix match_list(3) asks whether a table knows the key, and nothing more."""
    found = match_list("regexp:{{/^here/}}")
    assert found.matches_domain("here.example")
    assert not found.matches_domain("there.example")
