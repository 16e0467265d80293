"""Domain names, literals and networks."""

from __future__ import annotations

import ipaddress

import pytest

from tables.domains import (
    NetworkItem,
    display,
    is_address_literal,
    is_plain_host,
    parents,
    parse_domain,
    parse_literal,
    parse_network,
    to_ascii,
)
from tables.errors import AddressSyntaxError


def test_it_works() -> None:
    assert parse_domain("Example.COM.") == "example.com"


def test_it_stores_a_labels_and_shows_u_labels() -> None:  # RFC 5891 5
    assert parse_domain("Bücher.example") == "xn--bcher-kva.example"
    assert display("xn--bcher-kva.example") == "bücher.example"
    assert to_ascii("BÜCHER.example") == "xn--bcher-kva.example"


def test_display_and_to_ascii_never_raise() -> None:
    assert display("xn--a.example") == "xn--a.example"
    assert to_ascii("\u2028..x") == "\u2028..x"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "missing"),
        (".", "missing"),
        ("a..b", "Two dots"),
        (".a", "Two dots"),
        ("-a.example", "hyphen"),
        ("a-.example", "hyphen"),
        ("a_b.example", "'_'"),
        ("a b.example", "' '"),
        ("192.0.2.1", "IP address"),
        ("x" * 64 + ".example", "63"),
        ("x." * 128 + "xx", "255"),
        ("\u2028.example", "not a domain name"),
    ],
)
def test_it_rejects_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(AddressSyntaxError, match=sentence):
        parse_domain(text)


def test_it_takes_the_underscore_of_peers() -> None:  # valid_hostname(3)
    assert parse_domain("a_b.example", literal_underscore=True) == "a_b.example"
    assert is_plain_host("a_b.example")


@pytest.mark.parametrize(
    "name", ["", ".a", "a.", "-a", "a-", "a..b", "a.-b", "1.2.3.4", "é", "a/b"]
)
def test_it_knows_what_is_no_host(name: str) -> None:
    assert not is_plain_host(name)


def test_it_lists_parents_nearest_first() -> None:
    assert list(parents("a.b.example.com")) == ["b.example.com", "example.com", "com"]
    assert list(parents("com")) == []


def test_it_reads_address_literals() -> None:  # RFC 5321 4.1.3
    assert is_address_literal("[192.0.2.1]")
    assert parse_literal("[192.0.2.1]").text == "[192.0.2.1]"
    assert parse_literal("[ipv6:2001:DB8::0:1]").text == "[IPv6:2001:db8::1]"


@pytest.mark.parametrize("text", ["[192.0.2]", "[2001:db8::1]", "[]", "[IPv6:192.0.2.1]"])
def test_it_rejects_wrong_literals(text: str) -> None:
    with pytest.raises(AddressSyntaxError, match="not an address literal"):
        parse_literal(text)


@pytest.mark.parametrize(
    ("text", "network", "excluded"),
    [
        ("10.0.0.0/8", "10.0.0.0/8", False),
        ("192.0.2.1", "192.0.2.1/32", False),
        ("!192.0.2.0/24", "192.0.2.0/24", True),
        ("[2001:db8::]/32", "2001:db8::/32", False),
        ("[::1]", "::1/128", False),
        ("![::1]/128", "::1/128", True),
        ("2001:db8::1", "2001:db8::1/128", False),
    ],
)
def test_it_reads_networks(text: str, network: str, excluded: bool) -> None:
    assert parse_network(text) == NetworkItem(ipaddress.ip_network(network), excluded)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "joe", "", "[10.0.0.0]/8", "::1/x"])
def test_it_rejects_wrong_networks(text: str) -> None:
    with pytest.raises(AddressSyntaxError):
        parse_network(text)
