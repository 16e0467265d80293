"""dialogue - what this server answers: one client's commands against the rules.

SUMMARY      await Dialogue.greet(), .answer(event) -> a reply, or what is to be awaited for it;
             .take(chunk)
RULES        one set of rules for the whole connection, the one it began with
             the checks run in Postfix's order (policy.checks); a refusal counts as an error; from
             smtpd_soft_error_limit on all replies are slowed, at smtpd_hard_error_limit it ends
             commands that do nothing count as junk (smtpd_junk_command_limit)
             a message that was accepted lets errors, junk and blame be forgotten
             whose fault a refusal was is noted, for the postmaster (notify_classes)
             a reply of 250 to a message comes after the spool has it on disk (RFC 5321 4.2.5)
             where TLS is required nothing is done without it (RFC 3207 4)
             XCLIENT begins the session anew, for the client that it names (XCLIENT_README)
             STARTTLS does so for the client itself: what it said in the clear, its login too, is
             forgotten (RFC 3207 4.2)
ERRORS       SmtpFailure and TableUnavailable become replies here; whatever else is wrong is the
             session's to answer with 421
LIMITS       CHECKS_S for the checks of one command, then 451
SOURCE       Postfix smtpd(8); RFC 5321, 3030, 3461, 1985, 3207, 4954
"""

from __future__ import annotations

import asyncio
import itertools
import os
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from delivery import log
from delivery.errors import SmtpFailure
from delivery.policy.checks import Checks, Deciding
from delivery.policy.facts import Ask, Facts, Stage
from delivery.policy.verdict import GO_ON, Blame, Decision
from delivery.runtime import eager, offers
from delivery.runtime.anvil import Counts
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.dovecot import Circumstances, Logins
from delivery.runtime.draft import Arrival, ContentRefused, Draft, Origin
from delivery.runtime.login import Login
from delivery.runtime.notices import Transcript
from delivery.runtime.rates import Rate
from delivery.runtime.rules import ServiceRules
from delivery.runtime.throttle import Throttle
from delivery.smtp import events, replies
from delivery.smtp.commands import PARSERS
from delivery.smtp.replies import Reply
from delivery.smtp.server import ServerProtocol
from delivery.spool.content import ContentWriter
from delivery.trace import scrub, with_protocol
from delivery.values import Client, Recipient, default_orcpt
from tables.errors import TableUnavailable

# postconf(5) smtpd_junk_command_limit
_JUNK = frozenset({events.Noop, events.Rset, events.Vrfy, events.Etrn, events.Helo, events.Ehlo})
_JUNK_VERBS = frozenset({"NOOP", "RSET", "VRFY", "ETRN", "HELO", "EHLO"})
_WITHOUT_TLS = (  # RFC 3207 4; Postfix takes no other command it knows
    events.Helo,
    events.Ehlo,
    events.Noop,
    events.Quit,
    events.StartTls,
    events.Unknown,
)
_VERBS_WITHOUT_TLS = frozenset({"HELO", "EHLO", "NOOP", "QUIT", "STARTTLS", "XCLIENT"})
_BLAMES = {452: Blame.RESOURCE, 451: Blame.SOFTWARE}
# RFC 5321 4.5.3.2: a client waits five minutes for an answer. Postfix has no such bound: a sender
# with a hundred mail servers that do not answer keeps it busy for longer than anybody waits.
CHECKS_S = 300.0
_TOO_LONG = Decision(
    451, "4.3.0", "Error: the checks of this command take too long", blame=Blame.RESOURCE
)
_instances = itertools.count(1)


@dataclass(slots=True)
class Transaction:
    """MAIL to the end of the message."""

    mail: events.Mail
    known: dict[str, Any]  # the facts of the session, and what MAIL adds to them
    recipients: list[Recipient] = field(default_factory=list)
    overshoot: int = 0  # recipients beyond the limit
    writer: ContentWriter | None = None  # from the first recipient on the message has a name
    draft: Draft | None = None

    @property
    def whole(self) -> dict[str, Any]:
        """The facts of its recipients, once they are all known."""
        recipients = self.recipients
        only = recipients[0].address if len(recipients) == 1 else None
        return {"recipient": only, "recipient_count": len(recipients)}


