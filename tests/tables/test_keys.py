"""Lookup keys, in the order of the manuals, and which of them pattern tables do not see."""

from __future__ import annotations

import pytest

from tables.addresses import Address
from tables.keys import (
    Key,
    access_address,
    access_client,
    access_domain,
    access_mail,
    address_keys,
    alias_keys,
    next_hop_keys,
    transport_keys,
)


def texts(keys: tuple[Key, ...]) -> list[str]:
    """The keys, those that pattern tables do not see in brackets."""
    return [f"({key.text})" if key.partial else key.text for key in keys]


JOE = Address("joe+work", "mail.example.com")


def test_it_works() -> None:
    assert texts(address_keys(Address("joe", "example.com"))) == [
        "joe@example.com",
        "(@example.com)",
    ]


def test_addresses_with_extension() -> None:  # mail_addr_find(3), virtual(5)
    assert texts(address_keys(JOE, delimiter="+")) == [
        "joe+work@mail.example.com",
        "(joe@mail.example.com)",
        "(@mail.example.com)",
    ]


def test_addresses_in_a_local_domain() -> None:  # canonical(5): "when site is $myorigin ..."
    assert texts(address_keys(JOE, delimiter="+", is_local=True)) == [
        "joe+work@mail.example.com",
        "(joe@mail.example.com)",
        "(joe+work)",
        "(joe)",
        "(@mail.example.com)",
    ]


def test_the_extension_that_did_not_match_is_told() -> None:
    extensions = [key.extension for key in address_keys(JOE, delimiter="-+", is_local=True)]
    assert extensions == ["", "+work", "", "+work", ""]


def test_addresses_without_a_domain() -> None:
    assert texts(address_keys(Address("joe+work"), delimiter="+")) == ["joe+work", "(joe)"]


def test_quoted_addresses_are_asked_for_in_both_forms() -> None:  # external form first
    assert texts(address_keys(Address("joe smith", "example.com"), is_local=True)) == [
        '"joe smith"@example.com',
        "joe smith@example.com",
        '("joe smith")',
        "(joe smith)",
        "(@example.com)",
    ]


def test_domains_beyond_ascii_become_a_labels() -> None:
    assert texts(address_keys(Address("jörg", "Bücher.example"))) == [
        "jörg@xn--bcher-kva.example",
        "(@xn--bcher-kva.example)",
    ]


def test_case_is_left_to_the_tables() -> None:
    assert texts(address_keys(Address("Joe", "Example.COM")))[0] == "Joe@Example.COM"


def test_aliases() -> None:  # aliases(5), local(8)
    assert texts(alias_keys("joe+work")) == ["joe+work"]
    assert texts(alias_keys("joe smith")) == ['"joe smith"', "joe smith"]


@pytest.mark.parametrize(
    ("parent", "domains"),
    [
        (True, ["(mail.example.com)", "(example.com)", "(com)"]),
        (False, ["(mail.example.com)", "(.example.com)", "(.com)"]),
    ],
)
def test_access_by_address(parent: bool, domains: list[str]) -> None:  # access(5)
    assert texts(access_mail(JOE, delimiter="+", parent=parent)) == [
        "joe+work@mail.example.com",
        "(joe@mail.example.com)",
        *domains,
        "(joe+work@)",
        "(joe@)",
    ]


def test_access_by_client() -> None:  # access(5): the name first, then the address
    assert texts(access_client("mx.example.com", "192.0.2.1")) == [
        "mx.example.com",
        "(example.com)",
        "(com)",
        "192.0.2.1",
        "(192.0.2)",
        "(192.0)",
        "(192)",
    ]


def test_access_by_ipv6_address() -> None:
    assert texts(access_address("2001:db8::1")) == [
        "2001:db8::1",
        "(2001:db8:)",
        "(2001:db8)",
        "(2001)",
    ]


def test_access_by_name() -> None:
    assert texts(access_domain("unknown")) == ["unknown"]
    assert texts(access_domain("a.example.", parent=True)) == ["a.example.", "(example.)"]
    assert texts(access_domain("192.0.2.1")) == ["192.0.2.1"]
    assert texts(access_domain(".example")) == [".example"]
    assert access_domain("") == ()


@pytest.mark.parametrize(
    ("parent", "domains"),
    [
        (False, ["(mail.example.com)", "(.example.com)", "(.com)"]),
        (True, ["(mail.example.com)", "(example.com)", "(com)"]),
    ],
)
def test_transport(parent: bool, domains: list[str]) -> None:  # transport(5)
    assert texts(transport_keys(JOE, delimiter="+", parent=parent)) == [
        "joe+work@mail.example.com",
        "(joe@mail.example.com)",
        *domains,
        "*",
    ]


def test_address_literals_have_no_parents() -> None:
    literal = Address("joe", "[192.0.2.1]")
    assert texts(transport_keys(literal)) == ["joe@[192.0.2.1]", "([192.0.2.1])", "*"]


def test_next_hops() -> None:  # TLS_README, smtp_tls_policy_maps
    assert texts(next_hop_keys("mail.example.com")) == [
        "mail.example.com",
        ".example.com",
        ".com",
    ]
    assert texts(next_hop_keys("[mail.example.com]:587")) == ["[mail.example.com]:587"]
