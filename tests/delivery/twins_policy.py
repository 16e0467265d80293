"""twins_policy - complete in-memory partners for policy and routing: tables, DNS, services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from delivery.policy.facts import (
    DnsUnavailable,
    Mx,
    PolicyService,
    PolicyServiceUnavailable,
    Probe,
    ProbeStatus,
    ProbeUnavailable,
)
from tables.addresses import Address
from tables.errors import GenerationError
from tables.formats.base import Map
from tables.formats.memory import MemoryMap
from tables.formats.reference import open_reference, open_source
from tables.itemtext import split_items
from tables.reading.lookup import Maps


class MemoryTables:
    """A snapshot's tables, from dicts and source texts; inline, static and others as always."""

    def __init__(self, tables: Mapping[str, Map] | None = None) -> None:
        self.tables: dict[str, Map] = dict(tables or {})

    def add(self, reference: str, entries: Mapping[str, str]) -> None:
        """Make a table of fixed strings under "hash:name"."""
        self.tables[reference] = MemoryMap(entries)

    def add_source(self, reference: str, text: str) -> None:
        """Make a table of patterns or networks from its source text."""
        self.tables[reference] = open_source(reference.partition(":")[0], text)

    def maps(self, spec: str) -> Maps:
        """Open a list of references."""
        return Maps([(name, open_reference(name, self._open)) for name in split_items(spec)])

    def _open(self, kind: str, name: str) -> Map:
        reference = f"{kind}:{name}"
        if reference not in self.tables:
            raise GenerationError(f"there is no table {reference}")
        return self.tables[reference]


class MemoryResolver:
    """DNS from a dict: (name, type) -> texts; names in `broken` cannot be found out.

    Every question is kept in `asked`.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.broken: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    def add(self, name: str, kind: str, data: str) -> None:
        """One record; MX data is "preference host"."""
        self.records.setdefault((name.lower(), kind.upper()), []).append(data)

    def _find(self, name: str, kind: str) -> tuple[str, ...]:
        folded = name.lower()
        self.asked.append((folded, kind))
        if any(folded == bad or folded.endswith("." + bad) for bad in self.broken):
            raise DnsUnavailable(f"{name}: SERVFAIL")
        return tuple(self.records.get((folded, kind), ()))

    async def mx(self, name: str) -> tuple[Mx, ...]:
        found = [data.split() for data in self._find(name, "MX")]
        return tuple(Mx(int(preference), host) for preference, host in found)

    async def ns(self, name: str) -> tuple[str, ...]:
        return self._find(name, "NS")

    async def a(self, name: str) -> tuple[str, ...]:
        return self._find(name, "A")

    async def aaaa(self, name: str) -> tuple[str, ...]:
        return self._find(name, "AAAA")

    async def addresses(self, name: str) -> tuple[str, ...]:
        return self._find(name, "A") + self._find(name, "AAAA")

    async def ptr(self, address: str) -> tuple[str, ...]:
        return self._find(address, "PTR")

    async def txt(self, name: str) -> tuple[str, ...]:
        return self._find(name, "TXT")


class MemoryAsk:
    """DNS, policy services by endpoint, probes by address; remembers what was asked."""

    def __init__(self) -> None:
        self.resolver = MemoryResolver()
        self.services: dict[str, str] = {}
        self.probes: dict[str, Probe] = {}
        self.requests: list[tuple[str, tuple[tuple[str, str], ...]]] = []
        self.slept: list[float] = []

    async def policy(self, service: PolicyService, attributes: Sequence[tuple[str, str]]) -> str:
        self.requests.append((service.endpoint, tuple(attributes)))
        if service.endpoint not in self.services:
            raise PolicyServiceUnavailable(f"{service.endpoint}: connection refused")
        return self.services[service.endpoint]

    async def verify(self, address: Address) -> Probe:
        if not self.probes:
            raise ProbeUnavailable("no probes here")
        return self.probes.get(address.internal, Probe(ProbeStatus.PENDING))

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Listener:
    """A trace that keeps everything."""

    def __init__(self) -> None:
        self.restrictions: list[tuple[str, str, str, str]] = []
        self.lookups: list[tuple[str, str, str | None]] = []

    def restriction(self, list_name: str, name: str, argument: str, outcome: str) -> None:
        self.restrictions.append((list_name, name, argument, outcome))

    def lookup(self, table: str, key: str, value: str | None) -> None:
        self.lookups.append((table, key, value))
