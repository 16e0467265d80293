"""rewriting - the addresses in message headers: completed, mapped, masqueraded.

SUMMARY      HeaderRewriter.rewrite(header, text) -> the header's new text, None when it stays
             Contexts(...).of_client(...) -> the rewriter for mail of that client, None for none
             GenericRewriter: the same for smtp_generic_maps, on the way out
RULES        local clients (local_header_rewrite_clients): missing domains are $myorigin, .$mydomain
             other clients: remote_header_rewrite_domain; when that is empty nothing is touched, not
             even by canonical maps
             then, for sender headers, sender_canonical_maps, canonical_maps (header_sender),
             masquerading; for recipient headers the same with recipients
             a header is written anew only when an address in it changed; with smtp_generic_maps
             also when a table knows it, and each address is looked up once
             a lone "@" is the empty address
ERRORS       TableUnavailable
SOURCE       ADDRESS_REWRITING_README; Postfix cleanup_message.c, cleanup_rewrite.c,
             smtpd_check_rewrite, smtp_map11(3)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from delivery.content import addresslist
from delivery.content.addresslist import QUOTED, Mailbox, Token
from delivery.content.headers import Header
from delivery.content.settings import ContentSettings
from delivery.routing.canonical import Canonical
from delivery.routing.mapping import Mapper
from delivery.routing.rewrite import Rewriter
from delivery.routing.router import Router, Tables
from delivery.routing.settings import RoutingSettings
from delivery.values import Client
from tables.addresses import Address
from tables.errors import ParameterError
from tables.itemtext import split_items
from tables.reading.lookup import Maps
from tables.reading.matchlist import MatchList

KEPT_CLIENTS = 1000  # clients of which it is remembered whether they are local

AddressFunction = Callable[[Address], Address | None]  # None: it stays


class HeaderRewriter(Protocol):
    """Writes address headers anew."""

    def rewrite(self, header: Header, text: str) -> str | None:
        """`text`: the whole header, one character per octet, lines joined by newlines."""
        ...


def rewrite_list(text: str, start: int, limit: int, change: Change) -> str | None:
    """The header `text`, whose value begins at `start`, with its addresses changed."""
    value = text[start:]
    plain = addresslist.plain_addresses(value)
    if plain is not None and all(change.keeps(address) for address in plain):
        return None
    items = addresslist.parse(value, limit)
    changed = False
    for item in items:
        if isinstance(item, Mailbox):
            item.text, is_other = change.text(item.tokens)
            changed |= is_other
    if not changed:
        return None
    return addresslist.fold(addresslist.externalize(items, f"{text[: start - 1]}: "))


class Change:
    """What becomes of one address, given as tokens."""

    __slots__ = ("_final", "_rewriter")

    def __init__(self, rewriter: Rewriter | None, final: AddressFunction | None) -> None:
        """`rewriter` completes addresses; `final` maps complete ones. Both may be missing."""
        self._rewriter = rewriter
        self._final = final

    def keeps(self, address: Address) -> bool:
        """True when a plain user@domain stays as it is."""
        if self._rewriter is not None and self._rewriter.complete(address) != address:
            return False
        return self._final is None or self._final(address) is None

    def text(self, tokens: Sequence[Token]) -> tuple[str, bool]:
        """(the address in external form, whether that is to be written)"""
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

    __slots__ = ("_limit", "_recipient", "_sender")

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
        self._limit = limit
        sender = recipient = None
        if maps:
            sender = _canonical(settings, open_maps, mapper, rewriter, "sender")
            recipient = _canonical(settings, open_maps, mapper, rewriter, "recipient")
        self._sender = Change(rewriter, sender)
        self._recipient = Change(rewriter, recipient)

    def rewrite(self, header: Header, text: str) -> str | None:
        """See HeaderRewriter."""
        change = self._sender if header.sender else self._recipient
        return rewrite_list(text, len(header.name) + 1, self._limit, change)


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

    __slots__ = ("_change", "_limit", "_mapper", "_maps", "_propagate")

    def __init__(self, maps: Maps, mapper: Mapper, *, propagate: bool, limit: int = 0) -> None:
        self._maps = maps
        self._mapper = mapper
        self._propagate = propagate
        self._limit = limit
        self._change = Change(None, self.find)

    def find(self, address: Address) -> Address | None:
        """What an address is outside; None when no table knows it. Even "to itself" is known."""
        results = self._mapper.map(self._maps, address, self._propagate) if address else None
        return None if results is None else results[0]

    def rewrite(self, header: Header, text: str) -> str | None:
        """See HeaderRewriter."""
        return rewrite_list(text, len(header.name) + 1, self._limit, self._change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitter:
    """Who hands a message in, as far as header rewriting asks."""

    client: Client | None  # None: made on this machine
    is_logged_in: bool = False
    has_trusted_certificate: bool = False  # any certificate that a known authority signed
    has_listed_certificate: bool = False  # one that relay_clientcerts knows


class Contexts:
    """postconf(5) local_header_rewrite_clients, remote_header_rewrite_domain."""

    def __init__(self, settings: ContentSettings, tables: Tables, router: Router) -> None:
        self._router = router
        self._networks = MatchList("mynetworks", settings.mynetworks, tables.maps)
        self._rules = tuple(_client_rules(settings.local_header_rewrite_clients, tables.maps))
        domain = settings.remote_header_rewrite_domain
        remote = Rewriter(router.settings, origin=domain, domain=domain) if domain else None

        def pair(rewriter: Rewriter) -> tuple[CanonicalRewriter, CanonicalRewriter]:
            """(without maps, with maps)"""
            limit = settings.header_address_token_limit
            parts = (router.settings, tables.maps, router.mapper, rewriter)
            return (
                CanonicalRewriter(*parts, limit=limit, maps=False),
                CanonicalRewriter(*parts, limit=limit),
            )

        self._is_constant = all(maps is None for _, maps in self._rules) and not any(
            ":" in item and item[0] != "[" for item in settings.mynetworks
        )
        self._known: dict[tuple[str, str, bool, bool, bool], bool] = {}
        self._local = pair(router.rewriter)
        self._remote = (None, None) if remote is None else pair(remote)

    def of(self, submitter: Submitter, *, maps: bool = True) -> HeaderRewriter | None:
        """The rewriter for mail of this client; None: its headers stay. May be TableUnavailable."""
        return (self._local if self.is_local(submitter) else self._remote)[maps]

    def is_local(self, submitter: Submitter) -> bool:
        """True for a client whose incomplete addresses are ours."""
        client = submitter.client
        if client is None:
            return True
        if not self._is_constant:
            return self._is_local(submitter, client)
        key = (
            client.address,
            client.name,
            submitter.is_logged_in,
            submitter.has_trusted_certificate,
            submitter.has_listed_certificate,
        )
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= KEPT_CLIENTS:
                self._known.clear()
            known = self._known[key] = self._is_local(submitter, client)
        return known

    def _is_local(self, submitter: Submitter, client: Client) -> bool:
        for name, maps in self._rules:
            match name:
                case "permit_inet_interfaces":
                    found = self._router.is_own(client.address)
                case "permit_mynetworks":
                    found = self._networks.matches_host(client.name, client.address)
                case "permit_sasl_authenticated":
                    found = submitter.is_logged_in
                case "permit_tls_all_clientcerts":
                    found = submitter.has_trusted_certificate
                case "permit_tls_clientcerts":
                    found = submitter.has_listed_certificate
                case _:
                    found = maps is not None and maps.find((client.address,)) is not None
            if found:
                return True
        return False


_CLIENT_WORDS = frozenset(
    {
        "permit_inet_interfaces",
        "permit_mynetworks",
        "permit_sasl_authenticated",
        "permit_tls_all_clientcerts",
        "permit_tls_clientcerts",
    }
)


def _client_rules(text: str, open_maps: Callable[[str], Maps]) -> Iterable[tuple[str, Maps | None]]:
    """(word, table) for each part of local_header_rewrite_clients."""
    words = iter(split_items(text))
    for word in words:
        if word == "check_address_map":
            yield word, open_maps(next(words, ""))
        elif ":" in word:
            yield "check_address_map", open_maps(word)
        elif word in _CLIENT_WORDS:
            yield word, None
        else:
            name = "local_header_rewrite_clients"
            raise ParameterError(f"{word} cannot stand here.", name=name)


def _decoded(text: str) -> str:
    """Octets as tables and routing see them."""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "surrogateescape")


def _encoded(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")
