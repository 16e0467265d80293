"""hosts - from a next hop to the addresses to try, in order.

SUMMARY      await find_hosts(hop, resolver, settings) -> tuple[Host, ...], best first
RULES        MX records by preference, equal ones in random order; none: the domain's own addresses
             (implicit MX, RFC 5321 5.1); "." as an exchanger: no mail (RFC 7505)
             an exchanger without an address is left out; this machine, and whatever is not better
             than it, too: mail never goes back to a host that is no nearer (RFC 5321 5.1)
             at most smtp_mx_address_limit addresses
ERRORS       NoHost with status code and reason: 5.x.x is final, 4.x.x may be tried again
SOURCE       RFC 5321 5.1, RFC 7505; Postfix smtp_addr.c
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from delivery.agents.nexthop import NextHop, is_ip_address
from delivery.errors import DeliveryError


class Exchanger(Protocol):
    """One MX record."""

    @property
    def preference(self) -> int: ...

    @property
    def host(self) -> str: ...


class Resolver(Protocol):
    """The DNS: an empty answer means "no such record"; any DeliveryError "could not find out"."""

    async def mx(self, name: str) -> Sequence[Exchanger]: ...

    async def addresses(self, name: str) -> Sequence[str]: ...


class Choices(Protocol):
    """What the configuration says about hosts; postconf(5)."""

    @property
    def disable_dns_lookups(self) -> bool: ...

    @property
    def ignore_mx_lookup_error(self) -> bool: ...

    @property
    def smtp_defer_if_no_mx_address_found(self) -> bool: ...

    @property
    def smtp_host_lookup(self) -> tuple[str, ...]: ...

    @property
    def smtp_randomize_addresses(self) -> bool: ...

    @property
    def smtp_address_preference(self) -> str: ...

    @property
    def smtp_mx_address_limit(self) -> int: ...


class NoHost(Exception):
    """There is nobody to connect to."""

    def __init__(self, dsn: str, reason: str) -> None:
        super().__init__(reason)
        self.dsn = dsn
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Host:
    """One address to connect to; `name` is the host name, or the address itself."""

    name: str
    address: str
    port: int
    preference: int = 0

    @property
    def shown(self) -> str:
        """name[address], as Postfix shows it."""
        return f"{self.name}[{self.address}]"

    @property
    def relay(self) -> str:
        """name[address]:port."""
        return f"{self.shown}:{self.port}"


async def find_hosts(
    hop: NextHop,
    resolver: Resolver,
    choices: Choices,
    *,
    own_addresses: Collection[str] = (),
    default_port: int = 25,
) -> tuple[Host, ...]:
    """The hosts for a next hop, best first. Raises NoHost.

    Loops are looked for only on the port that other servers use for us: `default_port`.
    """
    by_dns = not choices.disable_dns_lookups and "dns" in choices.smtp_host_lookup
    if hop.is_literal or not by_dns:
        hosts = await _addresses_of(hop.host, hop.port, resolver)
    else:
        hosts = await _exchangers_of(hop, resolver, choices)
    ordered = _order(hosts, choices)
    if hop.port == default_port:
        ordered = _drop_self(hop, ordered, own_addresses)
    limit = choices.smtp_mx_address_limit
    return tuple(ordered[:limit] if limit else ordered)


async def _exchangers_of(hop: NextHop, resolver: Resolver, choices: Choices) -> list[Host]:
    try:
        records = await resolver.mx(hop.host)
    except DeliveryError as error:
        if not choices.ignore_mx_lookup_error:
            raise _unknown(hop.host, "MX", "Host not found, try again", "4.4.3") from error
        records = ()
    if not records:
        return await _addresses_of(hop.host, hop.port, resolver)
    if any(record.host in {"", "."} for record in records):  # RFC 7505 3
        raise NoHost("5.1.0", f"Domain {hop.host} does not accept mail (nullMX)")
    hosts: list[Host] = []
    trouble: NoHost | None = None
    for record in sorted(records, key=lambda item: item.preference):
        try:
            hosts += await _addresses_of(record.host, hop.port, resolver, record.preference)
        except NoHost as error:
            if trouble is None or error.dsn.startswith("4"):
                trouble = error  # a temporary error outweighs a final one
    if not hosts:
        assert trouble is not None
        if choices.smtp_defer_if_no_mx_address_found:
            raise NoHost(f"4{trouble.dsn[1:]}", trouble.reason)
        raise trouble
    return hosts


async def _addresses_of(
    name: str, port: int, resolver: Resolver, preference: int = 0
) -> list[Host]:
    if is_ip_address(name):
        return [Host(name, name, port, preference)]
    try:
        found = await resolver.addresses(name)
    except DeliveryError as error:
        raise _unknown(name, "A", "Host not found, try again", "4.4.3") from error
    if not found:
        raise _unknown(name, "A", "Host not found", "5.4.4")
    return [Host(name, address, port, preference) for address in found]


def _unknown(name: str, kind: str, what: str, dsn: str) -> NoHost:
    return NoHost(
        dsn,
        f"Host or domain name not found. Name service error for name={name} type={kind}: {what}",
    )


def _order(hosts: list[Host], choices: Choices) -> list[Host]:
    """By preference; equal ones at random, or the preferred family first. RFC 5321 5.1."""
    if choices.smtp_randomize_addresses:
        hosts = random.sample(hosts, len(hosts))
    family = choices.smtp_address_preference
    if family in {"ipv4", "ipv6"}:
        wanted = family == "ipv6"
        return sorted(hosts, key=lambda host: (host.preference, (":" in host.address) != wanted))
    return sorted(hosts, key=lambda host: host.preference)


def _drop_self(hop: NextHop, hosts: list[Host], own: Collection[str]) -> list[Host]:
    """Only what is better than this machine. Raises NoHost when nothing is."""
    ours = [host.preference for host in hosts if host.address in own]
    if not ours:
        return hosts
    better = [host for host in hosts if host.preference < min(ours)]
    if not better:
        shown = f"[{hop.host}]" if hop.is_literal else hop.host
        raise NoHost("5.4.6", f"mail for {shown} loops back to myself")
    return better
