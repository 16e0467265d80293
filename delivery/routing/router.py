"""router - the room's door: everything about addresses that sessions, policy and queue ask.

SUMMARY      Router(parameters, tables, own_addresses) for one snapshot
             .sender(address)        the envelope sender as it is queued
             .expand(recipients)     the envelope recipients as they are queued
             .resolve(address, sender)   class, transport and next hop
             .unlisted(address, ...)     why it does not exist, or None
RULES        synchronous: tables are in memory or mapped; nothing here waits
             resolutions without a trace are kept for the life of the snapshot, up to a bound; where
             a table may answer otherwise the next time (randmap:), each is found anew
ERRORS       TableUnavailable from every method; SmtpFailure from expand (limits)
SOURCE       ADDRESS_REWRITING_README, ADDRESS_CLASS_README; Postfix cleanup(8), trivial-rewrite(8)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from delivery.routing.bcc import Copies
from delivery.routing.canonical import Canonical
from delivery.routing.classify import Classes
from delivery.routing.expand import Expander
from delivery.routing.keyring import Keyring
from delivery.routing.mapping import Mapper
from delivery.routing.recipient import Listing, Refusal
from delivery.routing.resolve import Resolution, Resolver
from delivery.routing.rewrite import Rewriter
from delivery.routing.settings import RoutingSettings
from delivery.values import AddressClass, Recipient, default_orcpt
from tables.addresses import Address
from tables.frozen import replace
from tables.parameters import Parameters
from tables.reading.lookup import LookupKey, Maps, Trace
from tables.remembered import Remembered

KEPT_ANSWERS = 1000  # resolutions kept


class Tables(Protocol):
    """A snapshot, as far as routing needs it."""

    def maps(self, spec: str) -> Maps: ...


class Expansion(NamedTuple):  # a tuple, because one is made for every message
    """`recipients` to be queued; `expanded` are those whose sender asked to hear of success.

    For the latter a notification "expanded" is due (RFC 3461 5.2.7.1), with the recipient as given.
    """

    recipients: tuple[Recipient, ...]
    expanded: tuple[Recipient, ...] = ()


class Router:
    """The routing rules of one snapshot. Immutable but for its memory of answers."""

    def __init__(
        self, parameters: Parameters, tables: Tables, own_addresses: Collection[str] = ()
    ) -> None:
        """`own_addresses`: IP addresses that inet_interfaces and proxy_interfaces stand for."""
        settings = parameters.bind(RoutingSettings)
        self.settings = settings
        self.classes = Classes(settings, tables.maps, own_addresses)
        self.rewriter = Rewriter(settings)
        self.keyring = Keyring(settings, self.classes)
        self.mapper = Mapper(self.rewriter, self.keyring)
        self._resolver = Resolver(settings, tables.maps, self.classes, self.rewriter, self.keyring)
        self._listing = Listing(settings, tables.maps, self.keyring)
        self._expander = Expander(settings, tables.maps, self.mapper)
        self._copies = Copies(settings, tables.maps, self.keyring)
        self._canonical = Canonical(settings, tables.maps, self.rewriter, self.mapper)
        self._by_sender = bool(
            settings.sender_dependent_relayhost_maps.strip()
            or settings.sender_dependent_default_transport_maps.strip()
        )
        self._known = Remembered(partial(_resolve, self._resolver), KEPT_ANSWERS)

    def sender(self, address: Address, trace: Trace | None = None, *, maps: bool = True) -> Address:
        """The envelope sender after rewriting and, with `maps`, canonical maps and masquerading."""
        return self._canonical.sender(address, trace, maps=maps)

    def expand(
        self,
        recipients: Iterable[Recipient],
        trace: Trace | None = None,
        *,
        copies_for: Address | None = None,
        copies: Iterable[Address] = (),
        maps: bool = True,
    ) -> Expansion:
        """The recipients after rewriting, canonical maps, masquerading and virtual aliases.

        Without `maps` after rewriting alone: receive_override_options = no_address_mappings.

        Equal ones are dropped: with enable_original_recipient only when all but letter case is
        equal (original, DSN parameters), otherwise by address alone. `copies_for` is the queued
        sender of mail that came from outside or from a user: then BCC recipients are added.
        `copies`: who else gets one (header_checks(5) BCC).
        """
        queued: list[Recipient] = []
        expanded: list[Recipient] = []
        if not self._copies.are_made:
            copies_for = None
        if copies_for is not None:
            self._add_copy(queued, self._copies.always, trace, maps)
            self._add_copy(queued, self._copies.of_sender(copies_for, trace), trace, maps)
        for recipient in recipients:
            first = self._add(queued, expanded, recipient, trace, maps)
            if copies_for is not None:
                self._add_copy(queued, self._copies.of_recipient(first, trace), trace, maps)
        for address in copies:
            self._add_copy(queued, address, trace, maps)
        if len(queued) > 1:
            queued = self._without_duplicates(queued)
        return Expansion(tuple(queued), tuple(expanded))

    def _expanded(self, address: Address, trace: Trace | None, maps: bool) -> tuple[Address, ...]:
        return self._expander.expand(address, trace) if maps else (address,)

    def _add_copy(
        self, queued: list[Recipient], address: Address | None, trace: Trace | None, maps: bool
    ) -> None:
        if address is None:
            return
        first = self._canonical.recipient(address, trace, maps=maps)
        # postconf(5) always_bcc: nobody hears that a copy could not be delivered
        copy = Recipient(address=first, original=first, notify=frozenset({"NEVER"}))
        queued.extend(_at(copy, each) for each in self._expanded(first, trace, maps))

    def _add(
        self,
        queued: list[Recipient],
        expanded: list[Recipient],
        recipient: Recipient,
        trace: Trace | None,
        maps: bool,
    ) -> Address:
        """Queue what one recipient expands to; return it as it was before expansion."""
        first = self._canonical.recipient(recipient.address, trace, maps=maps)
        given = recipient
        if first is not given.address or not given.orcpt:
            orcpt = given.orcpt or default_orcpt(first.text, smtputf8=True)
            given = replace(given, address=first, orcpt=orcpt)
        addresses = self._expanded(first, trace, maps)
        if "SUCCESS" in given.notify and addresses != (first,):  # RFC 3461 5.2.7.1 (b)
            expanded.append(given)
            rest = given.notify - {"SUCCESS"}
            given = replace(given, notify=rest or frozenset({"NEVER"}))
        for address in addresses:
            queued.append(_at(given, address))
        return first

    def _without_duplicates(self, recipients: Iterable[Recipient]) -> list[Recipient]:
        """postconf(5) duplicate_filter_limit: how many are remembered; 0: all."""
        limit = self.settings.duplicate_filter_limit
        seen: set[object] = set()
        kept = []
        for recipient in recipients:
            key = self._duplicate_key(recipient)
            if key in seen:
                continue
            if limit <= 0 or len(seen) < limit:
                seen.add(key)
            kept.append(recipient)
        return kept

    def _duplicate_key(self, recipient: Recipient) -> object:
        name = recipient.address.internal.casefold()
        if not self.settings.enable_original_recipient:
            return name
        original = recipient.original.internal.casefold()
        return name, original, recipient.orcpt.casefold(), recipient.notify

    def resolve(
        self, address: Address, sender: Address | None = None, trace: Trace | None = None
    ) -> Resolution:
        """Class, transport and next hop of an address."""
        if trace is not None or self._resolver.changes:
            return self._resolver.resolve(address, sender, trace)
        return self._known[address.local, address.domain, sender if self._by_sender else None]

    def unlisted(
        self,
        address: Address,
        *,
        other: Address | None = None,
        as_sender: bool = False,
        trace: Trace | None = None,
    ) -> Refusal | None:
        """Why there is no such address; `other` is the other end of the envelope."""
        resolution = self.resolve(address, other, trace)
        return self._listing.unlisted(resolution, as_sender=as_sender, trace=trace)

    def address_class(self, domain: str) -> AddressClass:
        """The class of a complete domain."""
        return self.classes.of(domain)

    def is_local(self, domain: str) -> bool:
        """True when the domain is in mydestination or is one of our address literals."""
        return self.classes.is_local(domain)

    def is_own(self, address: str) -> bool:
        """True for an IP address of this machine."""
        return self.classes.is_own(address)

    def access_keys(self, address: Address) -> Sequence[LookupKey]:
        """access(5) keys of a resolved address."""
        return self.keyring.access(address)

    def address_keys(self, address: Address) -> Sequence[LookupKey]:
        """mail_addr_find(3) keys of a resolved address."""
        return self.keyring.find(address)


def _resolve(resolver: Resolver, key: tuple[str, str, Address | None]) -> Resolution:
    local, domain, sender = key
    return resolver.resolve(Address(local, domain), sender)


def _at(recipient: Recipient, address: Address) -> Recipient:
    """The same recipient at that address."""
    if address is recipient.address:
        return recipient
    return Recipient(
        address=address,
        original=recipient.original,
        notify=recipient.notify,
        orcpt=recipient.orcpt,
    )
