"""hosts - from a next hop to the addresses to try, in order.

SUMMARY      await find_hosts(hop, resolver, settings) -> Found, best first
RULES        MX records by preference, equal ones in random order; none: the domain's own addresses
             (implicit MX, RFC 5321 5.1); "." as an exchanger: no mail (RFC 7505)
             an exchanger without an address is left out; this machine, and whatever is not better
             than it, too: mail never goes back to a host that is no nearer (RFC 5321 5.1)
             at most smtp_mx_address_limit addresses; with smtp_balance_inet_protocols both families
             have a place among them
             disable_dns_lookups ends MX look-ups; the hosts file is asked then, or with native in
             smtp_host_lookup
ERRORS       NoHost with status code and reason: 5.x.x is final, 4.x.x may be tried again
SOURCE       RFC 5321 5.1, RFC 7505; Postfix smtp_addr.c
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from delivery.agents.nexthop import NextHop, is_ip_address
from delivery.errors import DeliveryError
from tables.frozen import dataclass


class Exchanger(Protocol):
    """One MX record."""

    @property
    def preference(self) -> int: ...

    @property
    def host(self) -> str: ...


class Resolver(Protocol):
    """The DNS: an empty answer means "no such record"; any DeliveryError "could not find out"."""

    async def mx(self, name: str) -> Sequence[Exchanger]: ...

    async def addresses(self, name: str, *, dns_alone: bool = False) -> Sequence[str]: ...


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
    def smtp_balance_inet_protocols(self) -> bool: ...

    @property
    def smtp_mx_address_limit(self) -> int: ...

    @property
    def inet_protocols(self) -> tuple[str, ...]: ...


class AllDropped(DeliveryError):
    """There are records, and the configuration wants none of them."""


class NoHost(Exception):
    """There is nobody to connect to. `is_loop`: because this machine is the best exchanger."""

    def __init__(self, dsn: str, reason: str, *, is_loop: bool = False) -> None:
        super().__init__(reason)
        self.dsn = dsn
        self.reason = reason
        self.is_loop = is_loop


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
        """name[address]:port; a socket of this machine has no port."""
        return f"{self.shown}:{self.port}" if self.port else self.shown


class Found(NamedTuple):
    """Whom to connect to. `is_backup`: this machine is a worse exchanger of the same domain."""

    hosts: tuple[Host, ...]
    is_backup: bool = False


async def find_hosts(
    hop: NextHop,
    resolver: Resolver,
    choices: Choices,
    *,
    own_addresses: Collection[str] = (),
    default_port: int = 25,
) -> Found:
    """Whom to connect to, in order. Raises NoHost.

    `own_addresses` count only for `default_port`: another port is another service of this machine.
    """
    finder = _Finder(resolver, choices)
    if hop.is_literal or choices.disable_dns_lookups:
        hosts = await finder.addresses_of(hop.host, hop.port)
    else:
        hosts = await finder.exchangers_of(hop)
    ordered = _order(hosts, choices)
    kept = _drop_self(hop, ordered, own_addresses) if hop.port == default_port else ordered
    return Found(tuple(_limited(kept, choices)), len(kept) < len(ordered))


class _Finder:
    """Asks the DNS for one delivery."""

    def __init__(self, resolver: Resolver, choices: Choices) -> None:
        self._resolver = resolver
        self._choices = choices

    async def exchangers_of(self, hop: NextHop) -> list[Host]:
        """RFC 5321 5.1: the addresses of its exchangers, or its own when there are none."""
        try:
            records = await self._resolver.mx(hop.host)
        except AllDropped as error:
            raise _dropped(hop.host, "MX") from error
        except DeliveryError as error:
            if not self._choices.ignore_mx_lookup_error:
                raise _unknown(hop.host, "MX", "Host not found, try again", "4.4.3") from error
            records = ()
        if not records:
            return await self.addresses_of(hop.host, hop.port)
        if any(record.host in {"", "."} for record in records):  # RFC 7505 3
            raise NoHost("5.1.0", f"Domain {hop.host} does not accept mail (nullMX)")
        hosts: list[Host] = []
        trouble: NoHost | None = None
        for record in sorted(records, key=lambda item: item.preference):
            try:
                hosts += await self.addresses_of(record.host, hop.port, record.preference)
            except NoHost as error:
                if trouble is None or error.dsn.startswith("4"):
                    trouble = error  # a temporary error outweighs a final one
        if not hosts:
            assert trouble is not None
            if self._choices.smtp_defer_if_no_mx_address_found:
                raise NoHost(f"4{trouble.dsn[1:]}", trouble.reason)
            raise trouble
        return hosts

    async def addresses_of(self, name: str, port: int, preference: int = 0) -> list[Host]:
        """The addresses of one host."""
        choices = self._choices
        if is_ip_address(name):
            if not {"all", "ipv6" if ":" in name else "ipv4"} & set(choices.inet_protocols):
                raise NoHost("5.4.4", f"Name service error for {name}: invalid host or domain name")
            return [Host(name, name, port, preference)]
        is_native = choices.disable_dns_lookups or "native" in choices.smtp_host_lookup
        try:
            found = await self._resolver.addresses(name, dns_alone=not is_native)
        except AllDropped as error:
            raise _dropped(name, "A") from error
        except DeliveryError as error:
            raise _unknown(name, "A", "Host not found, try again", "4.4.3") from error
        if not found:
            if "native" in choices.smtp_host_lookup:
                reason = f"unable to look up host {name}: Name or service not known"
                raise NoHost("5.4.4", reason)
            raise _unknown(name, "A", "Host not found", "5.4.4")
        return [Host(name, address, port, preference) for address in found]


def _dropped(host: str, kind: str) -> NoHost:
    return NoHost(
        "4.7.0",
        f"Error looking up name={host} type={kind}: DNS reply filter drops all results",
    )


def _unknown(name: str, kind: str, what: str, dsn: str) -> NoHost:
    return NoHost(
        dsn,
        f"Host or domain name not found. Name service error for name={name} type={kind}: {what}",
    )


def _order(hosts: list[Host], choices: Choices) -> list[Host]:
    """By preference; equal ones at random, or the preferred family first. RFC 5321 5.1."""
    if len(hosts) < 2:
        return hosts
    if choices.smtp_randomize_addresses:
        hosts = random.sample(hosts, len(hosts))
    family = choices.smtp_address_preference
    if family in {"ipv4", "ipv6"}:
        wanted = family == "ipv6"
        return sorted(hosts, key=lambda host: (host.preference, (":" in host.address) != wanted))
    return sorted(hosts, key=lambda host: host.preference)


def _limited(hosts: list[Host], choices: Choices) -> list[Host]:
    """The first ones; of the family that would be left out, the best takes the last place."""
    limit = choices.smtp_mx_address_limit
    if not limit or len(hosts) <= limit:
        return hosts
    kept, rest = hosts[:limit], hosts[limit:]
    if choices.smtp_balance_inet_protocols and limit > 1:
        families = {":" in host.address for host in kept}
        missing = [host for host in rest if (":" in host.address) not in families]
        kept[-1:] = missing[:1] or kept[-1:]
    return kept


def _drop_self(hop: NextHop, hosts: list[Host], own: Collection[str]) -> list[Host]:
    """Only what is better than this machine. Raises NoHost when nothing is."""
    ours = [host.preference for host in hosts if host.address in own]
    if not ours:
        return hosts
    better = [host for host in hosts if host.preference < min(ours)]
    if not better:
        shown = f"[{hop.host}]" if hop.is_literal else hop.host
        raise NoHost("5.4.6", f"mail for {shown} loops back to myself", is_loop=True)
    return better
