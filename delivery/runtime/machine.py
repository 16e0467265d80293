"""machine - what only the running machine knows: its name and its addresses.

SUMMARY      machine_defaults(config) -> defaults for tables.parameters; own_addresses(parameters)
RULES        a parameter that was set wins over these (tables/parameters.py)
             myhostname: the host's name, with .localdomain when it has no dot, as in postconf(5)
             mynetworks: as mynetworks_style = host says: own addresses only
SOURCE       postconf(5) myhostname, mynetworks, mynetworks_style, inet_interfaces
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

import psutil

from delivery.config import Config
from tables.parameters import Parameters


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
