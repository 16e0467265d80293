"""resolver - dnspython behind the protocol that policy and agents ask; three outcomes, bounded.

SUMMARY      Resolver(endpoint).mx/ns/a/aaaa/addresses/ptr/txt(name)
RULES        () is a definite "no such record"; DnsUnavailable is SERVFAIL, a timeout, an answer
             without sense. Names are A-labels without final dot
             answers are kept for their time to live, at most TTL_LIMIT; refusals for NEGATIVE_TTL
             one question on its way serves everybody who asks it meanwhile
             addresses() asks the hosts file first, as nsswitch "files dns" does
LIMITS       LIFETIME_S for one question; RECORDS records of an answer; CACHE answers
SOURCE       RFC 1035, 2181 5.4.1, 2308; postconf(5) smtp_host_lookup; hosts(5)
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
import dns.reversename

from delivery.config import Endpoint
from delivery.policy.facts import DnsUnavailable, Mx

LIFETIME_S = 10.0
TTL_LIMIT = 3600.0
NEGATIVE_TTL = 60.0
RECORDS = 100
CACHE = 20_000
HOSTS = Path("/etc/hosts")

Answer = tuple[str, ...]


class HostsFile:
    """/etc/hosts, read again when it changed."""

    def __init__(self, path: Path = HOSTS) -> None:
        self._path = path
        self._stamp = (-1, -1)
        self._addresses: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}

    def addresses(self, name: str) -> Answer:
        """Addresses of a host, in the file's order."""
        self._read()
        return tuple(self._addresses.get(name.lower(), ()))

    def name(self, address: str) -> str:
        """The first name of an address, or ''."""
        self._read()
        return self._names.get(address, "")

    def _read(self) -> None:
        try:
            state = self._path.stat()
            stamp = (state.st_mtime_ns, state.st_size)
            if stamp == self._stamp:
                return
            text = self._path.read_text(errors="replace")
        except OSError:
            return  # no hosts file: the DNS alone
        self._stamp = stamp
        self._addresses, self._names = {}, {}
        for line in text.splitlines():
            words = line.partition("#")[0].split()
            if len(words) < 2:
                continue
            try:
                address = str(ipaddress.ip_address(words[0].partition("%")[0]))
            except ValueError:
                continue
            self._names.setdefault(address, words[1])
            for name in words[1:]:
                known = self._addresses.setdefault(name.lower(), [])
                if address not in known:
                    known.append(address)


