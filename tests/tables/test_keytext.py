"""Left-hand sides as administrators write them, and as they are stored."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tables.addresses import Address
from tables.errors import EntryError
from tables.keys import access_mail, address_keys, alias_keys, transport_keys
from tables.keytext import (
    access_key,
    address_key,
    alias_key,
    any_key,
    domain_key,
    transport_key,
)


def test_it_works() -> None:
    assert address_key("Joe@Example.COM") == "joe@example.com"


@pytest.mark.parametrize(
    ("parse", "text", "key"),
    [
        (address_key, "@Example.com", "@example.com"),
        (address_key, "Joe", "joe"),
        (address_key, '"joe smith"@x.test', '"joe smith"@x.test'),
        (address_key, '"joe"@x.test', "joe@x.test"),
        (address_key, "jörg@Bücher.example", "jörg@xn--bcher-kva.example"),
        (address_key, "joe@[192.0.2.1]", "joe@[192.0.2.1]"),
        (alias_key, "Postmaster", "postmaster"),
        (alias_key, '"Joe Smith"', "joe smith"),
        (domain_key, "Example.com.", "example.com"),
        (domain_key, ".example.com", ".example.com"),
        (address_key, "<>", "<>"),
        (transport_key, "*", "*"),
        (transport_key, "<>", "<>"),
        (transport_key, "joe+x@x.test", "joe+x@x.test"),
        (transport_key, ".x.test", ".x.test"),
        (transport_key, "localhost", "localhost"),
        (access_key, "joe@x.test", "joe@x.test"),
        (access_key, "Joe@", "joe@"),
        (access_key, "x.test", "x.test"),
        (access_key, "Bücher.example", "xn--bcher-kva.example"),
        (access_key, "192.0.2", "192.0.2"),
        (access_key, "2001:DB8", "2001:db8"),
        (access_key, "<>", "<>"),
        (access_key, "some/login", "some/login"),
        (any_key, "ANY", "any"),
    ],
)
def test_it_reads(parse: Callable[[str], str], text: str, key: str) -> None:
    assert parse(text) == key


@pytest.mark.parametrize(
    ("parse", "text", "sentence"),
    [
        (any_key, "", "empty"),
        (any_key, " a", "without blanks"),
        (any_key, "x" * 2000, "1000 bytes"),
        (address_key, "a b@x.test", "not one address"),
        (address_key, "a, b", "not one address"),
        (address_key, "joe@x..test", "Two dots"),
        (address_key, '"joe@x.test', "quote"),
        (alias_key, "joe@x.test", "without @"),
        (alias_key, "a:b", "needs quotes"),
        (domain_key, "x y", "cannot be part"),
        (transport_key, "@x.test", "without the @"),
        (transport_key, "joe@", "never matches here: write joe,"),
        (address_key, "joe@", "never matches here: write joe,"),
        (access_key, "@x.test", "without the @"),
        (access_key, "10.1.2.", "never matches: write 10.1.2,"),
        (access_key, "10.9.0.0/16", "type cidr"),
        (access_key, "2001:db8::/32", "type cidr"),
    ],
)
def test_it_rejects_with_a_sentence(parse: Callable[[str], str], text: str, sentence: str) -> None:
    with pytest.raises(EntryError, match=sentence):
        parse(text)


def test_what_is_stored_is_what_is_asked_for() -> None:
    address = Address("Joe Smith", "Bücher.example")
    asked = {key.text.casefold() for key in address_keys(address)}
    assert address_key('"joe smith"@bücher.example') in asked
    assert address_key("@bücher.example") in asked
    assert alias_key('"joe smith"') in {key.text.casefold() for key in alias_keys("Joe Smith")}
    assert access_key("bücher.example") in {key.text for key in access_mail(address)}
    assert access_key('"joe smith"@') in {key.text.casefold() for key in access_mail(address)}
    assert transport_key("*") in {key.text for key in transport_keys(address)}
