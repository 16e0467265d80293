"""session - one conversation with another server: greeting, TLS, login, mail transaction.

SUMMARY      await Session(connection, attempt, terms).open(), then .transact()
RULES        STARTTLS where the policy wants it and the server offers it; refused, mail goes in the
             clear only where TLS is optional, and the certificate is looked at before anything else
             AUTH where there is a password for the server and it offers it
             open() raises SiteFailed when the server is of no use for this message; transact()
             settles recipients one by one in the Attempt
ERRORS       SiteFailed; PeerError, TimedOut: the conversation broke off; HandshakeFailed
SOURCE       RFC 5321, 3207, 4954; Postfix smtp_proto.c: smtp_helo(), smtp_loop(); smtp_sasl_glue.c
"""

from __future__ import annotations

from delivery import log
from delivery.agents.attempt import Attempt
from delivery.agents.connection import Connection, TimedOut
from delivery.agents.credentials import Account, LoginSettings
from delivery.agents.hosts import Host
from delivery.agents.leaving import Leaving
from delivery.agents.tls import TlsContexts, TlsProblem, is_trusted, server_name
from delivery.agents.tlspolicy import Level, TlsPolicy, TlsSettings
from delivery.content.outgoing import Outgoing
from delivery.errors import DeliveryError, PeerError
from delivery.smtp.answers import Answer
from delivery.smtp.exchange import (
    FINAL_COMMAND,
    Finished,
    Ready,
    Refused,
    Replied,
    Stage,
    Transaction,
    WantContent,
)
from delivery.smtp.exchange import Result as Fate
from delivery.smtp.login import Login, LoginFailed, choose
from delivery.smtp.proxies import xforward
from delivery.values import Outcome, Recipient, Status
from tables.frozen import dataclass
from tables.reading.matchlist import MatchList

BAD_TLS = "client TLS configuration problem"
RESPONSES = 5  # of one login
HELD_BYTES = 128 * 1024  # of content, until it is sent


class SiteFailed(DeliveryError):
    """This server is of no use for the message. A `dsn` of class 4: another one may be."""

    def __init__(self, dsn: str, reason: str, *, reply: str = "") -> None:
        super().__init__(reason)
        self.dsn = dsn
        self.reason = reason
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Terms:
    """How sessions with one host are to be. Equal terms may share a connection."""

    domain: str  # the next hop, for certificates
    policy: TlsPolicy
    account: Account | None
    is_wrapped: bool = False  # TLS from the first byte
    detects_loops: bool = False  # a server with our own name is this machine


@dataclass(frozen=True, slots=True)
class Habits:
    """What all sessions of one transport have in common."""

    tls: TlsSettings
    contexts: TlsContexts
    login: LoginSettings
    mechanisms: MatchList  # smtp_sasl_mechanism_filter
    outgoing: Outgoing | None = None  # what is done to addresses and content
    skips_5xx_greeting: bool = True
    tells_origin: bool = False  # XFORWARD, to servers that want to know
    soft_bounce: bool = False  # nothing is final: another host may take it
    assumes_final: bool = False  # a server without DSN is where mail ends: lmtp_assume_final


