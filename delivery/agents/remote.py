"""remote - the smtp(8) and lmtp(8) agent: hand a message to the server of its next hop.

SUMMARY      RemoteAgent.deliver(): find hosts, try them in order, one Outcome for every recipient
DURABLE      SENT means the other server acknowledged the end of the data: it is responsible now
RULES        what is temporary at one host (no connection, 4xx, 5xx in the greeting, a lost
             connection) is tried at the next one; what is final (5xx later on) is not
             hosts: hosts.py; at most smtp_mx_session_limit of them are talked to, a refusal before
             the transaction not counted. Then the smtp_fallback_relay hosts, unless this machine is
             an exchanger of the domain itself; a loop goes to best_mx_transport
             where TLS is optional and does not work, mail older than minimal_backoff_time goes in
             the clear, but never where there is a password for the server
             while mail for a destination follows on mail, and for those in
             smtp_connection_cache_destinations, a connection is kept for a moment and used again by
             deliveries on the same terms; when it turns out to be dead before it has answered, a
             new one takes its place
             the message is read in pieces while it is sent
             addresses and content are changed on the way out (content.outgoing)
ERRORS       deferred 4.4.1 no connection, 4.4.2 lost or silent, 4.4.3 DNS, 4.7.x TLS or login;
             bounced 5.4.4 no such host, 5.1.0 null MX, 5.4.6 loop, 5.6.7 no SMTPUTF8, 5.3.4 too
             large; otherwise what the other server said. Wording is that of Postfix's log lines
NOT DONE     DANE
SOURCE       RFC 5321 5.1, 4.5.4; Postfix smtp(8): smtp_connect.c, smtp_trouble.c
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import Enum

from delivery.agents.attempt import Attempt
from delivery.agents.base import Agent, Delivery, Part, Result
from delivery.agents.connection import (
    ConnectFailed,
    Connection,
    HandshakeFailed,
    TimedOut,
    connect,
)
from delivery.agents.credentials import Credentials
from delivery.agents.hosts import Found, Host, NoHost, Resolver, find_hosts
from delivery.agents.idle import IdleConnections
from delivery.agents.nexthop import NextHop, parse_lmtp_nexthop, parse_nexthop
from delivery.agents.patience import Timeouts
from delivery.agents.session import (
    BAD_TLS,
    Habits,
    Session,
    SiteFailed,
    Terms,
    is_lost,
    trouble,
)
from delivery.agents.stalls import Stalls, hint
from delivery.agents.tlspolicy import Level, TlsPolicies, TlsPolicy, plain
from delivery.errors import PeerError, SmtpFailure
from delivery.smtp.exchange import Stage
from delivery.smtp.settings import ClientSettings
from delivery.values import Route
from tables.errors import EntryError, TableError
from tables.itemtext import split_items
from tables.reading.lookup import Maps
from tables.reading.matchlist import MatchList
from tables.values import parse_transport

MISCONFIGURED = "mail system configuration error"


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """Field names and defaults are those of postconf(5)."""

    inet_protocols: tuple[str, ...] = ("all",)
    disable_dns_lookups: bool = False
    ignore_mx_lookup_error: bool = False
    best_mx_transport: str = ""
    smtp_send_xforward_command: bool = False
    lmtp_assume_final: bool = False
    relayhost: str = ""
    queue_directory: str = "/var/spool/postfix"  # sockets with a relative path are below it
    minimal_backoff_time: float = 300.0
    smtp_fallback_relay: tuple[str, ...] = ()
    smtp_defer_if_no_mx_address_found: bool = False
    smtp_host_lookup: tuple[str, ...] = ("dns",)
    smtp_randomize_addresses: bool = True
    smtp_address_preference: str = "any"
    smtp_balance_inet_protocols: bool = True
    smtp_mx_address_limit: int = 5
    smtp_mx_session_limit: int = 2
    smtp_skip_5xx_greeting: bool = True
    smtp_bind_address: str = ""
    smtp_bind_address6: str = ""
    smtp_bind_address_enforce: bool = False
    smtp_connection_cache_on_demand: bool = True
    smtp_connection_cache_destinations: tuple[str, ...] = ()
    smtp_connection_cache_time_limit: float = 2.0
    smtp_connection_reuse_time_limit: float = 300.0
    smtp_connection_reuse_count_limit: int = 0


@dataclass(frozen=True, slots=True)
class Remote:
    """What an agent works with, opened: one generation as one transport sees it."""

    settings: RemoteSettings
    protocol: ClientSettings
    timeouts: Timeouts
    habits: Habits
    policies: TlsPolicies
    credentials: Credentials
    cached: MatchList  # smtp_connection_cache_destinations
    fragmented: MatchList  # smtp_path_mtu_discovery_exceptions
    replies: Maps | None = None  # smtp_reply_filter
    discarded: Maps | None = None  # smtp_discard_ehlo_keyword_address_maps
    own_addresses: Collection[str] = ()  # other servers reach this machine at them
    default_port: int = 25
    lmtp: bool = False


class _Ending(Enum):
    """How it went with one host."""

    UNCOUNTED = "no session that counts for smtp_mx_session_limit"
    COUNTED = "a session"
    IN_CLEAR = "the same host again, without TLS"


class RemoteAgent:
    """smtp(8) or lmtp(8) for one generation."""

    def __init__(
        self,
        remote: Remote,
        resolver: Resolver,
        idle: IdleConnections,
        *,
        stalls: Stalls | None = None,
        agent: Callable[[str], Agent | None] = lambda transport: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`idle` and `stalls` outlive generations; `agent` finds the one of another transport."""
        self.remote = remote
        self._settings = remote.settings
        self._resolver = resolver
        self._idle = idle
        self._stalls = Stalls() if stalls is None else stalls
        self._agent = agent
        self._clock = clock
        # who may share connections
        self._purpose = (remote.protocol, remote.timeouts, remote.lmtp, remote.habits)

    async def deliver(self, delivery: Delivery) -> Result:
        """One Outcome for every recipient; see base.py."""
        attempt = Attempt(delivery)
        try:
            if self.remote.habits.outgoing is not None:
                attempt.tell(self.remote.habits.outgoing)
            await self._try_destinations(attempt)
        except OSError as error:  # reading our own content; sockets fail as PeerError
            attempt.fail_all("4.3.0", f"cannot read the message: {error}")
        except TableError as error:
            attempt.fail_all("4.3.0", f"lookup failure: {error}")
        return attempt.result()

    # destinations

    async def _try_destinations(self, attempt: Attempt) -> None:
        """The next hops, then the fallback relays."""
        delivery = attempt.delivery
        nexthop = delivery.route.nexthop or delivery.recipients[0].address.domain
        hops = split_items(nexthop)
        for number, text in enumerate((*hops, *self._settings.smtp_fallback_relay)):
            if not attempt.waiting:
                return
            is_ours = number >= len(hops) or nexthop == self._settings.relayhost
            try:
                hop = self._parse(text)
                found = await self._find_hosts(hop)
            except ValueError as error:
                attempt.fail_all("4.3.5", f"{error}")
            except NoHost as error:
                # a host that an administrator named and that is not there is a mistake of ours
                dsn = "4.3.5" if is_ours and error.dsn.startswith("5") else error.dsn
                attempt.fail_all(dsn, error.reason)
                attempt.unreachable = error.reason if dsn.startswith("4") else ""
                if error.is_loop:
                    await self._pass_to_best_mx(attempt)
                    return
            else:
                await self._try_hosts(attempt, hop, text, found.hosts)
                if found.is_backup:  # whoever is not an exchanger may know less than we do
                    return

    async def _find_hosts(self, hop: NextHop) -> Found:
        """Whom to connect to. Raises NoHost."""
        if hop.is_path:
            path = os.path.join(self._settings.queue_directory, hop.host)
            return Found((Host(self.remote.protocol.myhostname, path, 0),))
        return await find_hosts(
            hop,
            self._resolver,
            self._settings,
            own_addresses=self.remote.own_addresses,
            default_port=self.remote.default_port,
        )

    def _parse(self, text: str) -> NextHop:
        if not self.remote.lmtp:
            return parse_nexthop(text, self.remote.default_port)
        return parse_lmtp_nexthop(text, self.remote.default_port)

    async def _pass_to_best_mx(self, attempt: Attempt) -> None:
        """postconf(5) best_mx_transport: mail for a domain whose best exchanger we are."""
        value = self._settings.best_mx_transport
        if not value:
            return
        try:
            wanted = parse_transport(value)
        except EntryError:
            attempt.fail_all("4.3.5", MISCONFIGURED)
            return
        agent = self._agent(wanted.transport)
        if agent is None:
            attempt.fail_all("4.3.0", "mail transport unavailable")
            return
        delivery = attempt.delivery
        route = Route(wanted.transport, wanted.nexthop or delivery.route.nexthop)
        people = tuple(attempt.waiting)
        result = await agent.deliver(replace(delivery, route=route, recipients=people))
        for outcome in result.outcomes:
            parts = result.parts.get(outcome.recipient) or (Part(outcome=outcome),)
            attempt.parts[outcome.recipient] = tuple(
                replace(part, route=part.route or route) for part in parts
            )
            attempt.end(outcome)
        attempt.passed_on |= result.passed_on
        attempt.unreachable = ""

    # hosts

    async def _try_hosts(
        self, attempt: Attempt, hop: NextHop, text: str, hosts: Collection[Host]
    ) -> None:
        policy = self.remote.policies.find(text)
        if policy.problem:
            attempt.fail_all("4.7.5", BAD_TLS)
            return
        sessions = 0
        limit = self._settings.smtp_mx_session_limit
        for host in hosts:
            if not attempt.waiting or (limit and sessions >= limit):
                return
            attempt.unreachable = ""
            terms = self._terms(attempt, host, hop, text, policy)
            ending = await self._try_host(attempt, host, terms)
            if ending is _Ending.IN_CLEAR:
                in_clear = replace(terms, policy=plain(policy))
                ending = await self._try_host(attempt, host, in_clear)
            sessions += ending is _Ending.COUNTED

    def _terms(
        self, attempt: Attempt, host: Host, hop: NextHop, text: str, policy: TlsPolicy
    ) -> Terms:
        remote = self.remote
        sender = attempt.delivery.envelope.sender
        return Terms(
            domain=hop.host,
            policy=policy,
            account=remote.credentials.find(host.name, text, sender),
            is_wrapped=remote.habits.tls.smtp_tls_wrappermode and policy.level > Level.NONE,
            detects_loops=not remote.lmtp and host.port == remote.default_port,
        )

    async def _try_host(self, attempt: Attempt, host: Host, terms: Terms) -> _Ending:
        """Talk to one host."""
        is_shared = self._shares(attempt, terms)
        if is_shared:
            kept = self._idle.take(host, (self._purpose, terms))
            if kept is not None:
                ending = await self._use(kept, attempt, terms, is_shared=True)
                if ending is not None:
                    return ending
        bind = self._settings.smtp_bind_address
        if ":" in host.address:
            bind = self._settings.smtp_bind_address6
        replies = self.remote.replies
        try:
            connection = await connect(
                host,
                self.protocol(host),
                self.remote.timeouts,
                lmtp=self.remote.lmtp,
                bind_address=bind if host.port else "",
                must_bind=self._settings.smtp_bind_address_enforce,
                rewrite=replies.get if replies else None,
                fragments=self.fragments(host, terms),
            )
        except ConnectFailed as error:
            reason = f"connect to {host.relay}: {error}"
            attempt.fail_all("4.4.1", reason)
            attempt.unreachable = reason
            return _Ending.UNCOUNTED
        ending = await self._use(connection, attempt, terms, is_shared=is_shared)
        return ending or _Ending.COUNTED

    def protocol(self, host: Host) -> ClientSettings:
        """How to speak with this one. Raises TableError."""
        remote = self.remote
        words = remote.discarded.get(host.address) if remote.discarded else None
        if words is None:
            return remote.protocol
        return replace(remote.protocol, smtp_discard_ehlo_keywords=split_items(words))

    def fragments(self, host: Host, terms: Terms) -> bool:
        """True when packets may be cut up on the way there."""
        names = self.remote.fragmented
        return bool(names) and (names.matches_domain(terms.domain) or names.matches(host.address))

    def _shares(self, attempt: Attempt, terms: Terms) -> bool:
        """True when connections are kept for this destination. postconf(5)"""
        if self._settings.smtp_connection_cache_on_demand and attempt.delivery.is_busy:
            return True
        return bool(self.remote.cached) and self.remote.cached.matches(terms.domain)

    async def _use(
        self, connection: Connection, attempt: Attempt, terms: Terms, *, is_shared: bool
    ) -> _Ending | None:
        """One session or a part of one; None: a kept connection was dead before it answered.

        `is_shared`: connections are kept for this destination.
        """
        host = connection.host
        session = Session(connection, attempt, terms, self.remote.habits)
        ending = _Ending.UNCOUNTED
        is_good = False
        try:
            if not connection.is_reused:
                await session.open()
            ending = _Ending.COUNTED
            await session.transact()
            self._stalls.forget(host)
            is_good = True
        except SiteFailed as failure:
            is_final = failure.dsn.startswith("5")
            attempt.fail_all(
                failure.dsn,
                failure.reason,
                relay=host.relay,
                reply=failure.reply,
                is_final=is_final,
            )
            attempt.unreachable = "" if is_final else failure.reason
            connection.client.closing = True  # nobody else is to have it
            is_good = True
        except SmtpFailure as error:  # a table, in the middle of the message
            reason = f"the message cannot be written: {error.cause or error}"
            attempt.fail_all("4.3.0", reason)
        except (PeerError, TimedOut, HandshakeFailed) as error:
            if connection.is_reused and _is_dead(connection, error):
                return None
            is_of_tls = isinstance(error, HandshakeFailed) or connection.tls is not None
            if is_of_tls and attempt.waiting and self._goes_in_clear(attempt, terms):
                return _Ending.IN_CLEAR
            if isinstance(error, HandshakeFailed):
                dsn, reason = "4.7.5", f"Cannot start TLS: handshake failure: {error}"
            else:
                doing = connection.client.doing
                dsn, reason = "4.4.2", trouble(host, doing, error)
                if isinstance(error, TimedOut) and doing in _AT_THE_END:
                    reason += hint(self._stalls.note(host))
            attempt.fail_all(dsn, reason, relay=host.relay, but=set(session.judged))
            attempt.unreachable = reason
        finally:
            self._leave(connection, terms, is_good=is_good, is_shared=is_shared)
        return ending

    def _leave(
        self, connection: Connection, terms: Terms, *, is_good: bool, is_shared: bool
    ) -> None:
        """Keep the connection for others, or close it."""
        settings = self._settings
        if not is_good:
            connection.abort()
            return
        connection.uses += 1
        limit = settings.smtp_connection_reuse_count_limit
        may_keep = is_shared and not (limit and connection.uses > limit)
        self._idle.keep(
            connection,
            (self._purpose, terms),
            idle_s=settings.smtp_connection_cache_time_limit if may_keep else 0.0,
            lifetime_s=settings.smtp_connection_reuse_time_limit,
        )

    def _goes_in_clear(self, attempt: Attempt, terms: Terms) -> bool:
        """True when mail may go without the TLS that did not work. Postfix smtp.h"""
        age = self._clock() - attempt.delivery.arrived
        return (
            terms.policy.level is Level.MAY
            and terms.account is None
            and age >= self._settings.minimal_backoff_time
        )


# ClientProtocol.doing while nothing of a transaction was answered
_FIRST = frozenset({Stage.RSET.doing, Stage.MAIL.doing})


# what goes on while a message gets stuck
_AT_THE_END = frozenset({Stage.BDAT.doing, Stage.FINAL.doing})


def _is_dead(connection: Connection, error: Exception) -> bool:
    """True when a connection that had been kept was closed by the other side meanwhile."""
    if not isinstance(error, PeerError | TimedOut):
        return False
    return is_lost(error) and connection.client.doing in _FIRST
