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

from tables.keys import next_hop_keys
from tables.reading.lookup import Maps

# what Postfix calls them; SSL is refused in any case
_OLD = ("SSLv2", "SSLv3")
_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
_NAMES = tuple(_VERSIONS)
_SEPARATORS = re.compile(r"[\s,:]+")
_GRADES = {"high": "high", "medium": "medium", "null": "null", "low": "medium", "export": "medium"}


class Level(IntEnum):
    """postconf(5) smtp_tls_security_level, in order of strength."""

    NONE = 0
    MAY = 1
    ENCRYPT = 2
    FINGERPRINT = 3
    VERIFY = 4
    SECURE = 5


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Field names and defaults are those of postconf(5)."""

    smtp_tls_security_level: str = ""
    smtp_use_tls: bool = False
    smtp_enforce_tls: bool = False
    smtp_tls_enforce_peername: bool = True
    smtp_tls_wrappermode: bool = False
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
    tls_high_cipherlist: str = "aNULL:-aNULL:HIGH:@STRENGTH"
    tls_medium_cipherlist: str = "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH"
    tls_null_cipherlist: str = "eNULL:!aNULL"


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


class _BadPolicy(ValueError):
    """An entry or a setting that means nothing."""


class TlsPolicies:
    """The policies of one generation."""

    def __init__(self, settings: TlsSettings, maps: Maps) -> None:
        self._settings = settings
        self._maps = maps
        try:
            self._default = self._policy(self._default_level(), {})
        except _BadPolicy as error:
            self._default = TlsPolicy(Level.ENCRYPT, problem=str(error))

    def find(self, destination: str) -> TlsPolicy:
        """The policy for a next hop as it is written. Raises TableUnavailable."""
        found = self._maps.find(next_hop_keys(destination)) if self._maps else None
        if found is None:
            return self._default
        try:
            return self._entry(found.value)
        except _BadPolicy as error:
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
                raise _BadPolicy(f"bad attribute {attribute!r}")
            if name == "match" and name in given:
                text = f"{given[name]}{'|' if level is Level.FINGERPRINT else ':'}{text}"
            elif name in given:
                raise _BadPolicy(f"attribute {name} twice")
            given[name] = text
        if "match" in given and level < Level.FINGERPRINT:
            raise _BadPolicy(f"match= makes no sense at level {word}")
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
            protocols = tuple(_SEPARATORS.split(given["protocols"]))
        oldest, newest = _versions(protocols)
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
                    raise _BadPolicy("no fingerprint to compare with")
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
        grade = given.get("ciphers", grade).lower()
        if grade not in _GRADES:
            raise _BadPolicy(f"no cipher grade {grade!r}")
        lists = {
            "high": settings.tls_high_cipherlist,
            "medium": settings.tls_medium_cipherlist,
            "null": settings.tls_null_cipherlist,
        }
        excluded = list(settings.smtp_tls_exclude_ciphers)
        if is_required:
            excluded += settings.smtp_tls_mandatory_exclude_ciphers
        if "exclude" in given:
            excluded = _SEPARATORS.split(given["exclude"])
        if level >= Level.FINGERPRINT:
            excluded.append("aNULL")  # they have no certificate
        words = [lists[_GRADES[grade]], *(f"!{word}" for word in excluded if word)]
        if level < Level.FINGERPRINT:
            words.append("@SECLEVEL=0")  # weak is better than nothing where anything is taken
        return ":".join(words)


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
        raise _BadPolicy("dane-only needs answers of the DNS that are validated")
    try:
        return Level[name.upper()]
    except KeyError:
        raise _BadPolicy(f"no security level {word[:40]!r}") from None


def _versions(words: tuple[str, ...]) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    """(oldest, newest) of a protocol list: names, !names, >=name, <=name.

    Of a list with a hole in it the newest ones are left.
    """
    wanted, excluded = set[str](), set[str]()
    low, high = 0, len(_NAMES) - 1
    for word in filter(None, words):
        name = word.lstrip("!<>=")
        sign = word[: len(word) - len(name)]
        known = next((each for each in (*_OLD, *_NAMES) if each.lower() == name.lower()), "")
        if not known or sign not in ("", "!", ">=", "<="):
            raise _BadPolicy(f"bad protocol {word[:40]!r}")
        place = _NAMES.index(known) if known in _NAMES else -1
        match sign:
            case ">=":
                low = max(place, 0)
            case "<=":
                high = place
            case "!":
                excluded.add(known)
            case _:
                wanted.add(known)
    allowed = [
        name
        for place, name in enumerate(_NAMES)
        if low <= place <= high and name not in excluded and (not wanted or name in wanted)
    ]
    if not allowed:
        raise _BadPolicy("no protocol is left")
    oldest = newest = _NAMES.index(allowed[-1])
    while oldest > 0 and _NAMES[oldest - 1] in allowed:
        oldest -= 1
    return _VERSIONS[_NAMES[oldest]], _VERSIONS[_NAMES[newest]]
