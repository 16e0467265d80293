"""machine - what only the running machine knows: its name, addresses, descriptors, processors.

SUMMARY      on_this_machine(parameters, config) -> with its defaults; own_addresses(parameters)
RULES        a parameter that was set wins over these (tables/parameters.py)
             myhostname: the host's name, with .localdomain when it has no dot, as in postconf(5)
             mynetworks: the addresses mail is received on, alone (mynetworks_style = host), with
             their subnets (subnet), or with the network classes of RFC 791 (class; IPv6: subnet)
SOURCE       postconf(5) myhostname, mynetworks, mynetworks_style, inet_interfaces
"""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import os
import resource
import socket
from collections.abc import Iterable, Mapping

import psutil

from delivery.config import Config
from tables.parameters import Parameters

LOOPBACK = ("127.0.0.1", "::1")
DESCRIPTORS = 65_536  # more than this is never asked for
SMTPD_PROCESSES = 4  # more than these give the one with the queue no time to rest
# objects before the collector looks for cycles: mail makes none, but many objects at a time
CYCLES = 10_000


def host_name() -> str:
    """The default of myhostname, lower case."""
    name = socket.gethostname().strip(".").lower() or "localhost"
    return name if "." in name else f"{name}.localdomain"


def interfaces() -> dict[str, str]:
    """Addresses of this machine's network interfaces and their masks, loopback first.

    Zones are cut off.
    """
    found = {"127.0.0.1": "255.0.0.0", "::1": "128"}
    for items in psutil.net_if_addrs().values():
        for item in items:
            if item.family in (socket.AF_INET, socket.AF_INET6):
                address = item.address.partition("%")[0]
                found.setdefault(address, _mask(address, item.netmask or ""))
    return found


def interface_addresses() -> tuple[str, ...]:
    """The addresses alone."""
    return tuple(interfaces())


def networks_of(masks: Mapping[str, str], style: str = "host") -> str:
    """mynetworks in main.cf form; `masks`: an address -> the mask of its subnet."""
    found = []
    for text, mask in masks.items():
        address = ipaddress.ip_address(text)
        if style == "class" and address.version == 4:
            mask = _class_mask(int(address) >> 24)
        elif style == "host" or not mask:
            mask = str(address.max_prefixlen)
        network = ipaddress.ip_network(f"{address}/{mask}", strict=False)
        name = network.network_address
        brackets = f"[{name}]" if network.version == 6 else str(name)
        found.append(f"{brackets}/{network.prefixlen}")
    return " ".join(dict.fromkeys(found))


def on_this_machine(parameters: Parameters, config: Config) -> Parameters:
    """The parameters with the defaults that only the machine knows."""
    named = parameters.with_defaults(
        {"myhostname": host_name(), "virtual_mailbox_base": str(config.mail)}
    )
    masks = interfaces()
    own = {name: masks.get(name, "") for name in _addresses(named, ("inet_interfaces",))}
    networks = networks_of(own, named.text("mynetworks_style"))
    return named.with_defaults({"mynetworks": networks})


def own_addresses(parameters: Parameters) -> tuple[str, ...]:
    """Addresses that mail for this machine may name: inet_interfaces and proxy_interfaces.

    Of the families of inet_protocols alone.
    """
    return _addresses(parameters, ("inet_interfaces", "proxy_interfaces"))


def _addresses(parameters: Parameters, names: Iterable[str]) -> tuple[str, ...]:
    own: list[str] = []
    for name in names:
        for item in parameters.items(name):
            if item == "all":
                own.extend(interface_addresses())
                continue
            if item == "loopback-only":
                own += LOOPBACK
                continue
            try:
                own.append(str(ipaddress.ip_address(item.strip("[]"))))
            except ValueError:
                continue  # a host name: resolved by nobody yet, see docs/SPECIFICATIONS.md
    spoken = families(parameters)
    return tuple(address for address in dict.fromkeys(own) if _family_of(address) in spoken)


def listening_addresses(parameters: Parameters) -> tuple[str, ...] | None:
    """Where services without an address of their own listen; None: on every address."""
    items = parameters.items("inet_interfaces")
    if "all" in items:
        return None
    found: list[str] = []
    for item in items:
        if item == "loopback-only":
            found += LOOPBACK
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


def smtpd_processes() -> int:
    """How many processes shall speak to clients: one for each processor that we may use."""
    return min(len(os.sched_getaffinity(0)), SMTPD_PROCESSES)


def work_in_batches() -> None:
    """Ask the system not to stop others the moment that there is something for us to do.

    More has come when it is our turn then, and one turn of the loop does for all of it. Where a
    processor rests it changes nothing. sched(7) SCHED_BATCH; where it is forbidden we go without.
    """
    policy = getattr(os, "SCHED_BATCH", None)
    if policy is not None:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, policy, os.sched_param(0))


def rest_collector() -> None:
    """What was made until now stays: the collector of cycles need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(CYCLES)


def _mask(address: str, mask: str) -> str:
    """A mask in words of ipaddress: IPv6 masks are counted; '' is the address alone."""
    if not mask:
        return ""
    if ":" not in address:
        return mask
    return str(int(ipaddress.IPv6Address(mask.partition("/")[0])).bit_count())


def _class_mask(first: int) -> str:
    """RFC 791 3.2: the class of an address, told by its first octet."""
    if first < 128:
        return "8"
    return "16" if first < 192 else "24" if first < 224 else "32"


def _family_of(address: str) -> str:
    """ipv4 or ipv6; '' for a host name."""
    try:
        return f"ipv{ipaddress.ip_address(address).version}"
    except ValueError:
        return ""
