"""contexts - whose mail has its header addresses completed, and with which domain.

SUMMARY      Contexts(...).is_local(submitter); .rewriter(is_local) -> None for none
RULES        local clients (local_header_rewrite_clients) and mail made here: $myorigin, .$mydomain
             other clients: remote_header_rewrite_domain; when that is empty nothing in headers is
             touched, not even by canonical maps
ERRORS       ParameterError when made; TableUnavailable from is_local()
SOURCE       ADDRESS_REWRITING_README; Postfix smtpd_check(3) smtpd_check_rewrite
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from delivery.content.rewriting import CanonicalRewriter, HeaderRewriter
from delivery.content.settings import ContentSettings
from delivery.routing.rewrite import Rewriter
from delivery.routing.router import Router, Tables
from tables.errors import ParameterError
from tables.itemtext import split_items
from tables.reading.lookup import Maps
from tables.reading.matchlist import MatchList
from tables.remembered import Remembered

KEPT_CLIENTS = 1000  # clients of which it is remembered whether they are local


class Submitter(NamedTuple):
    """Who hands a message in, as far as header rewriting asks."""

    address: str | None = None  # of the client; None: it is made on this machine
    name: str = "unknown"
    is_logged_in: bool = False
    has_trusted_certificate: bool = False  # any certificate that a known authority signed
    has_listed_certificate: bool = False  # one that relay_clientcerts knows


class Contexts:
    """postconf(5) local_header_rewrite_clients, remote_header_rewrite_domain."""

    def __init__(self, settings: ContentSettings, tables: Tables, router: Router) -> None:
        rules = tuple(_client_rules(settings.local_header_rewrite_clients, tables.maps))
        networks = MatchList("mynetworks", settings.mynetworks, tables.maps)
        self._is_local = partial(_is_local, rules, networks, router.is_own)
        self._known = Remembered(self._is_local, KEPT_CLIENTS)
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

        self._is_constant = all(maps is None for _, maps in rules) and not any(
            ":" in item and item[0] != "[" for item in settings.mynetworks
        )
        self._local = pair(router.rewriter)
        self._remote = (None, None) if remote is None else pair(remote)

    def rewriter(self, *, is_local: bool, maps: bool = True) -> HeaderRewriter | None:
        """The rewriter for mail of local or of other clients; None: its headers stay."""
        return (self._local if is_local else self._remote)[maps]

    def is_local(self, submitter: Submitter) -> bool:
        """True for a client whose incomplete addresses are ours. May be TableUnavailable."""
        return self._known[submitter] if self._is_constant else self._is_local(submitter)


def _is_local(
    rules: Iterable[tuple[str, Maps | None]],
    networks: MatchList,
    is_own: Callable[[str], bool],
    submitter: Submitter,
) -> bool:
    address = submitter.address
    if address is None:
        return True
    for name, maps in rules:
        match name:
            case "permit_inet_interfaces":
                found = is_own(address)
            case "permit_mynetworks":
                found = networks.matches_host(submitter.name, address)
            case "permit_sasl_authenticated":
                found = submitter.is_logged_in
            case "permit_tls_all_clientcerts":
                found = submitter.has_trusted_certificate
            case "permit_tls_clientcerts":
                found = submitter.has_listed_certificate
            case _:
                found = maps is not None and maps.find((address,)) is not None
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
