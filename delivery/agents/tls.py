"""tls - the client's half of TLS: contexts, and whether a certificate is the right one.

SUMMARY      TlsContexts(settings).context(policy) -> ssl.SSLContext, made once for each policy
             is_trusted(certificate, der, policy, ...) -> bool, after the handshake
RULES        may and encrypt look at no certificate at all; fingerprint compares digests of the
             certificate and of its public key; verify and secure let OpenSSL check the chain during
             the handshake, and compare names afterwards: hostname, nexthop, dot-nexthop, .domain
             a certificate without DNS names has its common name; "*." stands for one label
             a client certificate that cannot be read is left out where TLS is optional
ERRORS       TlsProblem: files or settings of ours that cannot be used
SOURCE       RFC 5280, RFC 6125; Postfix TLS_README, tls_client.c, tls_verify.c
"""

from __future__ import annotations

import hashlib
import hmac
import ssl
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from delivery import log
from delivery.agents.tlspolicy import Level, TlsPolicy, TlsSettings
from delivery.errors import DeliveryError

# digests that a fingerprint may be of; md5 is Postfix's default of old
DIGESTS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
_SEQUENCE = 0x30


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
        for file in settings.smtp_tls_chain_files:
            context.load_cert_chain(file)
        if not settings.smtp_tls_chain_files and settings.smtp_tls_cert_file:
            context.load_cert_chain(settings.smtp_tls_cert_file, settings.smtp_tls_key_file or None)


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


def names_of(certificate: Mapping[str, Any]) -> list[str]:
    """DNS names of a certificate; of one without any, its common name."""
    found = [text for kind, text in certificate.get("subjectAltName", ()) if kind == "DNS"]
    if found:
        return found
    subject = certificate.get("subject", ())
    return [text for part in subject for kind, text in part if kind == "commonName"][:1]


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
    name = digest.lower() if digest.lower() in DIGESTS else "sha256"
    found = [hashlib.new(name, der, usedforsecurity=False).hexdigest()]
    if (key := public_key(der)) is not None:
        found.append(hashlib.new(name, key, usedforsecurity=False).hexdigest())
    return any(hmac.compare_digest(one, other) for one in found for other in wanted)


def public_key(der: bytes) -> bytes | None:
    """The subjectPublicKeyInfo of a certificate, as it is; None when it has none. RFC 5280 4.1"""
    try:
        certificate = next(_elements(der))
        inner = next(_elements(certificate[1]))
        parts = [part for part in _elements(inner[1]) if part[2] != 0xA0]  # [0] version
    except (IndexError, StopIteration):
        return None
    # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
    return parts[5][0] if len(parts) > 5 and parts[5][2] == _SEQUENCE else None


def _elements(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """(whole, content, tag) of each DER element in `data`. X.690 8.1. Raises IndexError."""
    place = 0
    while place < len(data):
        tag, length, begin = data[place], data[place + 1], place + 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[begin : begin + count], "big")
            begin += count
        end = begin + length
        if end > len(data):
            raise IndexError
        yield data[place:end], data[begin:end], tag
        place = end
