"""listener - the sockets that clients connect to, and how many may be connected.

SUMMARY      Listeners.apply(rules) opens and closes sockets as the generation says
RULES        a service named like a variable of the environment (smtp, submission, smtps) listens
             where that says; another one at its own name: port, host:port or [v6]:port, and without
             a host on inet_interfaces
             a socket that cannot be opened is reported, and tried again with each apply(); the
             others go on
             several processes listen at one place, each with a socket of its own, and the kernel
             deals clients out (SO_REUSEPORT, socket(7)). The first of them sees to it that nobody
             else has the port; the others listen where it does
             a service that speaks TLS from the first byte (smtpd_tls_wrappermode) listens only as
             long as there is a certificate for it: nobody shall be hung up on without knowing why
             the services that know who may log in are connected to before the first client asks
             all clients have at most SESSIONS_LIMIT connections, of which each process has its
             share, less where the system gives fewer descriptors; one client has a limit of its own
             (throttle.py), far beyond which it is not even looked at: more are told 421, honestly,
             and hung up on
SOURCE       master(5); postconf(5) smtpd_client_connection_count_limit; RFC 5321 3.8
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import cast

from delivery import log
from delivery.config import Config, ConfigError, Endpoint, parse_endpoint
from delivery.runtime.anvil import Counts
from delivery.runtime.ask import Asker
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.counters import Counters
from delivery.runtime.machine import families, listening_addresses
from delivery.runtime.notices import Notices
from delivery.runtime.rules import DEFAULT_SERVICE, Rules, ServiceRules
from delivery.runtime.session import Session, Shared
from delivery.runtime.throttle import holds
from delivery.smtp import replies
from delivery.smtp.replies import Reply

SESSIONS_LIMIT = 10_000
SPARE_DESCRIPTORS = 800  # for the spool, tables, deliveries to Maildirs and other servers
BACKLOG = 1024
CROWD = 4  # times smtpd_client_connection_count_limit
ABORT_S = 2.0  # for sessions that were cut off to let go of the spool
WELL_KNOWN_PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "smtps": 465}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one service listens: on `hosts` (None: everywhere), in these address families."""

    endpoint: Endpoint
    hosts: tuple[str, ...] | None
    families: tuple[str, ...]


