"""resolver - dnspython behind the protocol that policy and agents ask; three outcomes, bounded.

SUMMARY      Resolver(endpoint).mx/ns/a/aaaa/addresses/ptr/txt(name)
RULES        () is a definite "no such record"; DnsUnavailable is SERVFAIL, a timeout, an answer
             without sense. Names are A-labels without final dot
             answers are kept for their time to live, at most TTL_LIMIT; refusals for NEGATIVE_TTL;
             "could not tell" is not kept
             one question on its way serves everybody who asks it meanwhile
             addresses() asks the hosts file first, as nsswitch "files dns" does, unless the DNS
             alone is wanted
             a View is how one client sees the DNS: it may leave records out, or let names be
             completed by the system's search list; it sees what others see otherwise
             the system's list of servers is read again when it changed
LIMITS       LIFETIME_S for one question; QUESTIONS on their way at once, the others wait their turn
             within that time; RECORDS records of an answer; the cache: CACHE answers, CACHE_BYTES
SOURCE       RFC 1035, 2181 5.4.1, 2308; postconf(5) smtp_host_lookup; hosts(5), resolv.conf(5)
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
import dns.reversename

from delivery.config import Endpoint
from delivery.policy.facts import DnsUnavailable, Mx
from delivery.runtime.filestamp import Stamp, stamp
from delivery.runtime.hostsfile import HostsFile

LIFETIME_S = 10.0
TTL_LIMIT = 3600.0
NEGATIVE_TTL = 60.0
QUESTIONS = 200  # each needs a socket
RECORDS = 100
CACHE = 20_000
CACHE_BYTES = 16 * 1024 * 1024
ENTRY_BYTES = 200  # of an answer beside its text, roughly
RESOLV_CONF = Path("/etc/resolv.conf")

Answer = tuple[str, ...]


class Question(NamedTuple):
    """`search`: the system's list of domains may complete the name."""

    name: str
    kind: str
    search: bool = False


class Records(NamedTuple):
    """Records of one name and type, in the form that this module gives out."""

    owner: str = ""  # the name behind all aliases
    ttl: int = 0
    texts: Answer = ()


class View:
    """All that there is, under the names that were asked for."""

    search = False

    def choose(self, kind: str, records: Records) -> Answer:
        """The records that count. Raises DeliveryError."""
        return records.texts


PLAIN = View()


