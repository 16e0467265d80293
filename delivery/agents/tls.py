"""tls - the client's half of TLS: contexts, and whether a certificate is the right one.

SUMMARY      TlsContexts(settings).context(policy) -> ssl.SSLContext, made once for each policy
             is_trusted(certificate, der, policy, ...) -> bool, after the handshake
RULES        may and encrypt look at no certificate at all; fingerprint compares digests of the
             certificate and of its public key; verify and secure let OpenSSL check the chain during
             the handshake, and compare names afterwards: hostname, nexthop, dot-nexthop, .domain
             in a name "*." stands for one label
             a client certificate that cannot be read is left out where TLS is optional
ERRORS       TlsProblem: files or settings of ours that cannot be used
SOURCE       RFC 5280, RFC 6125; Postfix TLS_README, tls_client.c, tls_verify.c
"""

from __future__ import annotations

import hmac
import ssl
import warnings
from collections.abc import Mapping
from typing import Any

from delivery import log
from delivery.agents.tlspolicy import Level, TlsPolicy, TlsSettings
from delivery.certificates import fingerprints, load_keys, names_of
from delivery.errors import DeliveryError


class TlsProblem(DeliveryError):
    """TLS cannot be used as it is configured."""


class TlsContexts:
    """The contexts of one generation."""

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._contexts: dict[TlsPolicy, ssl.SSLContext] = {}

    def context(self, policy: TlsPolicy) -> ssl.SSLContext:
        """What a handshake needs. Raises TlsProblem."""
        context = self._contexts.get(policy)
        if context is None:
            context = self._contexts[policy] = self._make(policy)
        return context

    def _make(self, policy: TlsPolicy) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # is_trusted() does, by Postfix's rules
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.0 is asked for by name
                context.minimum_version = policy.oldest
                context.maximum_version = policy.newest
            context.set_ciphers(policy.ciphers)
            if policy.level >= Level.VERIFY:
                context.verify_mode = ssl.CERT_REQUIRED
                self._load_authorities(context)
            else:
                context.verify_mode = ssl.CERT_NONE
        except (OSError, ValueError) as error:
            raise TlsProblem(str(error)) from error
        try:
            self._load_certificate(context)
        except OSError as error:
            if policy.is_required:
                raise TlsProblem(str(error)) from error
            log.event("smtp", problem=f"the client certificate cannot be used: {error}")
        return context

    def _load_authorities(self, context: ssl.SSLContext) -> None:
        """postconf(5): without smtp_tls_CAfile and smtp_tls_CApath nobody is trusted."""
        file, path = self._settings.smtp_tls_CAfile, self._settings.smtp_tls_CApath
        if file or path:
            context.load_verify_locations(file or None, path or None)

    def _load_certificate(self, context: ssl.SSLContext) -> None:
        settings = self._settings
        load_keys(
            context,
            settings.smtp_tls_chain_files,
            settings.smtp_tls_cert_file,
            settings.smtp_tls_key_file,
        )


def server_name(policy: TlsPolicy, host: str, domain: str) -> str:
    """The name to ask for (SNI), '' for none. postconf(5) smtp_tls_servername."""
    match policy.servername:
        case "hostname":
            return host
        case "nexthop":
            return domain
        case name:
            return name


def is_trusted(
    certificate: Mapping[str, Any] | None,
    der: bytes | None,
    policy: TlsPolicy,
    *,
    host: str,
    domain: str,
    digest: str,
) -> bool:
    """True when the server has shown a certificate that the policy wants.

    `certificate` is what ssl.SSLObject.getpeercert() gives, `der` the certificate itself; `domain`
    is the next hop. Of `verify` and `secure` only the names are left to compare.
    """
    if policy.level is Level.FINGERPRINT:
        return der is not None and _has_fingerprint(der, policy.match, digest)
    if policy.level < Level.FINGERPRINT:
        return True
    return any(
        _matches(name.rstrip("."), pattern, host.rstrip("."), domain.rstrip("."))
        for name in names_of(certificate or {})
        for pattern in policy.match
    )


def _matches(name: str, pattern: str, host: str, domain: str) -> bool:
    """Postfix match_servername()."""
    name = name.lower()
    match pattern:
        case "hostname":
            wanted, below = host, False
        case "nexthop":
            wanted, below = domain, False
        case "dot-nexthop":
            wanted, below = domain, True
        case _:
            wanted, below = pattern.lstrip("."), pattern.startswith(".")
    wanted = wanted.lower()
    if not wanted or not name:
        return False
    if below:
        return name.endswith(f".{wanted}")
    if name == wanted:
        return True
    return name.startswith("*.") and len(name) > 2 and wanted.partition(".")[2] == name[2:]


def _has_fingerprint(der: bytes, wanted: tuple[str, ...], digest: str) -> bool:
    found = filter(None, fingerprints(der, digest))
    return any(hmac.compare_digest(one, other) for one in found for other in wanted)
