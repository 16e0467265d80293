"""rewriting - the addresses in message headers: completed, mapped, masqueraded.

SUMMARY      HeaderRewriter.rewrite(header, text) -> the header's new text, None when it stays
             CanonicalRewriter: for mail that comes in, in one context (contexts.py)
             GenericRewriter: the same for smtp_generic_maps, on the way out
RULES        missing domains are completed in the way of the context; then, for sender headers,
             sender_canonical_maps, canonical_maps (header_sender), masquerading; for recipient
             headers the same with recipients
             a header is written anew only when an address in it changed; with smtp_generic_maps
             also when a table knows it, and each address is looked up once
             a lone "@" is the empty address
ERRORS       TableUnavailable
SOURCE       ADDRESS_REWRITING_README; Postfix cleanup_message.c, cleanup_rewrite.c, smtp_map11(3)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from delivery.content import addresslist
from delivery.content.addresslist import QUOTED, Mailbox, Token
from delivery.content.headers import Header
from delivery.routing.canonical import Canonical
from delivery.routing.mapping import Mapper
from delivery.routing.rewrite import Rewriter
from delivery.routing.settings import RoutingSettings
from tables.addresses import Address
from tables.reading.lookup import Maps

AddressFunction = Callable[[Address], Address | None]  # None: it stays


class HeaderRewriter(Protocol):
    """Writes address headers anew."""

    def rewrite(self, header: Header, text: str) -> str | None:
        """`text`: the whole header, one character per octet, lines joined by newlines."""
        ...


class Change:
    """What becomes of the addresses in one kind of header."""

    __slots__ = ("_final", "_limit", "_rewriter")

    def __init__(
        self, rewriter: Rewriter | None, final: AddressFunction | None, limit: int
    ) -> None:
        """`rewriter` completes addresses; `final` maps complete ones. Both may be missing.

        `limit`: tokens of one header that are looked at.
        """
        self._rewriter = rewriter
        self._final = final
        self._limit = limit

    def rewrite(self, header: Header, text: str) -> str | None:
        """See HeaderRewriter."""
        start = len(header.name) + 1
        value = text[start:]
        if self._keeps(value):
            return None
        items = addresslist.parse(value, self._limit)
        changed = False
        for item in items:
            if isinstance(item, Mailbox):
                item.text, is_other = self._text(item.tokens)
                changed |= is_other
        if not changed:
            return None
        return addresslist.fold(addresslist.externalize(items, f"{text[: start - 1]}: "))

    def _keeps(self, value: str) -> bool:
        """True for a list of plain addresses that stay as they are; False when it needs a parse."""
        if self._rewriter is not None and not addresslist.are_complete(value):
            return False
        if self._final is None:
            return True
        plain = addresslist.plain_addresses(value)
        return plain is not None and all(self._final(address) is None for address in plain)

    def _text(self, tokens: Sequence[Token]) -> tuple[str, bool]:
        """(one address, given as tokens, in external form, whether that is to be written)"""
        before = addresslist.external_text(tokens)
        tokens = self._without_route(tokens)
        at = max((place for place, token in enumerate(tokens) if token.kind == "@"), default=-1)
        if at == len(tokens) - 1:  # "user@": left alone, but for its quotes
            local = addresslist.internal_text(tokens[:at])
            text = addresslist.external_address(local, "", at=bool(local))
            return text, text != before
        if at < 0:
            address = self._promoted(tokens)
        else:
            local = _decoded(addresslist.internal_text(tokens[:at]))
            domain = _decoded(addresslist.internal_text(tokens[at + 1 :]))
            address = Address(local, domain)
            if self._rewriter is not None:
                address = self._rewriter.complete(address)
        final = self._final(address) if self._final is not None and address.local else None
        if final is not None:
            address = final
        local, domain = _encoded(address.local), _encoded(address.domain)
        text = addresslist.external_address(local, domain, at=bool(domain))
        return text, final is not None or text != before

    def _without_route(self, tokens: Sequence[Token]) -> Sequence[Token]:
        """RFC 5322 4.4: obsolete routes @a,@b:user@domain are dropped."""
        if self._rewriter is None or tokens[0].kind != "@":
            return tokens
        for place, token in enumerate(tokens[:-1]):
            if token.kind == ":":
                return tokens[place + 1 :]
        return tokens

    def _promoted(self, tokens: Sequence[Token]) -> Address:
        """An address without @."""
        local = _decoded(addresslist.internal_text(tokens))
        if self._rewriter is None or not local:
            return Address(local)
        if any(token.kind is QUOTED for token in tokens):  # its characters are no operators
            return Address(local, self._rewriter.complete(Address("x")).domain)
        return self._rewriter.complete(Address(local))


class CanonicalRewriter:
    """Headers of mail that comes in, in one context."""

    __slots__ = ("_recipient", "_sender")

    def __init__(
        self,
        settings: RoutingSettings,
        open_maps: Callable[[str], Maps],
        mapper: Mapper,
        rewriter: Rewriter,
        *,
        limit: int,
        maps: bool = True,
    ) -> None:
        """`maps`: canonical maps and masquerading too; no_address_mappings is without."""
        sender = recipient = None
        if maps:
            sender = _canonical(settings, open_maps, mapper, rewriter, "sender")
            recipient = _canonical(settings, open_maps, mapper, rewriter, "recipient")
        self._sender = Change(rewriter, sender, limit)
        self._recipient = Change(rewriter, recipient, limit)

    def rewrite(self, header: Header, text: str) -> str | None:
        """See HeaderRewriter."""
        return (self._sender if header.sender else self._recipient).rewrite(header, text)


def _canonical(
    settings: RoutingSettings,
    open_maps: Callable[[str], Maps],
    mapper: Mapper,
    rewriter: Rewriter,
    role: str,
) -> AddressFunction | None:
    """What routing does to envelope recipients, with the tables and classes of a kind of header."""
    own_maps = getattr(settings, f"{role}_canonical_maps")
    own_classes = getattr(settings, f"{role}_canonical_classes")

    def translated(classes: Iterable[str]) -> tuple[str, ...]:
        return ("envelope_recipient",) if f"header_{role}" in classes else ()

    seen = replace(
        settings,
        recipient_canonical_maps=own_maps,
        recipient_canonical_classes=translated(own_classes),
        canonical_classes=translated(settings.canonical_classes),
        masquerade_classes=translated(settings.masquerade_classes),
    )
    is_used = (
        (own_maps.strip() and seen.recipient_canonical_classes)
        or (settings.canonical_maps.strip() and seen.canonical_classes)
        or (settings.masquerade_domains and seen.masquerade_classes)
    )
    if not is_used:
        return None
    canonical = Canonical(seen, open_maps, rewriter, mapper)

    def changed(address: Address) -> Address | None:
        found = canonical.recipient(address)
        return None if found == address else found

    return changed


class GenericRewriter:
    """smtp_generic_maps; `find` is for the envelope too. generic(5)."""

    __slots__ = ("_change", "_mapper", "_maps", "_propagate")

    def __init__(self, maps: Maps, mapper: Mapper, *, propagate: bool, limit: int = 0) -> None:
        self._maps = maps
        self._mapper = mapper
        self._propagate = propagate
        self._change = Change(None, self.find, limit)

    def find(self, address: Address) -> Address | None:
        """What an address is outside; None when no table knows it. Even "to itself" is known."""
        results = self._mapper.map(self._maps, address, self._propagate) if address else None
        return None if results is None else results[0]

    def rewrite(self, header: Header, text: str) -> str | None:
        """See HeaderRewriter."""
        return self._change.rewrite(header, text)


def _decoded(text: str) -> str:
    """Octets as tables and routing see them."""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "surrogateescape")


def _encoded(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")