class Dialogue:
    """One connection's side of the talk."""

    def __init__(
        self,
        rules: ServiceRules,
        cleanup: Cleanup,
        ask: Ask,
        logins: Logins,
        client: Client,
        server: tuple[str, int],
        protocol: ServerProtocol,
        counts: Counts,
    ) -> None:
        """`server`: our address and port; `protocol`: is told what to offer this client."""
        self.rules = rules
        self.is_slowed = False  # it has made so many errors that its replies wait
        self.has_too_many_errors = False  # the connection is to end now
        self._settings = rules.settings
        self._asked = rules.policy.asked
        self._cleanup = cleanup
        self._ask = ask
        self._protocol = protocol
        self._counts = counts
        self.transcript = Transcript(protocol.said)
        self._errors = 0
        self._junk = 0
        self._is_forgiven = False  # this negative reply is no error
        self._transaction: Transaction | None = None
        self._forwarded: dict[str, str | None] = {}  # what XFORWARD says of the mail to come
        endpoint = rules.sasl.endpoint  # of the service that knows who may log in
        self._auth = logins.at(endpoint) if endpoint else None
        self._begin({"client": client, "server_address": server[0], "server_port": server[1]})

    def _begin(self, known: dict[str, Any]) -> None:
        """A session begins, with these facts."""
        client = known["client"]
        self._known = known
        self._client = f"{client.name}[{client.address}]"
        self._checks = Checks(self.rules.policy, self._ask)
        self._throttle = Throttle(self._counts, self.rules, client)
        self._needs_tls = "tls" not in known and self.rules.tls.is_required
        self._login = Login(self.rules.sasl, self._auth, self._client)
        self._offer()

    def _offer(self) -> None:
        """What the client can have as things are."""
        is_encrypted = "tls" in self._known
        if self._auth is not None:
            self._login.look(is_encrypted=is_encrypted)
        offer = offers.of(
            self.rules,
            self._known["client"],
            is_encrypted=is_encrypted,
            mechanisms=self._login.mechanisms,
        )
        self._protocol.offer(*offer)

    # the session's calls

    async def greet(self) -> Reply:
        """220, or the refusal of a limit or of smtpd_client_restrictions."""
        if not self._throttle.is_free and await self._throttle.connect():
            self._cleanup.count("refused_connections")
            self._blame(Blame.POLICY)
            address = self._known["client"].address
            return self.shown(replies.too_many_connections(self._settings.myhostname, address))
        if self._auth is not None and await self._login.wait():
            self._offer()
        if Stage.CONNECT in self._asked:
            refusal = await self._refusal(self._checks.client, Stage.CONNECT)
            if refusal is not None:
                return self.shown(refusal)
        return replies.greeting(self._settings.smtpd_banner)

    async def secured(self, secured: ssl.SSLObject) -> Reply | None:
        """TLS is there; a reply: it ends here."""
        tls = self.rules.tls.facts(secured)
        self._known["tls"] = tls
        self._needs_tls = False
        if self.rules.tls.settings.smtpd_tls_loglevel > 0:
            log.event("smtpd", tls=tls.protocol, cipher=tls.cipher, client=self._client)
        self._offer()
        if await self._login.wait():
            self._offer()
        hostname = self._settings.myhostname
        if not secured.session_reused and await self._throttle.is_over(Rate.HANDSHAKE):
            self._too_many("new TLS sessions")
            return self.shown(replies.too_many_handshakes(hostname, self._client))
        if self.rules.tls.settings.requires_certificate and not tls.is_trusted:
            self._blame(Blame.POLICY)
            return self.shown(replies.bad_certificate(hostname))
        return None

    def answer(self, event: events.Event) -> Reply | Awaitable[Reply]:
        """The reply to any event but ContentChunk; to be awaited where somebody is waited for."""
        answer: Reply | Awaitable[Reply]
        if self._needs_tls and _wants_tls(event):
            self._blame(Blame.PROTOCOL)
            answer = replies.NEED_TLS
        else:
            try:
                found = _ANSWERS[type(event)](self, event)
                answer = found if type(found) is Reply else eager.first(found)
            except (SmtpFailure, TableUnavailable) as failure:
                answer = self._failed(failure)
        if type(answer) is not Reply or self.is_slowed:
            return self._later(event, answer)
        if answer.is_positive and type(event) not in _JUNK:
            return answer  # as most are
        return self._judged(event, answer)

    async def _later(self, event: events.Event, answer: Reply | Awaitable[Reply]) -> Reply:
        """An answer that is waited for, or whose client waits."""
        try:
            reply = answer if isinstance(answer, Reply) else await answer
        except (SmtpFailure, TableUnavailable) as failure:
            reply = self._failed(failure)
        if self.is_slowed:
            await self.pause()
        return self._judged(event, reply)

    def _failed(self, failure: SmtpFailure | TableUnavailable) -> Reply:
        """The reply to a command that could not be carried out."""
        if isinstance(failure, TableUnavailable):
            log.event("smtpd", problem=str(failure), client=self._client)
            self._blame(Blame.DATA)
            return replies.reply(451, "4.3.0", "Temporary lookup failure")
        if failure.cause:
            log.event("smtpd", problem=failure.cause, reply=str(failure), client=self._client)
        is_ours = failure.enhanced != "4.6.0"  # else an alias stands for too many
        self._blame(_BLAMES.get(failure.code, Blame.POLICY) if is_ours else Blame.POLICY)
        return replies.failure(failure)

    def _judged(self, event: events.Event, reply: Reply) -> Reply:
        """The reply as the client sees it, errors and junk counted."""
        if type(event) in _JUNK:
            self._count_junk()
        if reply.is_positive:
            return reply
        if not self._is_forgiven:
            self._count_error()
        self._is_forgiven = False
        if isinstance(event, events.SyntaxProblem) and event.verb in _JUNK_VERBS:
            self._count_junk()  # a mistake in such a command counts like it
        return self.shown(reply)

    async def pause(self) -> None:
        """Before a reply: clients that make errors wait. postconf(5) smtpd_error_sleep_time."""
        if self.is_slowed:
            await asyncio.sleep(self._settings.smtpd_error_sleep_time)

    def _count_error(self) -> None:
        """postconf(5) smtpd_soft_error_limit, smtpd_hard_error_limit."""
        self._errors += 1
        self.is_slowed = self._errors >= self._settings.smtpd_soft_error_limit
        self.has_too_many_errors = self._errors >= self._settings.smtpd_hard_error_limit

    def _count_junk(self) -> None:
        """postconf(5) smtpd_junk_command_limit."""
        if self._junk > self._settings.smtpd_junk_command_limit:
            self._count_error()
        self._junk += 1

    def _forgive(self) -> None:
        """A message was accepted: what went wrong before does not count any more."""
        self._errors = self._junk = 0
        self.is_slowed = self.has_too_many_errors = False
        self.transcript.blamed.clear()

    def take(self, data: bytes) -> None:
        """A piece of the message."""
        transaction = self._transaction
        assert transaction is not None
        assert transaction.draft is not None
        transaction.draft.take(data)

    def end(self) -> None:
        """The connection is gone: forget what was begun."""
        self._forget()
        self._throttle.disconnect()

    # commands

    def _hello(self, event: events.Helo | events.Ehlo) -> Reply | Coroutine[Any, Any, Reply]:
        stage = Stage.EHLO if isinstance(event, events.Ehlo) else Stage.HELO
        if stage in self._asked:
            return self._asked_hello(event, stage)
        return self._greeted(event)

    async def _asked_hello(self, event: events.Helo | events.Ehlo, stage: Stage) -> Reply:
        """The protocol is what it was before."""
        refusal = await self._refusal(self._checks.helo, stage, helo=event.name)
        return refusal or self._greeted(event)

    def _greeted(self, event: events.Helo | events.Ehlo) -> Reply:
        self._forget()
        is_extended = isinstance(event, events.Ehlo)
        self._known |= {"helo": event.name, "protocol": "ESMTP" if is_extended else "SMTP"}
        keywords = self._protocol.keywords if is_extended else ()
        return replies.hello(self._settings.myhostname, keywords)

    async def _mail(self, event: events.Mail) -> Reply:
        if self._throttle.limits and await self._throttle.is_over(Rate.MESSAGE):
            self._blame(Blame.POLICY)
            return replies.too_much_mail(self._known["client"].address)
        size = event.size or 0
        self._cleanup.spool.check_room(size)
        known: dict[str, Any] = {
            "sender": event.address,
            "size": size,
            "smtputf8": event.smtputf8,
            "sasl_sender": event.auth or "",
        }
        refusal = None
        if Stage.MAIL in self._asked:
            refusal = await self._refusal(self._checks.mail, Stage.MAIL, **known)
        elif (unfit := self._checks.unfit_sender(event.address)) is not None:
            refusal = self._refuse(unfit, self._facts(Stage.MAIL, **known))
        if refusal is not None:
            self._forget()  # what access tables asked for too
            return refusal
        known["instance"] = f"{_process()}.{next(_instances):x}"  # of what is accepted
        self._transaction = Transaction(event, self._known | known)
        return replies.SENDER_OK

    async def _rcpt(self, event: events.Rcpt) -> Reply:
        transaction = self._transaction
        assert transaction is not None
        if self._throttle.limits and await self._throttle.is_over(Rate.RECIPIENT):
            self._blame(Blame.POLICY)
            return replies.too_many_recipients(self._known["client"].address)
        count, limit = len(transaction.recipients), self._settings.smtpd_recipient_limit
        if 0 < limit <= count:
            # RFC 5321 4.5.3.1.10: the client may go on, and send to the rest later
            transaction.overshoot += 1
            allowed = self._settings.smtpd_recipient_overshoot_limit
            self._is_forgiven = transaction.overshoot <= allowed
            return replies.reply(452, "4.5.3", "Error: too many recipients")
        refusal = await self._refusal(
            self._checks.rcpt,
            Stage.RCPT,
            event.given,
            recipient=event.address,
            recipient_count=count,
        )
        if refusal is not None:
            return refusal
        if transaction.writer is None:
            transaction.writer = self._cleanup.spool.begin()
            transaction.known["queue_id"] = transaction.writer.queue_id
        transaction.recipients.append(
            Recipient(
                address=event.address,
                original=event.address,
                notify=event.notify,
                orcpt=event.orcpt or default_orcpt(event.given, smtputf8=transaction.mail.smtputf8),
            )
        )
        return replies.RECIPIENT_OK

    def _data(self, event: events.Data | events.Bdat) -> Reply | Coroutine[Any, Any, Reply]:
        transaction = self._transaction
        assert transaction is not None
        if Stage.DATA in self._asked:
            return self._asked_data(transaction)
        return self._draft(transaction)

    async def _asked_data(self, transaction: Transaction) -> Reply:
        refusal = await self._refusal(self._checks.data, Stage.DATA, **transaction.whole)
        return refusal or self._draft(transaction)

    def _draft(self, transaction: Transaction) -> Reply:
        """The message is to come."""
        mail = transaction.mail
        arrival = Arrival(
            sender=mail.address,
            recipients=tuple(transaction.recipients),
            origin=self._origin(smtputf8=mail.smtputf8),
            prepended=self._checks.effects.prepend,
            smtputf8=mail.smtputf8,
            eightbit=mail.body == "8BITMIME",
            envid=mail.envid,
            ret=mail.ret,
        )
        transaction.draft = self._cleanup.receive(self.rules, arrival, transaction.writer)
        return replies.START_CONTENT

    def _chunk_end(self, event: events.ChunkEnd) -> Reply:
        return replies.chunk_received(event.size)

    async def _content_end(self, event: events.ContentEnd) -> Reply:
        transaction = self._transaction
        assert transaction is not None
        assert transaction.draft is not None
        try:
            if event.problem is not None:
                self._blame(Blame.BOUNCE)
                return event.problem
            stage = Stage.END_OF_MESSAGE
            if stage in self._asked:
                known = transaction.whole | {"size": event.size}
                refusal = await self._refusal(self._checks.end_of_data, stage, **known)
                if refusal is not None:
                    return refusal
            try:
                queue_id = await self._cleanup.enter(transaction.draft, self._checks.effects)
            except ContentRefused as refused:
                decision = Decision(
                    refused.code, refused.enhanced, refused.text, restriction=refused.cause
                )
                facts = self._facts(stage, **transaction.whole, size=event.size)
                return self._refuse(decision, facts)
            self._forgive()
            if self._forwarded:
                log.event("xforward", queue_id=queue_id, **_logged(self._forwarded))
            return replies.queued(queue_id, event.chunk_size)
        finally:
            self._forget()

    def _rset(self, event: events.Rset) -> Reply:
        self._forget()
        return replies.OK

    def _noop(self, event: events.Noop) -> Reply:
        return replies.OK

    def _help(self, event: events.Help) -> Reply:
        self._blame(Blame.PROTOCOL)
        return replies.NOT_RECOGNIZED

    async def _vrfy(self, event: events.Vrfy) -> Reply:
        kept = self._checks.effects
        refusal = await self._refusal(
            self._checks.rcpt,
            Stage.VRFY,
            event.given,
            recipient=event.address,
            smtputf8=event.smtputf8,
        )
        self._checks.effects = kept  # a question asks for nothing to be done to the message
        return refusal or replies.verified(event.given)

    async def _etrn(self, event: events.Etrn) -> Reply:
        domain = event.domain
        refusal = await self._refusal(self._checks.etrn, Stage.ETRN, etrn_domain=domain)
        if refusal is not None:
            return refusal
        if not self.rules.flush_domains.matches_domain(domain):
            return replies.reply(459, "", f"<{domain}>: service unavailable")
        count = await self._cleanup.flush_site(domain)
        log.event("etrn", client=self._client, domain=domain, messages=count)
        return replies.reply(250, "", "Queuing started")

    async def _auth_command(self, event: events.Auth) -> Reply:
        if await self._throttle.is_over(Rate.LOGIN):
            return self._too_many_logins()
        if self._known.get("login"):
            self._blame(Blame.PROTOCOL)
            return replies.ALREADY_LOGGED_IN
        about = Circumstances(
            service=self.rules.sasl.settings.smtpd_sasl_service,
            server_address=self._known["server_address"],
            client_address=self._known["client"].address,
            is_encrypted="tls" in self._known,
        )
        reply = await self._login.begin(event, about)
        self._offer()  # it may have waited for the service to say what can be used
        return self._logged_in(reply)

    async def _auth_response(self, event: events.AuthResponse) -> Reply:
        return self._logged_in(await self._login.go_on(event))

    def _logged_in(self, reply: Reply) -> Reply:
        """Whom the rules know the client as from now on, if it has come so far."""
        if reply.code == 235:  # RFC 4954 6
            self._known |= {"login": self._login.user, "sasl_method": self._login.method}
        return reply

    def _too_many_logins(self) -> Reply:
        self._too_many("AUTH commands")
        return replies.too_many_logins(self._known["client"].address)

    async def _start_tls(self, event: events.StartTls) -> Reply:
        """After 220 the session does the handshake, then calls secured()."""
        if await self._throttle.was_over(Rate.HANDSHAKE):
            self._too_many("new TLS sessions")
            return replies.no_more_handshakes(self._client)
        if self.rules.tls.context() is None:
            self._blame(Blame.RESOURCE)
            return replies.TLS_UNAVAILABLE
        self._forget()
        for name in ("helo", "login", "sasl_method"):
            self._known.pop(name, None)
        return replies.READY_FOR_TLS

    async def _xclient(self, event: events.Xclient) -> Reply:
        """The session begins anew, as if that client had connected. XCLIENT_README."""
        self._forget()
        self._throttle.disconnect()
        known = offers.spoken_for(self._known, event.attributes, temporary=event.is_temporary)
        log.event("xclient", client=self._client, speaks_for=known["client"].address)
        self._begin(known)
        return await self.greet()

    def _xforward(self, event: events.Xforward) -> Reply:
        self._forwarded.update(event.attributes)
        return replies.OK

    def _unknown(self, event: events.Unknown) -> Reply:
        self._blame(Blame.PROTOCOL)
        return replies.NOT_RECOGNIZED

    async def _syntax_problem(self, event: events.SyntaxProblem) -> Reply:
        if event.verb == "AUTH" and await self._throttle.is_over(Rate.LOGIN):
            return self._too_many_logins()
        self._blame(Blame.PROTOCOL)
        if event.ends_transaction:
            self._forget()
        return event.reply

    def _quit(self, event: events.Quit) -> Reply:
        return replies.BYE

    # inside

    def _facts(self, stage: Stage, **given: Any) -> Facts:
        """Facts of the session, of the transaction if there is one, and `given`."""
        transaction = self._transaction
        known = self._known if transaction is None else transaction.known
        return Facts(
            stage=stage, bad_pipelining=self._protocol.improper_pipelining, **(known | given)
        )

    async def _refusal(
        self,
        checks: Callable[[Facts], Deciding],
        stage: Stage,
        typed: str = "",
        /,
        **given: Any,
    ) -> Reply | None:
        """What the checks of a command answer, as long as the client waits for it; None: go on.

        `typed`: the recipient at stake; `given`: facts that this command adds.
        """
        facts = self._facts(stage, **given)
        try:
            found = checks(facts)
            decision = found if isinstance(found, Decision) else await eager.within(CHECKS_S, found)
        except TimeoutError:
            decision = _TOO_LONG
        if decision is GO_ON:
            return None
        if decision.refused:
            return self._refuse(decision, facts, recipient=typed)
        if decision.notes:
            self._note(decision, facts)
        return None

    def _forget(self) -> None:
        """The end of a transaction, whatever it came to. Postfix mail_reset()."""
        self._checks.new_message()
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return
        self._forwarded.clear()
        if transaction.draft is not None:
            transaction.draft.abandon()
        elif transaction.writer is not None:
            transaction.writer.abandon()

    def _origin(self, *, smtputf8: bool) -> Origin:
        known = self._known
        tls, login = known.get("tls"), known.get("login", "")
        comments = () if tls is None else self.rules.tls.comments(tls)
        if login and self.rules.sasl.settings.smtpd_sasl_authenticated_header:
            comments += (f"Authenticated sender: {scrub(login, smtputf8=smtputf8)}",)
        return Origin(
            client=known["client"],
            helo=known.get("helo", ""),
            protocol=with_protocol(
                extended=known.get("protocol") == "ESMTP",
                smtputf8=smtputf8,
                tls=tls is not None,
                login=bool(login),
            ),
            login=login,
            sasl_method=known.get("sasl_method", ""),
            is_trusted=tls is not None and tls.is_trusted,
            comments=comments,
        )

    def _refuse(self, decision: Decision, facts: Facts, *, recipient: str = "") -> Reply:
        self._note(decision, facts)
        self._blame(decision.blame)
        self._cleanup.refused(self.rules, facts, decision, recipient)
        return replies.reply(decision.code, decision.enhanced, decision.text)

    def shown(self, reply: Reply) -> Reply:
        """A refusal as the client sees it: softened by soft_bounce, with the footer."""
        if reply.is_positive:
            return reply
        if self._settings.soft_bounce:
            reply = replies.softened(reply)
        return self.rules.footer.added(reply, self._facts(Stage.CONNECT))

    def _too_many(self, what: str) -> None:
        self._blame(Blame.POLICY)
        log.event("smtpd", problem=f"too many {what}", client=self._client)

    def _blame(self, blame: Blame) -> None:
        self.transcript.blamed.add(blame)

    def _note(self, decision: Decision, facts: Facts) -> None:
        """What restrictions had to say beside the decision."""
        for note in decision.notes:
            log.event(
                "policy",
                kind=note.kind,
                text=note.text,
                stage=facts.stage.value,
                client=self._client,
                recipient=None if facts.recipient is None else facts.recipient.text,
            )


