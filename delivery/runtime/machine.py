"""machine - what only the running machine knows: its name, its addresses, its descriptors.

SUMMARY      machine_defaults(config) -> defaults for tables.parameters; own_addresses(parameters)
RULES        a parameter that was set wins over these (tables/parameters.py)
             myhostname: the host's name, with .localdomain when it has no dot, as in postconf(5)
             mynetworks: as mynetworks_style = host says: own addresses only
SOURCE       postconf(5) myhostname, mynetworks, mynetworks_style, inet_interfaces
"""

from __future__ import annotations

import ipaddress
import resource
import socket
from collections.abc import Iterable

import psutil

from delivery.config import Config
from tables.parameters import Parameters

DESCRIPTORS = 65_536  # more than this is never asked for


def host_name() -> str:
    """The default of myhostname, lower case."""
    name = socket.gethostname().strip(".").lower() or "localhost"
    return name if "." in name else f"{name}.localdomain"


def interface_addresses() -> tuple[str, ...]:
    """Addresses of this machine's network interfaces, loopback first; zones are cut off."""
    found = ["127.0.0.1", "::1"]
    for items in psutil.net_if_addrs().values():
        for item in items:
            if item.family in (socket.AF_INET, socket.AF_INET6):
                found.append(item.address.partition("%")[0])
    return tuple(dict.fromkeys(found))


def networks_of(addresses: Iterable[str]) -> str:
    """mynetworks for exactly these addresses, in main.cf form."""
    items = []
    for text in addresses:
        address = ipaddress.ip_address(text)
        items.append(f"[{address}]/128" if address.version == 6 else f"{address}/32")
    return " ".join(items)


def machine_defaults(config: Config) -> dict[str, str]:
    """Defaults of this machine for tables.parameters.Parameters."""
    return {
        "myhostname": host_name(),
        "mynetworks": networks_of(interface_addresses()),
        "virtual_mailbox_base": str(config.mail),
    }


def own_addresses(parameters: Parameters) -> tuple[str, ...]:
    """Addresses that mail for this machine may name: inet_interfaces and proxy_interfaces."""
    own: list[str] = []
    for name in ("inet_interfaces", "proxy_interfaces"):
        for item in parameters.items(name):
            if item in ("all", "loopback-only"):
                own.extend(interface_addresses())
                continue
            try:
                own.append(str(ipaddress.ip_address(item.strip("[]"))))
            except ValueError:
                continue  # a host name: resolved by nobody yet, see docs/SPECIFICATIONS.md
    return tuple(dict.fromkeys(own))


def listening_addresses(parameters: Parameters) -> tuple[str, ...] | None:
    """Where services without an address of their own listen; None: on every address."""
    items = parameters.items("inet_interfaces")
    if "all" in items:
        return None
    found: list[str] = []
    for item in items:
        if item == "loopback-only":
            found += ["127.0.0.1", "::1"]
        else:
            found.append(item.strip("[]"))
    wanted = families(parameters)
    return tuple(
        address for address in dict.fromkeys(found) if _family_of(address) in (*wanted, "")
    )


def families(parameters: Parameters) -> tuple[str, ...]:
    """postconf(5) inet_protocols: of ipv4 and ipv6 those that are spoken."""
    words = parameters.items("inet_protocols")
    return ("ipv4", "ipv6") if "all" in words else words


def raise_descriptor_limit() -> int:
    """Take as many file descriptors as the system gives; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def _family_of(address: str) -> str:
    """ipv4 or ipv6; '' for a host name."""
    try:
        return f"ipv{ipaddress.ip_address(address).version}"
    except ValueError:
        return ""
