"""canonical - the envelope's addresses rewritten: canonical maps, then masquerading.

SUMMARY      Canonical.sender(address), .recipient(address): what cleanup(8) does to the envelope
RULES        sender: sender_canonical_maps, canonical_maps, masquerade_domains
             recipient: recipient_canonical_maps, canonical_maps, masquerade_domains
             each only when its ..._classes name envelope_sender or envelope_recipient
             a result is looked up again, at most 10 times; expanding to itself ends it
             masquerading cuts subdomains off, but for the users of masquerade_exceptions; a domain
             with ! before it is left alone
             mailer-daemon of this machine as a sender becomes the null sender
ERRORS       TableUnavailable
SOURCE       canonical(5), ADDRESS_REWRITING_README; Postfix cleanup(8) cleanup_map11.c,
             cleanup_masquerade.c, cleanup_addr.c
"""

from __future__ import annotations

from collections.abc import Callable

from delivery.routing.mapping import Mapper
from delivery.routing.rewrite import Rewriter
from delivery.routing.settings import RoutingSettings
from tables.addresses import NULL, Address
from tables.reading.lookup import Maps, Trace
from tables.reading.matchlist import MatchList

ROUNDS = 10  # cleanup_map11.c MAX_RECURSION


class Canonical:
    """The rewriting rules of one snapshot for envelopes."""

    __slots__ = (
        "_changes_recipients",
        "_changes_senders",
        "_empty",
        "_exceptions",
        "_mapper",
        "_masquerade",
        "_masquerades",
        "_origin",
        "_propagate",
        "_recipient_maps",
        "_rewriter",
        "_sender_maps",
    )

    def __init__(
        self,
        settings: RoutingSettings,
        open_maps: Callable[[str], Maps],
        rewriter: Rewriter,
        mapper: Mapper,
    ) -> None:
        self._origin = settings.myorigin.casefold()
        self._empty = Address(settings.empty_address_recipient)
        self._rewriter = rewriter
        self._mapper = mapper
        self._propagate = "canonical" in settings.propagate_unmatched_extensions

        def opened(wanted: str, *tables: tuple[str, tuple[str, ...]]) -> tuple[Maps, ...]:
            """Those that are there, of tables and the classes of addresses they are for."""
            found = [open_maps(names) for names, classes in tables if wanted in classes]
            return tuple(maps for maps in found if maps)

        common = settings.canonical_maps, settings.canonical_classes
        self._sender_maps = opened(
            "envelope_sender",
            (settings.sender_canonical_maps, settings.sender_canonical_classes),
            common,
        )
        self._recipient_maps = opened(
            "envelope_recipient",
            (settings.recipient_canonical_maps, settings.recipient_canonical_classes),
            common,
        )
        self._exceptions = MatchList(
            "masquerade_exceptions", settings.masquerade_exceptions, open_maps, hosts=False
        )
        self._masquerade = tuple(_masquerade_rule(item) for item in settings.masquerade_domains)
        self._masquerades = frozenset(settings.masquerade_classes if self._masquerade else ())
        self._changes_senders = bool(self._sender_maps or "envelope_sender" in self._masquerades)
        self._changes_recipients = bool(
            self._recipient_maps or "envelope_recipient" in self._masquerades
        )

    def sender(self, address: Address, trace: Trace | None = None, *, maps: bool = True) -> Address:
        """The envelope sender as it is queued; without `maps` completed only."""
        completed = self._rewriter.complete(address)
        local = completed.local.lower()
        if local == "mailer-daemon" and completed.domain.casefold() == self._origin:
            return NULL
        if not maps or not self._changes_senders or not completed:  # the null sender stays
            return completed
        completed = self._map(self._sender_maps, completed, trace)
        return self._cut(completed, "envelope_sender", trace)

    def recipient(
        self, address: Address, trace: Trace | None = None, *, maps: bool = True
    ) -> Address:
        """The envelope recipient before virtual expansion; without `maps` completed only."""
        completed = self._rewriter.complete(address or self._empty)
        if not maps or not self._changes_recipients:
            return completed
        completed = self._map(self._recipient_maps, completed, trace)
        return self._cut(completed, "envelope_recipient", trace)

    def _map(self, tables: tuple[Maps, ...], address: Address, trace: Trace | None) -> Address:
        for maps in tables:
            address = self._map_once(maps, address, trace)
        return address

    def _map_once(self, maps: Maps, address: Address, trace: Trace | None) -> Address:
        for _ in range(ROUNDS):
            results = self._mapper.map(maps, address, self._propagate, trace)
            if results is None:
                return address
            before, address = address, results[0]
            if before.internal.casefold() == address.internal.casefold():
                return address
        return address

    def _cut(self, address: Address, where: str, trace: Trace | None) -> Address:
        """Masquerading: host.example.com becomes example.com."""
        if where not in self._masquerades or not address.domain:
            return address
        if self._exceptions.matches(address.local, trace):
            return address
        domain = address.domain.casefold()
        for parent, cuts in self._masquerade:
            if domain == parent:
                return address
            if domain.endswith("." + parent):
                return Address(address.local, parent) if cuts else address
        return address


def _masquerade_rule(item: str) -> tuple[str, bool]:
    """(domain, whether its subdomains are cut off)."""
    parent = item.lstrip("!")
    return parent.casefold(), (len(item) - len(parent)) % 2 == 0
