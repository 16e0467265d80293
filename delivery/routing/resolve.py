"""resolve - address -> class, transport and next hop; what trivial-rewrite(8) answers.

SUMMARY      Resolver.resolve(address, sender) -> Resolution
RULES        1. local domains are peeled off, and routing in what is left is followed
                (user%other@here, "user@other"@here), until a domain that is not local shows
             2. the domain's class gives transport and next hop; for relay and other domains the
                sender's relayhost or relayhost overrules the domain, a transport:nexthop both
             3. transport_maps overrule (user+ext@dom, user@dom, dom, .parents, *), except
                for virtual alias domains, which always say User unknown
             4. relocated_maps: error:5.1.6 User has moved to ...
ERRORS       TableUnavailable
SOURCE       Postfix trivial-rewrite(8) resolve.c, transport.c; transport(5), relocated(5)
"""

from __future__ import annotations

from collections.abc import Callable

from delivery.routing.classify import Classes
from delivery.routing.keyring import Keyring
from delivery.routing.rewrite import Rewriter, is_quoted
from delivery.routing.settings import RoutingSettings
from delivery.values import AddressClass, Route
from tables.addresses import Address, fold
from tables.domains import is_address_literal, is_plain_host, parse_literal, to_ascii
from tables.errors import AddressSyntaxError
from tables.frozen import dataclass
from tables.reading.lookup import Maps, Trace

PEEL_LIMIT = 100  # more than the characters of any local part could need
_OFF_HOST = (AddressClass.RELAY, AddressClass.DEFAULT)


@dataclass(frozen=True, slots=True)
class Resolution:
    """Where an address leads. `recipient` has its own case; `folded` is for tables.

    `is_routed`: the local part holds an operator (@ ! %), which relaying must not trust.
    `is_bad`: no mail can go there; the route then says why in error: form.
    """

    recipient: Address
    address_class: AddressClass
    route: Route
    is_routed: bool = False
    is_bad: bool = False

    @property
    def folded(self) -> Address:
        """The recipient as tables are asked for it."""
        return fold(self.recipient)


class _NowhereError(Exception):
    """Routing inside the local part leads to an empty domain."""


BAD_ADDRESS = Route("error", "5.1.3 Bad recipient address syntax")


