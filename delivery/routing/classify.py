"""classify - which of the five address classes a domain is in.

SUMMARY      Classes.of(domain) -> AddressClass; is_local(domain); is_own(address)
RULES        first match counts: mydestination or an own address literal, virtual_alias_domains,
             virtual_mailbox_domains, relay_domains (with subdomains as
             parent_domain_matches_subdomains says), default
             a list may hold names, .names, type:name tables (their keys count) and !exclusions
             answers without a trace are kept for the life of the snapshot, up to a bound
ERRORS       TableUnavailable
SOURCE       ADDRESS_CLASS_README; Postfix resolve_local(3), trivial-rewrite(8) resolve.c
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection
from functools import partial

from delivery.routing.settings import RoutingSettings
from delivery.values import AddressClass
from tables.domains import IPAddress, is_address_literal, parse_literal
from tables.errors import AddressSyntaxError
from tables.reading.lookup import Maps, Trace
from tables.reading.matchlist import MatchList
from tables.remembered import Remembered

KEPT_DOMAINS = 1000  # domains whose class is remembered


class Classes:
    """The domain lists of one snapshot; `own_addresses` are those of inet_ and proxy_interfaces."""

    __slots__ = ("_is_local", "_local", "_of_remote", "_own", "_remote")

    def __init__(
        self,
        settings: RoutingSettings,
        open_maps: Callable[[str], Maps],
        own_addresses: Collection[str],
    ) -> None:
        def names(name: str, items: tuple[str, ...], *, parent: bool = False) -> MatchList:
            return MatchList(name, items, open_maps, parent=parent, hosts=False)

        destination = names("mydestination", settings.mydestination)
        alias = names("virtual_alias_domains", settings.virtual_alias_domains)
        mailbox = names("virtual_mailbox_domains", settings.virtual_mailbox_domains)
        relay = names(
            "relay_domains",
            settings.relay_domains,
            parent="relay_domains" in settings.parent_domain_matches_subdomains,
        )
        self._own = frozenset(map(ipaddress.ip_address, own_addresses))
        self._is_local = partial(_is_local, destination, self._own)
        self._of_remote = partial(_of_remote, alias, mailbox, relay)
        self._local = Remembered(self._is_local, KEPT_DOMAINS)
        self._remote = Remembered(self._of_remote, KEPT_DOMAINS)

    def is_own(self, address: str) -> bool:
        """True for an IP address of this machine."""
        try:
            return ipaddress.ip_address(address) in self._own
        except ValueError:
            return False

    def is_local(self, domain: str, trace: Trace | None = None) -> bool:
        """True when mail for the domain ends here with local_transport."""
        return self._local[domain] if trace is None else self._is_local(domain, trace)

    def of(self, domain: str, trace: Trace | None = None) -> AddressClass:
        """The class of a complete domain, with or without case."""
        if self.is_local(domain, trace):
            return AddressClass.LOCAL
        return self.of_remote(domain, trace)

    def of_remote(self, domain: str, trace: Trace | None = None) -> AddressClass:
        """The class of a domain that is known not to be local."""
        return self._remote[domain] if trace is None else self._of_remote(domain, trace)


def _is_local(
    destination: MatchList,
    own: Collection[IPAddress],
    domain: str,
    trace: Trace | None = None,
) -> bool:
    name = domain[:-1] if domain.endswith(".") else domain
    if not name or name.endswith("."):
        return False
    if destination.matches(name, trace):
        return True
    if not is_address_literal(name):
        return False
    try:
        return parse_literal(name).address in own
    except AddressSyntaxError:
        return False


def _of_remote(
    alias: MatchList,
    mailbox: MatchList,
    relay: MatchList,
    domain: str,
    trace: Trace | None = None,
) -> AddressClass:
    if alias.matches(domain, trace):
        return AddressClass.VIRTUAL_ALIAS
    if mailbox.matches(domain, trace):
        return AddressClass.VIRTUAL_MAILBOX
    if relay.matches_domain(domain, trace):
        return AddressClass.RELAY
    return AddressClass.DEFAULT