class Session:
    """One conversation; `connection` is new, or was kept after another message."""

    def __init__(
        self, connection: Connection, attempt: Attempt, terms: Terms, habits: Habits
    ) -> None:
        self.connection = connection
        self._client = connection.client
        self._attempt = attempt
        self._terms = terms
        self._habits = habits
        self.judged: list[Recipient] = []  # the server has said what it thinks of these

    async def open(self) -> None:
        """Up to where a transaction may begin. Raises SiteFailed and what a connection raises."""
        if self._terms.is_wrapped:
            await self._encrypt()
        await self._greeted()
        if not self._terms.is_wrapped and await self._may_encrypt():
            await self._encrypt()
            self._client.greet_again()
            await self._greeted()
        if self._terms.account is not None and "AUTH" in self._client.offer.keywords:
            await self._log_in(self._terms.account)

    # greeting

    async def _greeted(self) -> None:
        connection = self.connection
        event = await connection.next_event()
        if isinstance(event, Ready):
            own = self._client.settings.myhostname.lower()
            if self._terms.detects_loops and event.hostname.lower() == own:
                reason = f"mail for {self._terms.domain} loops back to myself"
                raise SiteFailed("5.4.6", reason)
            return
        assert isinstance(event, Refused), event
        answer = event.answer
        # postconf(5) smtp_skip_5xx_greeting; a 5xx to EHLO and HELO is final all the same
        is_greeting = not connection.has_spoken and answer.code >= 500
        dsn = answer.dsn
        if is_greeting and self._habits.skips_5xx_greeting:
            dsn = f"4{dsn[1:]}"
        reason = f"host {connection.host.shown} refused to talk to me: {answer.text}"
        raise SiteFailed(dsn, reason, reply=answer.text)

    # TLS

    async def _may_encrypt(self) -> bool:
        """Ask for TLS where that is to be done; True when the server is ready for it."""
        policy, shown = self._terms.policy, self.connection.host.shown
        if policy.level is Level.NONE:
            if (
                self._habits.tls.smtp_tls_note_starttls_offer
                and "STARTTLS" in self._client.offer.keywords
            ):
                log.event("smtp", offers_starttls=shown)
            return False
        if "STARTTLS" not in self._client.offer.keywords:
            if policy.is_required:
                reason = f"TLS is required, but was not offered by host {shown}"
                raise SiteFailed("4.7.4", reason)
            return False
        answer = await self._ask(Stage.STARTTLS, "STARTTLS")
        if answer.code == 220:
            return True
        if policy.is_required or self._client.closing:
            dsn = answer.dsn if answer.code >= 400 else "4.5.0"
            reason = f"TLS is required, but host {shown} refused to start TLS: {answer.text}"
            if not policy.is_required:  # what is missing is not TLS: it hangs up
                dsn, reason = "4.4.2", f"host {shown} refused to talk to me: {answer.text}"
            raise SiteFailed(dsn, reason, reply=answer.text)
        return False

    async def _encrypt(self) -> None:
        terms, host = self._terms, self.connection.host
        try:
            context = self._habits.contexts.context(terms.policy)
        except TlsProblem as error:
            raise SiteFailed("4.7.5", f"{BAD_TLS}: {error}") from error
        name = server_name(terms.policy, host.name, terms.domain)
        await self.connection.start_tls(context, name)
        tls = self.connection.tls
        assert tls is not None, "no TLS after a handshake"
        if not is_trusted(
            tls.getpeercert(),
            tls.getpeercert(binary_form=True),
            terms.policy,
            host=host.name,
            domain=terms.domain,
            digest=self._habits.tls.smtp_tls_fingerprint_digest,
        ):
            raise SiteFailed("4.7.5", "Server certificate not verified")

    # AUTH

    async def _log_in(self, account: Account) -> None:
        settings, shown = self._habits.login, self.connection.host.shown
        options = (
            settings.smtp_sasl_security_options
            if self.connection.tls is None
            else settings.smtp_sasl_tls_security_options
        )
        offered = self._client.offer.keywords["AUTH"].upper().split()
        if self._habits.mechanisms:
            offered = [name for name in offered if self._habits.mechanisms.matches(name)]
        mechanism = choose(offered, options)
        failed = "SASL authentication failed;"
        if mechanism is None:
            reason = f"{failed} cannot authenticate to server {shown}: no mechanism available"
            raise SiteFailed("4.7.0", reason)
        login = Login(mechanism, account.user, account.password)
        answer = await self._ask(Stage.AUTH, login.command())
        for _ in range(RESPONSES):
            if answer.code != 334:
                break
            try:
                response = login.respond(answer.lines[-1][4:])
            except LoginFailed as error:
                reason = f"{failed} cannot authenticate to server {shown}: {error}"
                raise SiteFailed("4.7.0", reason) from error
            answer = await self._ask(Stage.AUTH, response)
        if not answer.is_success:
            dsn = answer.dsn
            if settings.smtp_sasl_auth_soft_bounce and dsn.startswith("5"):
                dsn = f"4{dsn[1:]}"
            raise SiteFailed(dsn, f"{failed} server {shown} said: {answer.text}", reply=answer.text)

    async def _ask(self, stage: Stage, line: str) -> Answer:
        self._client.ask(stage, line)
        event = await self.connection.next_event()
        assert isinstance(event, Replied), event
        return event.answer

    # the transaction

    async def transact(self) -> None:
        """One mail transaction for the recipients that are still waiting."""
        client, attempt = self._client, self._attempt
        delivery = attempt.delivery
        size = delivery.content.size + len(delivery.content.headers)
        if refusal := self._not_possible(size):
            dsn, reason = refusal
            relay = self.connection.host.relay
            attempt.fail_all(dsn, reason, relay=relay, is_final=True)
            return
        if self._habits.tells_origin and "XFORWARD" in client.offer.keywords:
            await self._tell_origin()
        envelope = delivery.envelope
        outgoing = self._habits.outgoing
        may_grow = not client.offer.takes_8bit and outgoing is not None and outgoing.may_convert
        to_7bit = envelope.eightbit and may_grow
        people = tuple(attempt.waiting)
        shown = attempt.shown(people)
        names: dict[int, Recipient] = {}
        if attempt.renamed:
            names = {id(told): name for told, name in zip(shown, people, strict=True)}
        client.start(
            Transaction(
                sender=attempt.sender,
                recipients=shown,
                size=0 if may_grow else size,  # by an amount that nobody knows yet
                body="8BITMIME" if envelope.eightbit else "",
                smtputf8=envelope.smtputf8 and "SMTPUTF8" in client.offer.keywords,
                is_probe=envelope.is_probe,
                ret=envelope.ret,
                envid=envelope.envid,
            )
        )
        with Leaving(delivery, outgoing, to_7bit=to_7bit) as leaving:
            while not isinstance(event := await self.connection.next_event(), Finished):
                if isinstance(event, Fate):
                    self._judge(event, names.get(id(event.recipient), event.recipient))
                elif isinstance(event, WantContent):
                    if piece := await leaving.next():
                        client.send_content(piece)
                    is_complete = leaving.is_over and client.wants_content
                    if is_complete:
                        client.end_content()
                    if is_complete or client.unsent >= HELD_BYTES:  # a short one goes with the end
                        await self.connection.flush()

    async def _tell_origin(self) -> None:
        """XFORWARD. Refused, the mail goes all the same: it is for the server's log."""
        delivery = self._attempt.delivery
        offered = self._client.offer.keywords["XFORWARD"]
        for line in xforward(delivery.envelope, delivery.queue_id, offered):
            answer = await self._ask(Stage.XFORWARD, line)
            if self._client.closing:
                shown = self.connection.host.shown
                reason = f"host {shown} said: {answer.text} (in reply to XFORWARD command)"
                raise SiteFailed(answer.dsn, reason, reply=answer.text)

    def _not_possible(self, size: int) -> tuple[str, str] | None:
        """(status code, reason) when this server cannot take the message at all."""
        client = self._client
        if self._attempt.needs_smtputf8 and "SMTPUTF8" not in client.offer.keywords:  # RFC 6531 3.2
            shown = self.connection.host.shown
            return "5.6.7", f"SMTPUTF8 is required, but was not offered by host {shown}"
        limit = client.offer.size_limit
        if 0 < limit < size:  # RFC 1870 6.2
            shown = self.connection.host.shown
            return "5.3.4", f"message size {size} exceeds size limit {limit} of server {shown}"
        return None

    def _judge(self, fate: Fate, recipient: Recipient) -> None:
        """What a reply means for a recipient."""
        attempt = self._attempt
        self.judged.append(recipient)
        answer, relay = fate.answer, self.connection.host.relay
        is_probe = attempt.delivery.envelope.is_probe
        is_delivered = not is_probe and answer.is_success and fate.command == FINAL_COMMAND
        if is_delivered or (is_probe and _is_yes(fate)):
            reports = "DSN" in self._client.offer.keywords  # RFC 3461 5.2.1
            is_final = is_delivered and self._habits.assumes_final and not reports
            attempt.end(
                Outcome(
                    recipient=recipient,
                    status=Status.SENT,
                    dsn=answer.dsn,
                    reason=answer.text,
                    relay=relay,
                    reply=answer.text,
                    delivered_to=relay if is_final else "",
                )
            )
            if is_delivered and reports:
                attempt.passed_on.add(recipient)
            return
        shown = self.connection.host.shown
        reason = f"host {shown} said: {answer.text} (in reply to {fate.command} command)"
        status, dsn = Status.BOUNCED, answer.dsn
        if answer.is_temporary:
            status = Status.DEFERRED
        elif answer.is_success:  # 2xx to DATA
            reason, dsn = f"Protocol error: {reason}", "5.5.0"
        outcome = Outcome(
            recipient=recipient,
            status=status,
            dsn=dsn,
            reason=reason,
            relay=relay,
            reply=answer.text,
        )
        if answer.is_temporary or (self._habits.soft_bounce and not answer.is_success):
            attempt.fail((outcome,))
        else:
            attempt.end(outcome)


def _is_yes(fate: Fate) -> bool:
    """True when the answer lets a transaction go on."""
    wanted = 3 if fate.command == Stage.DATA.command else 2
    return fate.answer.code // 100 == wanted


def is_lost(error: PeerError | TimedOut) -> bool:
    """True when the server went away."""
    return str(error).startswith("lost connection")  # the words of ClientProtocol


def trouble(host: Host, doing: str, error: PeerError | TimedOut) -> str:
    """Postfix's words for a conversation that ended badly while we were `doing` that."""
    if isinstance(error, TimedOut):
        return f"conversation with {host.shown} timed out while {doing}"
    if is_lost(error):
        return f"lost connection with {host.shown} while {doing}"
    return f"Protocol error: host {host.shown}: {error} (while {doing})"