class Resolver:
    """The routing rules of one snapshot."""

    __slots__ = (
        "_classes",
        "_keyring",
        "_relocated",
        "_rewriter",
        "_sender_relayhosts",
        "_sender_transports",
        "_settings",
        "_transports",
        "changes",
    )

    def __init__(
        self,
        settings: RoutingSettings,
        open_maps: Callable[[str], Maps],
        classes: Classes,
        rewriter: Rewriter,
        keyring: Keyring,
    ) -> None:
        self._settings = settings
        self._classes = classes
        self._rewriter = rewriter
        self._keyring = keyring
        self._transports = open_maps(settings.transport_maps) or None
        self._relocated = open_maps(settings.relocated_maps) or None
        self._sender_relayhosts = open_maps(settings.sender_dependent_relayhost_maps) or None
        self._sender_transports = (
            open_maps(settings.sender_dependent_default_transport_maps) or None
        )
        asked = (
            self._transports,
            self._relocated,
            self._sender_relayhosts,
            self._sender_transports,
        )
        # True: the same address may have another answer the next time (randmap:)
        self.changes = any(maps is not None and maps.changes for maps in asked)

    def resolve(
        self, address: Address, sender: Address | None = None, trace: Trace | None = None
    ) -> Resolution:
        """Resolve an address; `sender` matters to the sender-dependent tables."""
        complete = self._rewriter.complete(address) or address  # "@" is not the null address here
        try:
            recipient, is_local = self._peel(complete, trace)
        except _NowhereError:
            return Resolution(complete, AddressClass.DEFAULT, BAD_ADDRESS, is_bad=True)
        recipient, is_local, is_valid = self._check_domain(recipient, is_local, trace)
        if not is_valid:
            return Resolution(recipient, AddressClass.DEFAULT, BAD_ADDRESS, is_bad=True)
        if is_local:
            address_class = AddressClass.LOCAL
        else:
            address_class = self._classes.of_remote(recipient.domain, trace)
        route = self._class_route(recipient, address_class, sender, trace)
        if address_class is not AddressClass.VIRTUAL_ALIAS:
            route = self._table_route(recipient, route, trace)
        route = self._moved(recipient, trace) or route
        local = recipient.local
        is_routed = "@" in local or "!" in local or "%" in local
        # postconf(5) allow_min_user: commands could take "-x" for an option
        is_bad = local.startswith("-") and not self._settings.allow_min_user
        if is_bad:
            route = BAD_ADDRESS
        return Resolution(recipient, address_class, route, is_routed, is_bad)

    def _peel(self, address: Address, trace: Trace | None) -> tuple[Address, bool]:
        """(address, True when its domain is local) after following the routing inside it."""
        settings = self._settings
        saved = ""
        is_nowhere = False  # the last domain was an empty one: "user@"
        for _ in range(PEEL_LIMIT):
            local, domain = address.local, address.domain
            if len(domain) > 1 and domain[-1] == "." and domain[-2] != ".":
                domain = domain[:-1]
            if domain:
                if not self._classes.is_local(domain, trace):
                    return Address(local, domain), False
                saved, is_nowhere = domain, False
            elif local[-1:] == "@":
                address = Address(local[:-1])
                is_nowhere = not settings.resolve_null_domain
                continue
            if inner := self._routing_in(local):
                address = inner
                continue
            local = local or settings.empty_address_recipient
            if is_nowhere:
                raise _NowhereError
            if not saved:  # without append_at_myorigin: still a local address
                address = Address(local, settings.myhostname)
                continue
            return Address(local, saved), True
        return Address(address.local, saved or settings.myhostname), bool(saved)

    def _routing_in(self, local: str) -> Address | None:
        """The address that a local part holds, completed; None when there is no routing in it."""
        settings = self._settings
        has_bang = settings.swap_bangpath and "!" in local
        has_percent = settings.allow_percent_hack and "%" in local
        inner: Address | None = None
        if not is_quoted(local):
            if has_bang:
                inner = _swapped(local)
            elif has_percent:
                inner = _split(local, "%")
        elif settings.resolve_dequoted_address:  # postconf(5): quotes are no protection
            if "@" in local:
                inner = _split(local, "@")
            elif has_percent:
                inner = _split(local, "%")
            elif has_bang:
                inner = _swapped(local)
        return self._rewriter.complete(inner) if inner is not None and inner.domain else inner

    def _check_domain(
        self, address: Address, is_local: bool, trace: Trace | None
    ) -> tuple[Address, bool, bool]:
        """(address, local, valid): the domain must be a name or a literal that is one."""
        domain = address.domain
        if domain.startswith("["):
            try:
                parse_literal(domain)
            except AddressSyntaxError:
                return address, is_local, False
            return address, is_local, is_address_literal(domain)
        name = to_ascii(domain) if self._settings.smtputf8_enable else domain
        if is_plain_host(name):
            return address, is_local, True
        if self._settings.resolve_numeric_domain:  # postconf(5) resolve_numeric_domain
            literal = f"[{domain}]"
            try:
                parse_literal(literal)
            except AddressSyntaxError:
                return address, is_local, False
            return Address(address.local, literal), self._classes.is_local(literal, trace), True
        return address, is_local, False

    def _class_route(
        self,
        recipient: Address,
        address_class: AddressClass,
        sender: Address | None,
        trace: Trace | None,
    ) -> Route:
        """Transport and next hop before transport_maps."""
        settings = self._settings
        if address_class is AddressClass.VIRTUAL_ALIAS:
            table = " in virtual alias table" if settings.show_user_unknown_table_name else ""
            return Route("error", f"5.1.1 User unknown{table}")
        nexthop = recipient.domain
        match address_class:
            case AddressClass.LOCAL:
                transport = settings.local_transport
            case AddressClass.VIRTUAL_MAILBOX:
                transport = settings.virtual_transport
            case AddressClass.RELAY:
                transport = settings.relay_transport
            case _:
                transport = self._default_transport(sender, trace)
        if address_class in _OFF_HOST:
            nexthop = self._relayhost(sender, trace) or nexthop
        name, _, destination = transport.partition(":")
        return Route(name, destination or nexthop)

    def _default_transport(self, sender: Address | None, trace: Trace | None) -> str:
        found = self._ask_sender(
            self._sender_transports,
            sender,
            self._settings.empty_address_default_transport_maps_lookup_key,
            trace,
        )
        return found or self._settings.default_transport

    def _relayhost(self, sender: Address | None, trace: Trace | None) -> str:
        found = self._ask_sender(
            self._sender_relayhosts,
            sender,
            self._settings.empty_address_relayhost_maps_lookup_key,
            trace,
        )
        return found or self._settings.relayhost

    def _ask_sender(
        self, maps: Maps | None, sender: Address | None, empty_key: str, trace: Trace | None
    ) -> str:
        """What a sender-dependent table says, '' for nothing and for DUNNO."""
        if maps is None or sender is None:
            return ""
        if sender:
            found = maps.find(self._keyring.find(self._rewriter.complete(sender)), trace)
        elif "@" in empty_key:  # looked up like any address
            local, _, domain = empty_key.rpartition("@")
            found = maps.find(self._keyring.find(Address(local, domain)), trace)
        else:
            found = maps.find((empty_key,), trace)
        if found is None or found.value.upper() == "DUNNO":
            return ""
        return found.value

    def _table_route(self, recipient: Address, route: Route, trace: Trace | None) -> Route:
        """transport(5): the table may change the transport, the next hop, both or nothing."""
        if self._transports is None:
            return route
        found = self._transports.find(self._keyring.transport(recipient), trace)
        if found is None:
            return route
        transport, _, nexthop = found.value.partition(":")
        if not transport:
            return Route(route.transport, nexthop or route.nexthop)
        if nexthop:
            return Route(transport, nexthop)
        if transport in ("error", "retry"):
            return Route(transport, "Address is undeliverable")
        return Route(transport, recipient.domain)

    def _moved(self, recipient: Address, trace: Trace | None) -> Route | None:
        """relocated(5)."""
        if self._relocated is None:
            return None
        found = self._relocated.find(self._keyring.find(recipient), trace)
        return None if found is None else Route("error", f"5.1.6 User has moved to {found.value}")


def _split(local: str, operator: str) -> Address:
    """user%site, the last operator counts."""
    user, _, site = local.rpartition(operator)
    return _at(user, site)


def _swapped(local: str) -> Address:
    """site!user, the first site counts."""
    site, _, user = local.partition("!")
    return _at(user, site)


def _at(user: str, site: str) -> Address:
    """user@site; "user@" names no site, which is not the same as having none."""
    return Address(user, site) if site else Address(f"{user}@")
