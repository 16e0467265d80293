"""remote - the smtp(8) agent: hand a message to the server of its next hop.

SUMMARY      RemoteAgent.deliver(): find hosts, try them in order, one Outcome for every recipient
DURABLE      SENT means the other server acknowledged the end of the data: it is responsible now
RULES        what is temporary at one host (no connection, 4xx, 5xx in the greeting, a lost
             connection) is tried at the next one; what is final (5xx later on) is not
             hosts: hosts.py; at most smtp_mx_session_limit of them are talked to
             a connection is kept for a moment for the next message to the same address; when such a
             connection turns out to be dead before it has answered, a new one takes its place
             the message is read in pieces while it is sent
             addresses and content are changed on the way out (content.outgoing)
ERRORS       deferred 4.4.1 no connection, 4.4.2 lost or silent, 4.4.3 DNS; bounced 5.4.4 no such
             host, 5.1.0 null MX, 5.4.6 loop, 5.6.7 no SMTPUTF8, 5.3.4 too large; otherwise what the
             other server said. Wording and codes are those of Postfix's log lines
NOT DONE     STARTTLS and AUTH, conversion of 8-bit text for servers without 8BITMIME (it is sent as
             it is), fallback relays, UNIX sockets
SOURCE       RFC 5321 5.1, 4.5.4; Postfix smtp(8): smtp_connect.c, smtp_proto.c, smtp_trouble.c
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from delivery import log
from delivery.agents.base import Delivery, Result, read_content, settle
from delivery.agents.connection import ConnectFailed, Connection, TimedOut, Timeouts, connect
from delivery.agents.hosts import Host, NoHost, Resolver, find_hosts
from delivery.agents.idle import IdleConnections
from delivery.agents.nexthop import parse_nexthop
from delivery.content.outgoing import Outgoing
from delivery.errors import PeerError, SmtpFailure
from delivery.smtp.answers import Answer
from delivery.smtp.client import Finished, Ready, Refused, Stage, Transaction, WantContent
from delivery.smtp.client import Result as Fate
from delivery.smtp.settings import ClientSettings
from delivery.values import Envelope, Outcome, Recipient, Status
from tables.addresses import Address
from tables.errors import TableUnavailable

_END = "end of DATA"


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """Field names and defaults are those of postconf(5)."""

    disable_dns_lookups: bool = False
    ignore_mx_lookup_error: bool = False
    smtp_defer_if_no_mx_address_found: bool = False
    smtp_host_lookup: tuple[str, ...] = ("dns",)
    smtp_randomize_addresses: bool = True
    smtp_address_preference: str = "any"
    smtp_mx_address_limit: int = 5
    smtp_mx_session_limit: int = 2
    smtp_skip_5xx_greeting: bool = True
    smtp_bind_address: str = ""
    smtp_bind_address6: str = ""
    smtp_connection_cache_time_limit: float = 2.0
    smtp_connection_reuse_time_limit: float = 300.0


@dataclass(slots=True)
class _Attempt:
    """What is known so far about one Delivery."""

    delivery: Delivery
    sender: Address  # as it is told to the other server
    shown: Mapping[Recipient, Recipient]  # recipients -> as they are told to the other server
    needs_smtputf8: bool
    waiting: dict[Recipient, Outcome]  # still to be tried; with what was said last
    outcomes: list[Outcome] = field(default_factory=list)
    passed_on: set[Recipient] = field(default_factory=set)
    unreachable: str = ""  # why the last host was of no use at all

    def fail(self, outcomes: Collection[Outcome]) -> None:
        """The last word of a host about recipients that another host may still take."""
        for outcome in outcomes:
            self.waiting[outcome.recipient] = outcome

    def end(self, outcome: Outcome) -> None:
        """A recipient is done with, one way or the other."""
        self.waiting.pop(outcome.recipient, None)
        self.outcomes.append(outcome)


class RemoteAgent:
    """smtp(8) or, with `lmtp`, the TCP half of lmtp(8), for one generation."""

    def __init__(
        self,
        settings: RemoteSettings,
        protocol: ClientSettings,
        timeouts: Timeouts,
        resolver: Resolver,
        idle: IdleConnections,
        *,
        own_addresses: Collection[str] = (),
        default_port: int = 25,
        lmtp: bool = False,
        outgoing: Outgoing | None = None,
    ) -> None:
        """`idle` outlives generations; `own_addresses` are those other servers reach us at.

        `outgoing`: what is done to addresses and content on the way out.
        """
        self._settings = settings
        self._protocol = protocol
        self._timeouts = timeouts
        self._resolver = resolver
        self._idle = idle
        self._own = frozenset(own_addresses)
        self._default_port = default_port
        self._lmtp = lmtp
        self._outgoing = outgoing or None  # None: nothing
        self._purpose = (settings, protocol, timeouts, lmtp)  # who may share connections

    async def deliver(self, delivery: Delivery) -> Result:
        """One Outcome for every recipient; see base.py."""
        try:
            hop = parse_nexthop(
                delivery.route.nexthop or delivery.recipients[0].address.domain, self._default_port
            )
        except ValueError as error:
            return Result(outcomes=_all(delivery, "4.3.5", f"{error}"))
        try:
            hosts = await find_hosts(
                hop,
                self._resolver,
                self._settings,
                own_addresses=self._own,
                default_port=self._default_port,
            )
        except NoHost as error:
            is_temporary = error.dsn.startswith("4")
            return Result(
                outcomes=_all(delivery, error.dsn, error.reason),
                unreachable=error.reason if is_temporary else "",
            )
        try:
            return await self._try_hosts(self._begin(delivery), hosts)
        except TableUnavailable as error:
            return Result(outcomes=_all(delivery, "4.3.0", f"address lookup failed: {error}"))
        except OSError as error:  # reading our own content; sockets fail as PeerError
            return Result(outcomes=_all(delivery, "4.3.0", f"cannot read the message: {error}"))

    def _begin(self, delivery: Delivery) -> _Attempt:
        """Nobody was talked to yet. Raises TableUnavailable."""
        begun = _all(delivery, "4.4.1", "no host was tried")
        sender = delivery.envelope.sender
        shown = {recipient: recipient for recipient in delivery.recipients}
        if self._outgoing is not None:
            address = self._outgoing.address
            sender = address(sender)
            shown = {item: replace(item, address=address(item.address)) for item in shown}
        return _Attempt(
            delivery,
            sender,
            shown,
            _needs_smtputf8(delivery.envelope, sender, shown.values()),
            waiting={outcome.recipient: outcome for outcome in begun},
        )

    async def _try_hosts(self, attempt: _Attempt, hosts: Collection[Host]) -> Result:
        sessions = 0
        for host in hosts:
            if not attempt.waiting:
                break
            limit = self._settings.smtp_mx_session_limit
            if limit and sessions >= limit:
                break
            attempt.unreachable = ""
            sessions += await self._try_host(attempt, host)
        attempt.outcomes += attempt.waiting.values()
        return Result(
            outcomes=tuple(attempt.outcomes),
            passed_on=frozenset(attempt.passed_on),
            unreachable=attempt.unreachable,
        )

    async def _try_host(self, attempt: _Attempt, host: Host) -> int:
        """Talk to one host; how many sessions that took (none when there is no connection)."""
        kept = self._idle.take(host, self._purpose)
        if kept is not None and await self._use(kept, attempt):
            return 1
        bind = self._settings.smtp_bind_address
        if ":" in host.address:
            bind = self._settings.smtp_bind_address6
        try:
            connection = await connect(
                host, self._protocol, self._timeouts, lmtp=self._lmtp, bind_address=bind
            )
        except ConnectFailed as error:
            reason = f"connect to {host.relay}: {error}"
            attempt.fail(settle(attempt.waiting, Status.DEFERRED, "4.4.1", reason))
            attempt.unreachable = reason
            return 0
        await self._use(connection, attempt)
        return 1

    async def _use(self, connection: Connection, attempt: _Attempt) -> bool:
        """One session or a part of one; False: a kept connection was dead before it answered."""
        host = connection.host
        done = False
        try:
            if connection.is_reused or await self._greet(connection, attempt):
                await self._transact(connection, attempt)
            done = True
        except (PeerError, TimedOut) as error:
            if connection.is_reused and _is_lost(error) and connection.client.doing in _FIRST:
                return False
            reason = _trouble(connection, error)
            attempt.fail(
                settle(attempt.waiting, Status.DEFERRED, "4.4.2", reason, relay=host.relay)
            )
            attempt.unreachable = reason
            return True
        except SmtpFailure as error:  # a table, in the middle of the message
            reason = f"the message cannot be written: {error.cause or error}"
            attempt.fail(settle(attempt.waiting, Status.DEFERRED, "4.3.0", reason))
            return True
        finally:
            if done:
                self._idle.keep(
                    connection,
                    self._purpose,
                    idle_s=self._settings.smtp_connection_cache_time_limit,
                    lifetime_s=self._settings.smtp_connection_reuse_time_limit,
                )
            else:
                connection.abort()
        return True

    async def _greet(self, connection: Connection, attempt: _Attempt) -> bool:
        """Greeting and EHLO; False when the server does not want to talk to us."""
        event = await connection.next_event()
        if isinstance(event, Ready):
            return True
        assert isinstance(event, Refused), event
        host, answer = connection.host, event.answer
        reason = f"host {host.shown} refused to talk to me: {answer.text}"
        # postconf(5) smtp_skip_5xx_greeting; a 5xx to EHLO and HELO is final all the same
        is_greeting = not connection.has_spoken
        is_final = not answer.is_temporary and not (
            is_greeting and self._settings.smtp_skip_5xx_greeting
        )
        outcomes = settle(
            attempt.waiting,
            Status.BOUNCED if is_final else Status.DEFERRED,
            answer.dsn if is_final else f"4{answer.dsn[1:]}",
            reason,
            relay=host.relay,
            reply=answer.text,
        )
        if is_final:
            for outcome in outcomes:
                attempt.end(outcome)
        else:
            attempt.fail(outcomes)
            attempt.unreachable = reason
        return False

    async def _transact(self, connection: Connection, attempt: _Attempt) -> None:
        """One mail transaction for the recipients that are still waiting."""
        client, delivery = connection.client, attempt.delivery
        size = delivery.content.size + len(delivery.content.headers)
        if refusal := _not_possible(connection, attempt, size):
            dsn, reason = refusal
            relay = connection.host.relay
            for outcome in settle(attempt.waiting, Status.BOUNCED, dsn, reason, relay=relay):
                attempt.end(outcome)
            return
        envelope = delivery.envelope
        told = {id(attempt.shown[item]): item for item in attempt.waiting}
        client.start(
            Transaction(
                sender=attempt.sender,
                recipients=tuple(attempt.shown[item] for item in attempt.waiting),
                size=size,
                body="8BITMIME" if envelope.eightbit else "",
                smtputf8=attempt.needs_smtputf8,
                ret=envelope.ret,
                envid=envelope.envid,
            )
        )
        async with aclosing(self._pieces(delivery)) as pieces:
            while not isinstance(event := await connection.next_event(), Finished):
                if isinstance(event, Fate):
                    self._judge(connection, attempt, event, told[id(event.recipient)])
                elif isinstance(event, WantContent):
                    piece = await anext(pieces, b"")
                    if piece:
                        client.send_content(piece)
                    else:
                        client.end_content()
                    await connection.flush()

    async def _pieces(self, delivery: Delivery) -> AsyncGenerator[bytes, None]:
        """The message as it goes out. Raises OSError, SmtpFailure (a table cannot be asked)."""
        cleaner = None if self._outgoing is None else self._outgoing.begin()
        async with aclosing(read_content(delivery.content)) as pieces:
            async for piece in pieces:
                if text := piece if cleaner is None else cleaner.feed(piece):
                    yield text
        if cleaner is None:
            return
        cleaned = cleaner.finish()
        for note in cleaned.notes:
            log.event("smtp", queue_id=delivery.queue_id, kind=note.kind, text=note.text)
        if cleaned.refusal is not None:
            raise cleaned.refusal
        if cleaned.data:
            yield cleaned.data

    def _judge(
        self, connection: Connection, attempt: _Attempt, fate: Fate, recipient: Recipient
    ) -> None:
        """What a reply means for a recipient."""
        answer, host = fate.answer, connection.host
        outcome = Outcome(
            recipient=recipient,
            status=Status.BOUNCED,
            dsn=answer.dsn,
            reason=_said(host, answer, fate.command),
            relay=host.relay,
            reply=answer.text,
        )
        if answer.is_success and fate.command == _END:
            attempt.end(replace(outcome, status=Status.SENT, reason=answer.text))
            if "DSN" in connection.client.keywords:  # RFC 3461 5.2.1
                attempt.passed_on.add(recipient)
        elif answer.is_temporary:
            attempt.fail([replace(outcome, status=Status.DEFERRED)])
        elif answer.is_success:  # 2xx to DATA
            reason = f"Protocol error: {outcome.reason}"
            attempt.end(replace(outcome, dsn="5.5.0", reason=reason))
        else:
            attempt.end(outcome)


# ClientProtocol.doing while nothing of a transaction was answered
_FIRST = frozenset({Stage.RSET.value[1], Stage.MAIL.value[1]})


def _all(delivery: Delivery, dsn: str, reason: str) -> tuple[Outcome, ...]:
    status = Status.DEFERRED if dsn.startswith("4") else Status.BOUNCED
    return settle(delivery.recipients, status, dsn, reason)


def _said(host: Host, answer: Answer, command: str) -> str:
    return f"host {host.shown} said: {answer.text} (in reply to {command} command)"


def _is_lost(error: PeerError | TimedOut) -> bool:
    return str(error).startswith("lost connection")  # the words of ClientProtocol


def _trouble(connection: Connection, error: PeerError | TimedOut) -> str:
    """Postfix's words for a conversation that ended badly."""
    shown, doing = connection.host.shown, connection.client.doing
    if isinstance(error, TimedOut):
        return f"conversation with {shown} timed out while {doing}"
    if _is_lost(error):
        return f"lost connection with {shown} while {doing}"
    return f"Protocol error: host {shown}: {error} (while {doing})"


def _not_possible(connection: Connection, attempt: _Attempt, size: int) -> tuple[str, str] | None:
    """(status code, reason) when this server cannot take the message at all."""
    keywords = connection.client.keywords
    shown = connection.host.shown
    if attempt.needs_smtputf8 and "SMTPUTF8" not in keywords:  # RFC 6531 3.2
        return "5.6.7", f"SMTPUTF8 is required, but was not offered by host {shown}"
    limit = keywords.get("SIZE", "")
    if limit.isdecimal() and 0 < int(limit[:18]) < size:  # RFC 1870 6.2
        return "5.3.4", f"message size {size} exceeds size limit {limit} of server {shown}"
    return None


def _needs_smtputf8(envelope: Envelope, sender: Address, recipients: Iterable[Recipient]) -> bool:
    """True when an address or a header is not ASCII, and the sender announced that."""
    if not envelope.smtputf8:
        return False
    addresses = (sender, *(recipient.address for recipient in recipients))
    return envelope.utf8_headers or not all(
        item.local.isascii() and item.domain.isascii() for item in addresses
    )
