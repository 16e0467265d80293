"""What only the running machine knows."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys

import pytest

from delivery.config import read_config
from delivery.runtime import machine
from tables.parameters import Parameters


def test_it_works() -> None:
    config = read_config({"WAYPOST_HOME": "/srv/waypost"})
    found = machine.on_this_machine(Parameters({}), config)
    assert "." in found.text("myhostname")
    assert found.text("myhostname") == found.text("myhostname").lower()
    assert found.items("mynetworks")[:2] == ("127.0.0.1/32", "[::1]/128")
    assert found.text("virtual_mailbox_base") == "/srv/waypost/mail"
    given = {"mynetworks": "192.0.2.0/24"}
    assert machine.on_this_machine(Parameters(given), config).items("mynetworks") == (
        "192.0.2.0/24",
    )


def test_networks_of_the_interfaces_in_use() -> None:
    config = read_config({"WAYPOST_HOME": "/srv/waypost"})
    given = {
        "inet_interfaces": "loopback-only",
        "inet_protocols": "ipv4",
        "mynetworks_style": "subnet",
    }
    assert machine.on_this_machine(Parameters(given), config).items("mynetworks") == (
        "127.0.0.0/8",
    )


@pytest.mark.parametrize(
    "style, expected",
    [
        ("host", "127.0.0.1/32 [2001:db8::9]/128 10.1.2.3/32 172.16.3.4/32 192.0.2.70/32"),
        ("subnet", "127.0.0.0/8 [2001:db8::]/64 10.1.2.0/24 172.16.3.4/32 192.0.2.64/26"),
        ("class", "127.0.0.0/8 [2001:db8::]/64 10.0.0.0/8 172.16.0.0/16 192.0.2.0/24"),
    ],
)
def test_networks_by_style(style: str, expected: str) -> None:
    masks = {
        "127.0.0.1": "255.0.0.0",
        "2001:db8::9": "64",
        "10.1.2.3": "255.255.255.0",
        "172.16.3.4": "",
        "192.0.2.70": "255.255.255.192",
    }
    assert machine.networks_of(masks, style) == expected


def test_own_addresses() -> None:
    everywhere = machine.own_addresses(Parameters({}))
    assert everywhere[:2] == ("127.0.0.1", "::1")
    for text in everywhere:
        ipaddress.ip_address(text)
    some = Parameters(
        {"inet_interfaces": "192.0.2.1, [2001:db8::1]", "proxy_interfaces": "198.51.100.1, gw"}
    )
    assert machine.own_addresses(some) == ("192.0.2.1", "2001:db8::1", "198.51.100.1")
    assert "::1" not in machine.own_addresses(Parameters({"inet_protocols": "ipv4"}))


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


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="sched(7) of Linux")
def test_a_process_that_works_in_batches() -> None:
    told = "from delivery.runtime import machine; machine.work_in_batches()"
    code = f"import os; {told}; print(os.sched_getscheduler(0) == os.SCHED_BATCH)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "True\n"
