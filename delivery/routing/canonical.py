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
        "_exceptions",
        "_mapper",
        "_masquerade",
        "_masquerades",
        "_propagate",
        "_recipient_maps",
        "_rewriter",
        "_sender_maps",
        "_settings",
    )

    def __init__(
        self,
        settings: RoutingSettings,
        open_maps: Callable[[str], Maps],
        rewriter: Rewriter,
        mapper: Mapper,
    ) -> None:
        self._settings = settings
        self._rewriter = rewriter
        self._mapper = mapper
        self._propagate = "canonical" in settings.propagate_unmatched_extensions

        def opened(names: str, classes: tuple[str, ...], wanted: str) -> Maps:
            return open_maps(names if wanted in classes else "")

        self._sender_maps = (
            opened(
                settings.sender_canonical_maps, settings.sender_canonical_classes, "envelope_sender"
            ),
            opened(settings.canonical_maps, settings.canonical_classes, "envelope_sender"),
        )
        self._recipient_maps = (
            opened(
                settings.recipient_canonical_maps,
                settings.recipient_canonical_classes,
                "envelope_recipient",
            ),
            opened(settings.canonical_maps, settings.canonical_classes, "envelope_recipient"),
        )
        self._exceptions = MatchList(
            "masquerade_exceptions", settings.masquerade_exceptions, open_maps, hosts=False
        )
        self._masquerade = tuple(_masquerade_rule(item) for item in settings.masquerade_domains)
        self._masquerades = frozenset(settings.masquerade_classes)

    def sender(self, address: Address, trace: Trace | None = None, *, maps: bool = True) -> Address:
        """The envelope sender as it is queued; without `maps` completed only."""
        completed = self._rewriter.complete(address)
        local, domain = completed.local.lower(), completed.domain.casefold()
        if local == "mailer-daemon" and domain == self._settings.myorigin.casefold():
            completed = NULL
        if not completed or not maps:  # the null sender stays
            return completed
        completed = self._map(self._sender_maps, completed, trace)
        return self._cut(completed, "envelope_sender", trace)

    def recipient(
        self, address: Address, trace: Trace | None = None, *, maps: bool = True
    ) -> Address:
        """The envelope recipient before virtual expansion; without `maps` completed only."""
        empty = Address(self._settings.empty_address_recipient)
        completed = self._rewriter.complete(address or empty)
        if not maps:
            return completed
        completed = self._map(self._recipient_maps, completed, trace)
        return self._cut(completed, "envelope_recipient", trace)

    def _map(self, tables: tuple[Maps, ...], address: Address, trace: Trace | None) -> Address:
        for maps in tables:
            if maps:
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
        if not self._masquerade or where not in self._masquerades or not address.domain:
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
