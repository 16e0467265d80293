"""What only the running machine knows."""

from __future__ import annotations

import ipaddress

import pytest

from delivery.config import read_config
from delivery.runtime import machine
from tables.parameters import Parameters


def test_it_works() -> None:
    defaults = machine.machine_defaults(read_config({"WAYPOST_HOME": "/srv/waypost"}))
    assert "." in defaults["myhostname"]
    assert defaults["myhostname"] == defaults["myhostname"].lower()
    assert "127.0.0.1/32" in defaults["mynetworks"].split()
    assert "[::1]/128" in defaults["mynetworks"].split()
    assert defaults["virtual_mailbox_base"] == "/srv/waypost/mail"
    Parameters({}, defaults=defaults).items("mynetworks")


def test_own_addresses() -> None:
    everywhere = machine.own_addresses(Parameters({}))
    assert everywhere[:2] == ("127.0.0.1", "::1")
    for text in everywhere:
        ipaddress.ip_address(text)
    some = Parameters(
        {"inet_interfaces": "192.0.2.1, [2001:db8::1]", "proxy_interfaces": "198.51.100.1, gw"}
    )
    assert machine.own_addresses(some) == ("192.0.2.1", "2001:db8::1", "198.51.100.1")


@pytest.mark.parametrize(
    "interfaces, protocols, expected",
    [
        ("all", "all", None),
        ("loopback-only", "all", ("127.0.0.1", "::1")),
        ("loopback-only", "ipv4", ("127.0.0.1",)),
        ("192.0.2.1, [2001:db8::1]", "ipv6", ("2001:db8::1",)),
        ("mx.example.com", "ipv4", ("mx.example.com",)),
        ("192.0.2.1", "ipv6", ()),
    ],
)
def test_where_services_listen(
    interfaces: str, protocols: str, expected: tuple[str, ...] | None
) -> None:
    given = Parameters({"inet_interfaces": interfaces, "inet_protocols": protocols})
    assert machine.listening_addresses(given) == expected


def test_families() -> None:
    assert machine.families(Parameters({"inet_protocols": "all"})) == ("ipv4", "ipv6")
    assert machine.families(Parameters({"inet_protocols": "ipv4"})) == ("ipv4",)


def test_the_descriptor_limit_is_a_number() -> None:
    first = machine.raise_descriptor_limit()
    assert 0 < first <= machine.DESCRIPTORS or first > 0
    assert machine.raise_descriptor_limit() == first