@cache
def _process() -> str:
    """What tells our instances from those of other processes."""
    return f"{os.getpid():x}"


def _logged(attributes: Mapping[str, str | None]) -> dict[str, str]:
    """XFORWARD's words as the log says them."""
    return {f"orig_{name.lower()}": value or "unknown" for name, value in attributes.items()}


def _wants_tls(event: events.Event) -> bool:
    """RFC 3207 4; a command that is out of its place, or badly said, is refused all the same."""
    if not isinstance(event, events.SyntaxProblem):
        return not isinstance(event, _WITHOUT_TLS)
    is_known = event.verb in PARSERS and event.verb not in _VERBS_WITHOUT_TLS
    return is_known and not event.reply.closes


_ANSWERS: dict[type, Callable[[Dialogue, Any], Reply | Coroutine[Any, Any, Reply]]] = {
    events.Helo: Dialogue._hello,
    events.Ehlo: Dialogue._hello,
    events.Mail: Dialogue._mail,
    events.Rcpt: Dialogue._rcpt,
    events.Data: Dialogue._data,
    events.Bdat: Dialogue._data,
    events.ChunkEnd: Dialogue._chunk_end,
    events.ContentEnd: Dialogue._content_end,
    events.Rset: Dialogue._rset,
    events.Noop: Dialogue._noop,
    events.Help: Dialogue._help,
    events.Vrfy: Dialogue._vrfy,
    events.Etrn: Dialogue._etrn,
    events.StartTls: Dialogue._start_tls,
    events.Auth: Dialogue._auth_command,
    events.AuthResponse: Dialogue._auth_response,
    events.Xclient: Dialogue._xclient,
    events.Xforward: Dialogue._xforward,
    events.Quit: Dialogue._quit,
    events.Unknown: Dialogue._unknown,
    events.SyntaxProblem: Dialogue._syntax_problem,
}