class Listeners:
    """All listening sockets and the sessions that came through them."""

    def __init__(
        self,
        config: Config,
        cleanup: Cleanup,
        asker: Asker,
        counters: Counters,
        counts: Counts,
        *,
        descriptors: int = SESSIONS_LIMIT,
        processes: int = 1,
    ) -> None:
        """`descriptors`: how many files and sockets this process may have.

        `processes`: how many there are like this one.
        """
        self._config = config
        self._cleanup = cleanup
        self._asker = asker
        self._notices = Notices(cleanup)
        self._counters = counters
        self._servers: dict[str, tuple[_Place, asyncio.Server]] = {}
        self._rules: dict[str, ServiceRules] = {}
        self._sessions: set[Session] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._by_client: dict[str, int] = {}
        self._counts = counts
        spare = min(SPARE_DESCRIPTORS, descriptors // 2)
        self._limit = max(min(SESSIONS_LIMIT // processes, descriptors - spare), 10)
        self.problems: dict[str, str] = {}  # service -> why it does not listen

    @property
    def addresses(self) -> list[str]:
        """What is listened on, by service name."""
        return [f"{name} {place.endpoint}" for name, (place, _) in sorted(self._servers.items())]

    @property
    def sessions(self) -> int:
        """Connections at the moment."""
        return len(self._sessions)

    @property
    def names(self) -> list[str]:
        """The services that are listened for."""
        return sorted(self._servers)

    async def apply(self, rules: Rules | None, first: Collection[str] | None = None) -> None:
        """Listen as this generation says; without one only the usual port answers (with 421).

        `first`: the services that the first of several processes listens for; None: this is it.
        """
        services = {} if rules is None else rules.services
        self._rules = dict(services)
        wanted: dict[str, _Place] = {}
        before, self.problems = self.problems, {}
        for name in (DEFAULT_SERVICE.name,) if rules is None else services:
            if first is not None and name not in first:
                continue
            try:
                wanted[name] = self._place(name, services.get(name))
            except ConfigError as error:
                self._report(name, before, str(error))
        for name in [key for key, (place, _) in self._servers.items() if wanted.get(key) != place]:
            _, server = self._servers.pop(name)
            server.close()
        for each in services.values():
            if each.sasl.endpoint:
                self._asker.logins.at(each.sasl.endpoint).wake()
        for name, place in wanted.items():
            if name not in self._servers:
                problem = await self._open(name, place, is_first=first is None)
                if problem:
                    self._report(name, before, problem)

    def stop(self) -> None:
        """Listen no more, from this moment on; sessions do not notice."""
        for _, server in self._servers.values():
            server.close()
        self._servers.clear()

    async def close(self, grace_s: float) -> None:
        """Stop listening, let sessions finish their message for so long, then hang up."""
        self.stop()
        for session in list(self._sessions):
            session.shut_down()
        if await self._emptied(grace_s):
            return
        log.event("smtpd", cut_off=len(self._sessions))
        for session in list(self._sessions):
            session.abort()
        await self._emptied(ABORT_S)

    # inside

    async def _emptied(self, within_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), within_s)
        return not self._sessions

    def _place(self, name: str, rules: ServiceRules | None) -> _Place:
        endpoint = self._endpoint(name)
        if rules is None:
            return _Place(endpoint, (endpoint.host,) if endpoint.host else None, ("ipv4", "ipv6"))
        if rules.tls.settings.smtpd_tls_wrappermode and rules.tls.context() is None:
            raise ConfigError(f"service {name}: smtpd_tls_wrappermode: {rules.tls.problem}")
        parameters = rules.main
        hosts = (endpoint.host,) if endpoint.host else listening_addresses(parameters)
        if hosts == ():
            raise ConfigError(f"service {name}: inet_interfaces names no address that is ours")
        return _Place(endpoint, hosts, families(parameters))

    def _endpoint(self, name: str) -> Endpoint:
        configured = self._config.listeners.get(name)
        if configured is not None:
            return configured
        host, colon, port = name.rpartition(":")
        if not port.isdecimal():
            port = str(_port_named(name, port))
        return parse_endpoint(f"service {name}", f"{host}{colon}{port}")

    async def _open(self, name: str, place: _Place, *, is_first: bool) -> str:
        """Listen there; why it is not possible."""
        loop = asyncio.get_running_loop()
        family = socket.AF_UNSPEC
        if len(place.families) == 1:
            family = socket.AF_INET if "ipv4" in place.families else socket.AF_INET6
        try:
            if is_first:
                await _claim(place, family)
            server = await loop.create_server(
                partial(self._session, name, self._shared(loop)),
                place.hosts,
                place.endpoint.port,
                family=family,
                backlog=BACKLOG,
                reuse_address=True,
                reuse_port=True,
            )
        except OSError as error:
            return f"cannot listen on {place.endpoint}: {error.strerror or error}"
        self._servers[name] = (place, server)
        if is_first:
            log.event("listen", service=name, address=place.endpoint)
        return ""

    def _report(self, name: str, before: Mapping[str, str], problem: str) -> None:
        self.problems[name] = problem
        if before.get(name) != problem:
            log.event("listen", service=name, problem=problem)

    def _shared(self, loop: asyncio.AbstractEventLoop) -> Shared:
        return Shared(
            cleanup=self._cleanup,
            asker=self._asker,
            notices=self._notices,
            counts=self._counts,
            loop=loop,
            admit=self._admit,
            gone=self._gone,
        )

    def _session(self, name: str, shared: Shared) -> asyncio.Protocol:
        rules = self._rules.get(name)
        return _NotReady() if rules is None else Session(rules, shared)

    def _admit(self, session: Session) -> Reply | None:
        address = session.peer
        if not self._sessions:
            self._empty.clear()
        self._sessions.add(session)
        count = self._by_client[address] = self._by_client.get(address, 0) + 1
        self._counters.add("connections")
        if len(self._sessions) > self._limit or _is_crowding(session, count):
            self._counters.add("refused_connections")
            return replies.too_many_connections(session.rules.settings.myhostname, address)
        return None

    def _gone(self, session: Session) -> None:
        if session not in self._sessions:
            return
        self._sessions.discard(session)
        if not self._sessions:
            self._empty.set()
        left = self._by_client.pop(session.peer) - 1
        if left:
            self._by_client[session.peer] = left


def _is_crowding(session: Session, count: int) -> bool:
    """So many from one address that its name need not be looked up for the limit."""
    rules = session.rules
    limit = rules.settings.smtpd_client_connection_count_limit
    if count <= CROWD * limit or limit <= 0 or rules.settings.smtpd_upstream_proxy_protocol:
        return False
    return not holds(rules.unlimited, session.client)


async def _claim(place: _Place, family: int) -> None:
    """Raise OSError when somebody listens there: SO_REUSEPORT would let us share with them."""
    loop = asyncio.get_running_loop()
    for host in place.hosts or (None,):
        found = await loop.getaddrinfo(
            host,
            place.endpoint.port,
            family=family,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
        for kind, _, _, _, address in found:
            with contextlib.suppress(_NoSuchFamilyError), _probe(kind) as probe:
                probe.bind(address)


class _NoSuchFamilyError(Exception):
    """This system has no addresses of that kind; create_server() passes over them too."""


def _probe(family: int) -> socket.socket:
    try:
        probe = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        raise _NoSuchFamilyError from None
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return probe


class _NotReady(asyncio.Protocol):
    """Before the first generation nobody can be told more than: later. RFC 5321 3.1."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so and hang up."""
        connection = cast(asyncio.Transport, transport)  # uvloop's is of no class of asyncio
        connection.write(b"421 4.3.2 Service not yet configured, try again later\r\n")
        connection.close()


def _port_named(service: str, port: str) -> int:
    try:
        return WELL_KNOWN_PORTS.get(port) or socket.getservbyname(port, "tcp")
    except OSError:
        message = f"service {service}: no port has the name {port!r}; write a number"
        raise ConfigError(message) from None
