"""tlspolicy - how much encryption a destination gets, and which certificates are good for it.

SUMMARY      TlsPolicies(settings, maps).find("[gw.example]:587") -> TlsPolicy
RULES        smtp_tls_policy_maps by next hop, else smtp_tls_security_level, else the old
             smtp_use_tls, smtp_enforce_tls and smtp_tls_enforce_peername
             a table entry is a level and attributes: match=, protocols=, ciphers=, exclude=,
             servername=. One that cannot be understood is a policy with a `problem`: mail waits,
             and nobody is connected to
             dane is treated as may, dane-only as a problem: answers of the DNS are not validated
ERRORS       TableUnavailable
SOURCE       postconf(5) smtp_tls_policy_maps, Postfix TLS_README, smtp_tls_policy.c
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, replace
from enum import IntEnum

from delivery.tlsterms import ANY_STRENGTH, SEPARATORS, BadTlsTerm, CipherLists, versions
from tables.keys import next_hop_keys
from tables.reading.lookup import Maps


class Level(IntEnum):
    """postconf(5) smtp_tls_security_level, in order of strength."""

    NONE = 0
    MAY = 1
    ENCRYPT = 2
    FINGERPRINT = 3
    VERIFY = 4
    SECURE = 5


@dataclass(frozen=True, slots=True)
class TlsSettings(CipherLists):
    """Field names and defaults are those of postconf(5)."""

    smtp_tls_security_level: str = ""
    smtp_use_tls: bool = False
    smtp_enforce_tls: bool = False
    smtp_tls_enforce_peername: bool = True
    smtp_tls_wrappermode: bool = False
    smtp_tls_note_starttls_offer: bool = False
    smtp_tls_chain_files: tuple[str, ...] = ()
    smtp_tls_cert_file: str = ""
    smtp_tls_key_file: str = ""
    smtp_tls_CAfile: str = ""
    smtp_tls_CApath: str = ""
    smtp_tls_protocols: tuple[str, ...] = (">=TLSv1",)
    smtp_tls_mandatory_protocols: tuple[str, ...] = (">=TLSv1",)
    smtp_tls_ciphers: str = "medium"
    smtp_tls_mandatory_ciphers: str = "medium"
    smtp_tls_exclude_ciphers: tuple[str, ...] = ()
    smtp_tls_mandatory_exclude_ciphers: tuple[str, ...] = ()
    smtp_tls_secure_cert_match: tuple[str, ...] = ("nexthop", "dot-nexthop")
    smtp_tls_verify_cert_match: tuple[str, ...] = ("hostname",)
    smtp_tls_fingerprint_cert_match: tuple[str, ...] = ()
    smtp_tls_fingerprint_digest: str = "sha256"
    smtp_tls_servername: str = ""


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """What holds for one destination. Equal policies may share connections."""

    level: Level = Level.NONE
    match: tuple[str, ...] = ()  # names, or fingerprints in lower case without colons
    oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: str = ""  # for OpenSSL
    servername: str = ""  # as configured: hostname, nexthop or a name
    problem: str = ""  # why it cannot be used

    @property
    def is_required(self) -> bool:
        """True when no mail goes in the clear."""
        return self.level >= Level.ENCRYPT


class TlsPolicies:
    """The policies of one generation."""

    def __init__(self, settings: TlsSettings, maps: Maps) -> None:
        self._settings = settings
        self._maps = maps
        try:
            self._default = self._policy(self._default_level(), {})
        except BadTlsTerm as error:
            self._default = TlsPolicy(Level.ENCRYPT, problem=str(error))

    def find(self, destination: str) -> TlsPolicy:
        """The policy for a next hop as it is written. Raises TableUnavailable."""
        found = self._maps.find(next_hop_keys(destination)) if self._maps else None
        if found is None:
            return self._default
        try:
            return self._entry(found.value)
        except BadTlsTerm as error:
            return TlsPolicy(Level.ENCRYPT, problem=f"{found.key}: {error}")

    def _default_level(self) -> Level:
        settings = self._settings
        if settings.smtp_tls_security_level:
            return _level(settings.smtp_tls_security_level)
        if settings.smtp_enforce_tls:
            return Level.VERIFY if settings.smtp_tls_enforce_peername else Level.ENCRYPT
        return Level.MAY if settings.smtp_use_tls else Level.NONE

    def _entry(self, value: str) -> TlsPolicy:
        """postconf(5): level name=value name=value"""
        word, *attributes = _SEPARATORS_OF_WORDS.split(value.strip())
        level = _level(word)
        given: dict[str, str] = {}
        for attribute in filter(None, attributes):
            name, equals, text = attribute.partition("=")
            name = name.lower()
            if not equals or not text or name not in _ATTRIBUTES:
                raise BadTlsTerm(f"bad attribute {attribute!r}")
            if name == "match" and name in given:
                text = f"{given[name]}{'|' if level is Level.FINGERPRINT else ':'}{text}"
            elif name in given:
                raise BadTlsTerm(f"attribute {name} twice")
            given[name] = text
        if "match" in given and level < Level.FINGERPRINT:
            raise BadTlsTerm(f"match= makes no sense at level {word}")
        return self._policy(level, given)

    def _policy(self, level: Level, given: dict[str, str]) -> TlsPolicy:
        if level is Level.NONE:
            return TlsPolicy()
        settings = self._settings
        is_required = level >= Level.ENCRYPT
        protocols = (
            settings.smtp_tls_mandatory_protocols if is_required else settings.smtp_tls_protocols
        )
        if "protocols" in given:
            protocols = tuple(SEPARATORS.split(given["protocols"]))
        oldest, newest = versions(protocols)
        return TlsPolicy(
            level=level,
            match=self._match(level, given.get("match", "")),
            oldest=oldest,
            newest=newest,
            ciphers=self._ciphers(level, given),
            servername=given.get("servername", settings.smtp_tls_servername),
        )

    def _match(self, level: Level, given: str) -> tuple[str, ...]:
        settings = self._settings
        match level:
            case Level.FINGERPRINT:
                words = given.split("|") if given else settings.smtp_tls_fingerprint_cert_match
                found = tuple(
                    part.replace(":", "").lower() for word in words for part in word.split("|")
                )
                if not any(found):
                    raise BadTlsTerm("no fingerprint to compare with")
                return found
            case Level.VERIFY:
                words = given.split(":") if given else settings.smtp_tls_verify_cert_match
            case Level.SECURE:
                words = given.split(":") if given else settings.smtp_tls_secure_cert_match
            case _:
                return ()
        return tuple(filter(None, words))

    def _ciphers(self, level: Level, given: dict[str, str]) -> str:
        settings = self._settings
        is_required = level >= Level.ENCRYPT
        grade = settings.smtp_tls_mandatory_ciphers if is_required else settings.smtp_tls_ciphers
        excluded = list(settings.smtp_tls_exclude_ciphers)
        if is_required:
            excluded += settings.smtp_tls_mandatory_exclude_ciphers
        if "exclude" in given:
            excluded = SEPARATORS.split(given["exclude"])
        if level >= Level.FINGERPRINT:
            excluded.append("aNULL")  # they have no certificate
        found = settings.of(given.get("ciphers", grade), excluded)
        # weak is better than nothing where anything is taken
        return f"{found}:{ANY_STRENGTH}" if level < Level.FINGERPRINT else found


_SEPARATORS_OF_WORDS = re.compile(r"[\s,]+")
_ATTRIBUTES = ("match", "protocols", "ciphers", "exclude", "servername", "connection_reuse")


def plain(policy: TlsPolicy) -> TlsPolicy:
    """The policy without encryption, for a server whose TLS does not work."""
    return replace(policy, level=Level.NONE)


def _level(word: str) -> Level:
    name = word.strip().lower()
    if name == "dane":
        return Level.MAY
    if name == "dane-only":
        raise BadTlsTerm("dane-only needs answers of the DNS that are validated")
    try:
        return Level[name.upper()]
    except KeyError:
        raise BadTlsTerm(f"no security level {word[:40]!r}") from None
