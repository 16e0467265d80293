"""matchlist - is this name, domain or client in a list such as mydestination or mynetworks?

SUMMARY      list of patterns -> matches(string), matches_domain(name), matches_host(name, address)
PATTERNS     a plain string; .example.com and example.com; 192.0.2.0/24, 192.0.2.1, [2001:db8::]/32;
             type:name, a table whose keys count (its values do not); ! before a pattern excludes
RULES        patterns are tried in order, the first that matches decides; nothing matches: False
             strings are compared folded; a domain matches its parent's pattern when `parent` is set
             (postconf(5) parent_domain_matches_subdomains), otherwise only a pattern with a
             leading dot does; tables of patterns (regexp, cidr) are never asked for a parent
ERRORS       TableUnavailable when a table could not be asked; ParameterError for a bad pattern
NOT DONE     /file/name patterns: an import turns the file into patterns
SOURCE       Postfix match_list(3), match_ops(3): string_list, domain_list, namadr_list
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tables.domains import IPAddress, IPNetwork, parse_network
from tables.errors import AddressSyntaxError, EmptyResult, ParameterError
from tables.reading.lookup import LookupKey, Maps, Trace

KEPT_ANSWERS = 1000  # clients for which a list without tables remembers its answer


@dataclass(frozen=True, slots=True)
class _Pattern:
    """`text` is folded, `network` set when it denotes addresses, `maps` for type:name."""

    text: str
    wanted: bool
    maps: Maps | None = None
    network: IPNetwork | None = None


@dataclass(frozen=True, slots=True)
class _Parent:
    """A parent of the name asked for: not for pattern tables."""

    text: str
    partial: bool = True


class MatchList:
    """An opened list. `name` is the parameter it came from, for errors."""

    __slots__ = ("_constant", "_known", "_parent", "_patterns", "name")

    def __init__(
        self,
        name: str,
        items: Iterable[str],
        open_maps: Callable[[str], Maps],
        *,
        parent: bool = False,
        hosts: bool = True,
    ) -> None:
        """`hosts`: items that look like addresses are networks; not in a list of names alone."""
        self.name = name
        self._parent = parent
        self._patterns = tuple(_read(name, item, open_maps, hosts) for item in items)
        self._constant = all(pattern.maps is None for pattern in self._patterns)
        self._known: dict[tuple[str, str], bool] = {}

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def matches(self, text: str, trace: Trace | None = None) -> bool:
        """string_list: the whole text, or a key of a table."""
        folded = text.casefold()
        for pattern in self._patterns:
            if pattern.maps is not None:
                if _knows(pattern.maps, (folded,), trace):
                    return pattern.wanted
            elif pattern.text == folded:
                return pattern.wanted
        return False

    def matches_domain(self, domain: str, trace: Trace | None = None) -> bool:
        """domain_list: the domain or, as the list says, one of its parents."""
        folded = domain.casefold()
        for pattern in self._patterns:
            if self._domain_hit(pattern, folded, trace):
                return pattern.wanted
        return False

    def matches_host(self, name: str, address: str, trace: Trace | None = None) -> bool:
        """namadr_list: a client by its name or its address, pattern by pattern."""
        if not self._constant:
            return self._matches_host(name, address, trace)
        known = self._known.get((name, address))
        if known is None:
            if len(self._known) >= KEPT_ANSWERS:
                self._known.clear()
            known = self._known[name, address] = self._matches_host(name, address, None)
        return known

    def _matches_host(self, name: str, address: str, trace: Trace | None) -> bool:
        folded = name.casefold()
        number = _address(address)
        for pattern in self._patterns:
            if self._domain_hit(pattern, folded, trace):
                return pattern.wanted
            if _address_hit(pattern, address, number, trace):
                return pattern.wanted
        return False

    def _domain_hit(self, pattern: _Pattern, folded: str, trace: Trace | None) -> bool:
        if pattern.maps is not None:
            keys: list[str | LookupKey] = [folded, *map(_Parent, self._parents(folded))]
            return _knows(pattern.maps, keys, trace)
        if pattern.text == folded:
            return True
        if self._parent:
            return folded.endswith("." + pattern.text)
        return (
            pattern.text[:1] == "."
            and len(folded) > len(pattern.text)
            and folded.endswith(pattern.text)
        )

    def _parents(self, folded: str) -> Iterator[str]:
        """example.com, com - or, without `parent`, .example.com, .com."""
        at = folded.find(".", 1)
        while at > 0:
            yield folded[at + 1 :] if self._parent else folded[at:]
            at = folded.find(".", at + 1)


def _read(name: str, item: str, open_maps: Callable[[str], Maps], hosts: bool) -> _Pattern:
    body = item.lstrip("!")
    wanted = (len(item) - len(body)) % 2 == 0
    if not body:
        raise ParameterError('There is no pattern after "!".', name=name)
    if body[0] == "/":
        raise ParameterError(f"{body}: name a table (type:name), not a file.", name=name)
    if body[0] != "[" and ":" in body:
        return _Pattern(body, wanted, maps=open_maps(body))
    network = _network(name, body) if hosts else None
    return _Pattern(body.casefold(), wanted, network=network)


def _network(name: str, text: str) -> IPNetwork | None:
    """The network that a pattern denotes, None for a name. Host bits must be zero."""
    if text[0] != "[" and text.strip("/.0123456789"):
        return None
    try:
        return parse_network(text).network
    except AddressSyntaxError as error:
        if "/" in text or text[0] == "[":
            raise ParameterError(str(error), name=name) from error
        return None


def _address(text: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _knows(maps: Maps, keys: Iterable[str | LookupKey], trace: Trace | None) -> bool:
    """True for a key of a table, whatever its value is."""
    try:
        return maps.find(keys, trace) is not None
    except EmptyResult:
        return True


def _address_hit(
    pattern: _Pattern, address: str, number: IPAddress | None, trace: Trace | None
) -> bool:
    if number is None:
        return False
    if pattern.maps is not None:
        return _knows(pattern.maps, (address,), trace)
    network = pattern.network
    return network is not None and network.version == number.version and number in network
