"""tlsterms - TLS in the words of postconf(5): lists of protocols, grades of ciphers.

SUMMARY      versions(words) -> (oldest, newest) for an ssl.SSLContext
             CipherLists(...).of(grade, excluded) -> cipher list for OpenSSL
RULES        protocols: names, !names, >=name, <=name; of a list with a hole in it the newest ones
             are left; SSL is refused in any case
             low and export are medium
ERRORS       BadTlsTerm: what means nothing, or leaves nothing
SOURCE       postconf(5) smtp_tls_protocols, smtp_tls_ciphers; Postfix tls_misc.c
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

SEPARATORS = re.compile(r"[\s,:]+")
# whatever anybody can do is better than nothing, where nothing would be the clear
ANY_STRENGTH = "@SECLEVEL=0"
_OLD = ("SSLv2", "SSLv3")
_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
_NAMES = tuple(_VERSIONS)
_GRADES = {"high": "high", "medium": "medium", "null": "null", "low": "medium", "export": "medium"}


class BadTlsTerm(ValueError):
    """A setting, or an entry of a table, that means nothing."""


@dataclass(frozen=True, slots=True)
class CipherLists:
    """Field names and defaults are those of postconf(5)."""

    tls_high_cipherlist: str = "aNULL:-aNULL:HIGH:@STRENGTH"
    tls_medium_cipherlist: str = "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH"
    tls_null_cipherlist: str = "eNULL:!aNULL"

    def of(self, grade: str, excluded: Iterable[str]) -> str:
        """The ciphers of a grade without the excluded ones. Raises BadTlsTerm."""
        name = _GRADES.get(grade.lower())
        if name is None:
            raise BadTlsTerm(f"no cipher grade {grade[:40]!r}")
        lists = {
            "high": self.tls_high_cipherlist,
            "medium": self.tls_medium_cipherlist,
            "null": self.tls_null_cipherlist,
        }
        return ":".join([lists[name], *(f"!{word}" for word in excluded if word)])


def versions(words: Iterable[str]) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    """(oldest, newest) of a protocol list. Raises BadTlsTerm."""
    wanted, excluded = set[str](), set[str]()
    low, high = 0, len(_NAMES) - 1
    for word in filter(None, words):
        name = word.lstrip("!<>=")
        sign = word[: len(word) - len(name)]
        known = next((each for each in (*_OLD, *_NAMES) if each.lower() == name.lower()), "")
        if not known or sign not in ("", "!", ">=", "<="):
            raise BadTlsTerm(f"bad protocol {word[:40]!r}")
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
        raise BadTlsTerm("no protocol is left")
    oldest = newest = _NAMES.index(allowed[-1])
    while oldest > 0 and _NAMES[oldest - 1] in allowed:
        oldest -= 1
    return _VERSIONS[_NAMES[oldest]], _VERSIONS[_NAMES[newest]]