class Resolver:
    """One for the engine; belongs to its event loop."""

    def __init__(
        self,
        endpoint: Endpoint | None = None,
        *,
        hosts: HostsFile | None = None,
        families: Callable[[], Answer] = lambda: ("ipv4", "ipv6"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`endpoint` None: the system's servers. `families`: inet_protocols at the moment."""
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        if endpoint is not None:
            self._resolver.nameservers = [endpoint.host or "127.0.0.1"]
            self._resolver.port = endpoint.port
        else:
            self._configure_from_system()
        self._resolver.lifetime = LIFETIME_S
        self._resolver.timeout = LIFETIME_S / 3
        self._hosts = hosts or HostsFile()
        self._families = families
        self._clock = clock
        self._cache: OrderedDict[tuple[str, str], tuple[float, Answer]] = OrderedDict()
        self._asking: dict[tuple[str, str], asyncio.Task[Answer]] = {}

    def _configure_from_system(self) -> None:
        try:
            self._resolver.read_resolv_conf("/etc/resolv.conf")
        except (OSError, dns.resolver.NoResolverConfiguration):
            self._resolver.nameservers = ["127.0.0.1"]  # as resolver(3) without a file

    async def mx(self, name: str) -> tuple[Mx, ...]:
        """Mail exchangers, as the server listed them."""
        found = []
        for text in await self._ask(name, "MX"):
            preference, host = text.split(" ", 1)
            found.append(Mx(int(preference), host))
        return tuple(found)

    async def ns(self, name: str) -> Answer:
        """Name servers of a zone."""
        return await self._ask(name, "NS")

    async def a(self, name: str) -> Answer:
        """IPv4 addresses, from the DNS alone."""
        return await self._ask(name, "A")

    async def aaaa(self, name: str) -> Answer:
        """IPv6 addresses, from the DNS alone."""
        return await self._ask(name, "AAAA")

    async def addresses(self, name: str) -> Answer:
        """Addresses of a host: the hosts file, else the DNS, in the families that are spoken."""
        families = self._families()
        wanted = {4: "ipv4" in families, 6: "ipv6" in families}
        listed = self._hosts.addresses(name)
        if found := tuple(a for a in listed if wanted[ipaddress.ip_address(a).version]):
            return found
        kinds = [kind for version, kind in ((6, "AAAA"), (4, "A")) if wanted[version]]
        results = await asyncio.gather(
            *(self._ask(name, kind) for kind in kinds), return_exceptions=True
        )
        known: list[str] = []
        trouble: BaseException | None = None
        for result in results:
            if isinstance(result, BaseException):
                trouble = result
            else:
                known.extend(result)
        if not known and trouble is not None:
            raise trouble  # one family found nothing, the other could not tell
        return tuple(known)

    async def ptr(self, address: str) -> Answer:
        """Names of an address: the hosts file, else the DNS."""
        if name := self._hosts.name(address):
            return (name,)
        return await self._ask(dns.reversename.from_address(address).to_text(True), "PTR")

    async def txt(self, name: str) -> Answer:
        """Text records, the strings of each joined."""
        return await self._ask(name, "TXT")

    # inside

    async def _ask(self, name: str, kind: str) -> Answer:
        key = (name.lower().rstrip("."), kind)
        kept = self._cache.get(key)
        if kept is not None:
            until, answer = kept
            if until > self._clock():
                return answer
            del self._cache[key]
        task = self._asking.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._query(*key))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(task)

    def _answered(self, key: tuple[str, str], task: asyncio.Task[Answer]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever asked has it; nobody may be waiting any more

    async def _query(self, name: str, kind: str) -> Answer:
        try:
            answer = await self._resolver.resolve(
                dns.name.from_text(name), kind, raise_on_no_answer=False, search=False
            )
        except dns.resolver.NXDOMAIN:
            return self._keep((name, kind), NEGATIVE_TTL, ())
        except (dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong):
            return ()  # not a name that the DNS could hold
        except dns.name.BadEscape:
            return ()
        except (dns.exception.DNSException, OSError) as error:
            raise DnsUnavailable(f"{name} {kind}: {type(error).__name__}") from error
        if answer.rrset is None:
            return self._keep((name, kind), NEGATIVE_TTL, ())
        records = tuple(_text(record, kind) for record in list(answer.rrset)[:RECORDS])
        return self._keep((name, kind), min(float(answer.rrset.ttl), TTL_LIMIT), records)

    def _keep(self, key: tuple[str, str], ttl: float, answer: Answer) -> Answer:
        if ttl > 0:
            self._cache[key] = (self._clock() + ttl, answer)
            while len(self._cache) > CACHE:
                self._cache.popitem(last=False)
        return answer


def _text(record: object, kind: str) -> str:
    """A record in the form that this module gives out."""
    match kind:
        case "MX":
            return f"{record.preference} {_name(record.exchange)}"  # type: ignore[attr-defined]
        case "NS" | "PTR":
            return _name(record.target)  # type: ignore[attr-defined]
        case "TXT":
            data = b"".join(record.strings)  # type: ignore[attr-defined]
            return data.decode("utf-8", "replace")
        case _:
            return str(record.address)  # type: ignore[attr-defined]


def _name(name: dns.name.Name) -> str:
    """Without final dot; the root is "."."""
    return name.to_text(omit_final_dot=True)
