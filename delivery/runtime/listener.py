"""listener - the sockets that clients connect to, and how many may be connected.

SUMMARY      Listeners.apply(rules) opens and closes sockets as the generation says
RULES        a service named like a variable of the environment (smtp, submission, smtps) listens
             where that says; another one at its own name: port, host:port or [v6]:port
             a socket that cannot be opened is reported and tried again at the next generation; the
             others go on
             one client has at most smtpd_client_connection_count_limit connections
             (smtpd_client_event_limit_exceptions are free of it), all together SESSIONS_LIMIT, less
             where the system gives fewer descriptors: more are told 421, honestly, and hung up on
SOURCE       master(5); postconf(5) smtpd_client_connection_count_limit; RFC 5321 3.8
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections import Counter

from delivery import log
from delivery.config import Config, ConfigError, Endpoint, parse_endpoint
from delivery.errors import DeliveryError
from delivery.runtime.ask import Asker
from delivery.runtime.cleanup import Cleanup, Counters
from delivery.runtime.rules import DEFAULT_SERVICE, Rules, ServiceRules
from delivery.runtime.session import Session
from delivery.smtp import replies
from delivery.smtp.replies import Reply

SESSIONS_LIMIT = 10_000
SPARE_DESCRIPTORS = 200  # for the spool, tables, deliveries
BACKLOG = 1024
WELL_KNOWN_PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "smtps": 465}


class ListenError(DeliveryError):
    """No socket could be opened at all."""


class Listeners:
    """All listening sockets and the sessions that came through them."""

    def __init__(self, config: Config, cleanup: Cleanup, asker: Asker, counters: Counters) -> None:
        self._config = config
        self._cleanup = cleanup
        self._asker = asker
        self._counters = counters
        self._servers: dict[str, tuple[Endpoint, asyncio.Server]] = {}
        self._rules: dict[str, ServiceRules] = {}
        self._sessions: set[Session] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._by_client: Counter[str] = Counter()
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._limit = max(min(SESSIONS_LIMIT, descriptors - SPARE_DESCRIPTORS), 10)
        self.problems: dict[str, str] = {}  # service -> why it does not listen

    @property
    def addresses(self) -> list[str]:
        """What is listened on, by service name."""
        return [f"{name} {endpoint}" for name, (endpoint, _) in sorted(self._servers.items())]

    @property
    def sessions(self) -> int:
        """Connections at the moment."""
        return len(self._sessions)

    async def apply(self, rules: Rules | None) -> None:
        """Listen as this generation says; without one only the usual port answers (with 421)."""
        services = {} if rules is None else rules.services
        self._rules = dict(services)
        wanted: dict[str, Endpoint] = {}
        self.problems.clear()
        for name in services or (DEFAULT_SERVICE.name,):
            try:
                wanted[name] = self._endpoint(name)
            except ConfigError as error:
                self._report(name, str(error))
        for name in [key for key in self._servers if key not in wanted]:
            _, server = self._servers.pop(name)
            server.close()
        for name, endpoint in wanted.items():
            current = self._servers.get(name)
            if current is not None and current[0] == endpoint:
                continue
            if current is not None:
                current[1].close()
                del self._servers[name]
            await self._open(name, endpoint)

    async def close(self, grace_s: float) -> None:
        """Stop listening, let sessions finish their message for so long, then hang up."""
        for _, server in self._servers.values():
            server.close()
        self._servers.clear()
        for session in list(self._sessions):
            session.shut_down()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), grace_s)
        for session in list(self._sessions):
            session.abort()

    # inside

    def _endpoint(self, name: str) -> Endpoint:
        configured = self._config.listeners.get(name)
        if configured is not None:
            return configured
        if name.isdecimal() or ":" in name:
            return parse_endpoint(f"service {name}", name)
        try:
            return Endpoint("", WELL_KNOWN_PORTS.get(name) or socket.getservbyname(name, "tcp"))
        except OSError:
            raise ConfigError(f"service {name}: no port has this name; write a number") from None

    async def _open(self, name: str, endpoint: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                lambda: self._session(name),
                endpoint.host or None,
                endpoint.port,
                backlog=BACKLOG,
                reuse_address=True,
            )
        except OSError as error:
            self._report(name, f"cannot listen on {endpoint}: {error.strerror or error}")
            return
        self._servers[name] = (endpoint, server)
        log.event("listen", service=name, address=endpoint)

    def _report(self, name: str, problem: str) -> None:
        self.problems[name] = problem
        log.event("listen", service=name, problem=problem)

    def _session(self, name: str) -> asyncio.Protocol:
        rules = self._rules.get(name)
        if rules is None:
            return _NotReady()
        return Session(rules, self._cleanup, self._asker, admit=self._admit, gone=self._gone)

    def _admit(self, session: Session) -> Reply | None:
        address, settings = session.client.address, session.rules.settings
        self._sessions.add(session)
        self._empty.clear()
        self._by_client[address] += 1
        self._counters.add("connections")
        if len(self._sessions) > self._limit:
            return replies.too_many_connections(settings.myhostname, address)
        limit = settings.smtpd_client_connection_count_limit
        if (
            limit
            and self._by_client[address] > limit
            and not session.rules.unlimited.matches_host("unknown", address)
        ):
            return replies.too_many_connections(settings.myhostname, address)
        return None

    def _gone(self, session: Session) -> None:
        if session not in self._sessions:
            return
        self._sessions.discard(session)
        if not self._sessions:
            self._empty.set()
        address = session.client.address
        self._by_client[address] -= 1
        if self._by_client[address] <= 0:
            del self._by_client[address]


class _NotReady(asyncio.Protocol):
    """Before the first generation nobody can be told more than: later. RFC 5321 3.1."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so and hang up."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"421 4.3.2 Service not yet configured, try again later\r\n")
        transport.close()
