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

from delivery.content.rewriting import CanonicalRewriter, HeaderRewriter
from delivery.content.settings import ContentSettings
from delivery.routing.rewrite import Rewriter
from delivery.routing.router import Router, Tables
from delivery.values import Client
from tables.errors import ParameterError
from tables.frozen import dataclass
from tables.itemtext import split_items
from tables.reading.lookup import Maps
from tables.reading.matchlist import MatchList

KEPT_CLIENTS = 1000  # clients of which it is remembered whether they are local


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

    def rewriter(self, *, is_local: bool, maps: bool = True) -> HeaderRewriter | None:
        """The rewriter for mail of local or of other clients; None: its headers stay."""
        return (self._local if is_local else self._remote)[maps]

    def is_local(self, submitter: Submitter) -> bool:
        """True for a client whose incomplete addresses are ours. May be TableUnavailable."""
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