class Cache:
    """Answers with the time they are good for; the oldest go first."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answers: OrderedDict[Question, tuple[float, int, Records]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, question: Question) -> Records | None:
        """A good answer, or None."""
        kept = self._answers.get(question)
        if kept is None:
            return None
        until, _, records = kept
        if until > self._clock():
            return records
        self._drop(question)
        return None

    def put(self, question: Question, records: Records, ttl: float) -> None:
        """Keep an answer for so many seconds."""
        if ttl <= 0:
            return
        self._drop(question)
        size = ENTRY_BYTES + len(question.name) + len(records.owner)
        size += sum(map(len, records.texts))
        self._answers[question] = (self._clock() + ttl, size, records)
        self._bytes += size
        while len(self._answers) > CACHE or self._bytes > CACHE_BYTES:
            self._drop(next(iter(self._answers)))

    def _drop(self, question: Question) -> None:
        kept = self._answers.pop(question, None)
        if kept is not None:
            self._bytes -= kept[1]


class Resolver:
    """One for the engine; belongs to its event loop."""

    def __init__(
        self,
        endpoint: Endpoint | None = None,
        *,
        hosts: HostsFile | None = None,
        families: Callable[[], Answer] = lambda: ("ipv4", "ipv6"),
        clock: Callable[[], float] = time.monotonic,
        lifetime_s: float = LIFETIME_S,
        resolv_conf: Path = RESOLV_CONF,
    ) -> None:
        """`endpoint` None: the system's servers. `families`: inet_protocols at the moment."""
        self._endpoint = endpoint
        self._lifetime_s = lifetime_s
        self._resolv_conf = resolv_conf
        self._stamp: Stamp = None  # of resolv.conf
        self._hosts = hosts or HostsFile()
        self._families = families
        self._cache = Cache(clock)
        self._asking: dict[Question, asyncio.Task[Records]] = {}
        self._turns = asyncio.Semaphore(QUESTIONS)
        self._resolver = self._configured()

    async def mx(self, name: str, view: View = PLAIN) -> tuple[Mx, ...]:
        """Mail exchangers, as the server listed them."""
        found = []
        for text in await self._ask(name, "MX", view):
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

    async def addresses(self, name: str, view: View = PLAIN, *, dns_alone: bool = False) -> Answer:
        """Addresses of a host: the hosts file, else the DNS, in the families that are spoken."""
        families = self._families()
        wanted = {4: "ipv4" in families, 6: "ipv6" in families}
        listed = () if dns_alone else self._hosts.addresses(name)
        if found := tuple(a for a in listed if wanted[ipaddress.ip_address(a).version]):
            return found
        kinds = [kind for version, kind in ((4, "A"), (6, "AAAA")) if wanted[version]]
        results = await asyncio.gather(
            *(self._ask(name, kind, view) for kind in kinds), return_exceptions=True
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
        try:
            name = dns.reversename.from_address(address).to_text(omit_final_dot=True)
        except dns.exception.DNSException:
            return ()  # not an address that the DNS could hold
        return await self._ask(name, "PTR")

    async def txt(self, name: str) -> Answer:
        """Text records, the strings of each joined."""
        return await self._ask(name, "TXT")

    # inside

    async def _ask(self, name: str, kind: str, view: View = PLAIN) -> Answer:
        question = Question(name.lower().rstrip("."), kind, view.search)
        if not question.name or not name.isascii():
            return ()
        return view.choose(kind, await self._records(question))

    async def _records(self, question: Question) -> Records:
        kept = self._cache.get(question)
        if kept is not None:
            return kept
        task = self._asking.get(question)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._in_turn(question))
            self._asking[question] = task
            task.add_done_callback(lambda done: self._answered(question, done))
        return await asyncio.shield(task)

    def _answered(self, question: Question, task: asyncio.Task[Records]) -> None:
        self._asking.pop(question, None)
        if not task.cancelled():
            task.exception()  # whoever asked has it; nobody may be waiting any more

    async def _in_turn(self, question: Question) -> Records:
        """Ask when it is our turn; runs as a task of its own."""
        name, kind, _ = question
        try:
            async with asyncio.timeout(self._lifetime_s + 1), self._turns:
                return await self._query(question)
        except TimeoutError:
            raise DnsUnavailable(f"{name} {kind}: too many questions are waiting") from None

    async def _query(self, question: Question) -> Records:
        name, kind, search = question
        self._follow_system()
        try:
            asked = dns.name.from_text(name, origin=None if search else dns.name.root)
            answer = await self._resolver.resolve(
                asked, kind, raise_on_no_answer=False, search=search
            )
        except dns.resolver.NXDOMAIN:
            return self._keep(question, Records(), NEGATIVE_TTL)
        except (
            dns.name.LabelTooLong,
            dns.name.EmptyLabel,
            dns.name.NameTooLong,
            dns.name.BadEscape,
        ):
            return Records()  # not a name that the DNS could hold
        except (dns.exception.DNSException, OSError) as error:
            raise DnsUnavailable(f"{name} {kind}: {type(error).__name__}") from error
        if answer.rrset is None:
            return self._keep(question, Records(), NEGATIVE_TTL)
        texts = tuple(_text(record, kind) for record in list(answer.rrset)[:RECORDS])
        found = Records(_name(answer.rrset.name), answer.rrset.ttl, texts)
        ttl = min(float(answer.chaining_result.minimum_ttl), TTL_LIMIT)
        return self._keep(question, found, ttl)

    def _keep(self, question: Question, records: Records, ttl: float) -> Records:
        self._cache.put(question, records, ttl)
        return records

    # servers

    def _configured(self) -> dns.asyncresolver.Resolver:
        made = dns.asyncresolver.Resolver(configure=False)
        if self._endpoint is not None:
            made.nameservers = [self._endpoint.host or "127.0.0.1"]
            made.port = self._endpoint.port
        else:
            self._stamp = stamp(self._resolv_conf)
            try:
                made.read_resolv_conf(str(self._resolv_conf))
            except (OSError, dns.resolver.NoResolverConfiguration):
                made.nameservers = ["127.0.0.1"]  # as resolver(3) without a file
        made.lifetime = self._lifetime_s
        made.timeout = self._lifetime_s / 3
        return made

    def _follow_system(self) -> None:
        """A laptop that moved, a server that got another resolver: no restart for that."""
        if self._endpoint is None and stamp(self._resolv_conf) != self._stamp:
            self._resolver = self._configured()


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
