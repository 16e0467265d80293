"""dialogue - what this server answers: one client's commands against the rules.

SUMMARY      await Dialogue.greet(), .answer(event) -> a reply, or what is to be awaited for it;
             .take(chunk)
RULES        one set of rules for the whole connection, the one it began with
             the checks run in Postfix's order (policy.checks)
             a reply of 250 to a message comes after the spool has it on disk (RFC 5321 4.2.5)
             STARTTLS, AUTH and XCLIENT are about who the client is (identity.py); XCLIENT begins
             the session anew, for the client that it names (XCLIENT_README)
             refusals are errors, and some commands junk (faults.py)
ERRORS       SmtpFailure and TableUnavailable become replies here; whatever else is wrong is the
             session's to answer with 421
LIMITS       CHECKS_S for the checks of one command, then 451
SOURCE       Postfix smtpd(8); RFC 5321, 3030, 3461, 1985, 3207, 4954
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from delivery import log
from delivery.errors import SmtpFailure
from delivery.policy.checks import Checks, Deciding
from delivery.policy.facts import Ask, Facts, Stage
from delivery.policy.verdict import GO_ON, Blame, Decision
from delivery.runtime import eager
from delivery.runtime.anvil import Counts
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.dovecot import Logins
from delivery.runtime.draft import Arrival, ContentRefused
from delivery.runtime.faults import JUNK, Faults
from delivery.runtime.identity import Identity, wants_tls
from delivery.runtime.rates import Rate
from delivery.runtime.rules import ServiceRules
from delivery.runtime.transaction import Transaction
from delivery.smtp import events, replies
from delivery.smtp.replies import Reply
from delivery.smtp.server import ServerProtocol
from delivery.values import Client, Recipient, default_orcpt
from tables.errors import TableUnavailable

# RFC 5321 4.5.3.2: a client waits five minutes for an answer. Postfix has no such bound: a sender
# with a hundred mail servers that do not answer keeps it busy for longer than anybody waits.
CHECKS_S = 300.0
_TOO_LONG = Decision(
    451, "4.3.0", "Error: the checks of this command take too long", blame=Blame.RESOURCE
)


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
        self.faults = faults = Faults(rules.settings)
        self._settings = rules.settings
        self._asked = rules.policy.asked
        self._cleanup = cleanup
        self._ask = ask
        self._protocol = protocol
        self._checks = Checks(rules.policy, ask)
        self._transaction: Transaction | None = None
        self._forwarded: dict[str, str | None] = {}  # what XFORWARD says of the mail to come
        endpoint = rules.sasl.endpoint  # of the service that knows who may log in
        service = logins.at(endpoint) if endpoint else None
        known = {"client": client, "server_address": server[0], "server_port": server[1]}
        self._identity = Identity(rules, service, protocol, counts, faults, known)

    # the session's calls

    async def greet(self) -> Reply:
        """220, or the refusal of a limit or of smtpd_client_restrictions."""
        identity, hostname = self._identity, self._settings.myhostname
        if not identity.throttle.is_free and await identity.throttle.connect():
            self._cleanup.count("refused_connections")
            self.faults.blamed.add(Blame.POLICY)
            return self.shown(replies.too_many_connections(hostname, identity.client.address))
        if identity.can_log_in:
            await identity.wait()
        if Stage.CONNECT in self._asked:
            refusal = await self._refusal(self._checks.client, Stage.CONNECT)
            if refusal is not None:
                return self.shown(refusal)
        return replies.greeting(self._settings.smtpd_banner)

    async def secured(self, secured: ssl.SSLObject) -> Reply | None:
        """TLS is there; a reply: it ends here."""
        refusal = await self._identity.secured(secured)
        return None if refusal is None else self.shown(refusal)

    def answer(self, event: events.Event) -> Reply | Awaitable[Reply]:
        """The reply to any event but ContentChunk; to be awaited where somebody is waited for."""
        answer: Reply | Awaitable[Reply]
        faults = self.faults
        if self._identity.needs_tls and wants_tls(event):
            faults.blamed.add(Blame.PROTOCOL)
            answer = replies.NEED_TLS
        else:
            try:
                found = _ANSWERS[type(event)](self, event)
                answer = found if type(found) is Reply else eager.first(found)
            except (SmtpFailure, TableUnavailable) as failure:
                answer = faults.failed(failure, self._identity.name)
        if type(answer) is not Reply or faults.is_slowed:
            return self._later(event, answer)
        if answer.is_positive and type(event) not in JUNK:
            return answer  # as most are
        return self._judged(event, answer)

    async def _later(self, event: events.Event, answer: Reply | Awaitable[Reply]) -> Reply:
        """An answer that is waited for, or whose client waits."""
        try:
            reply = answer if isinstance(answer, Reply) else await answer
        except (SmtpFailure, TableUnavailable) as failure:
            reply = self.faults.failed(failure, self._identity.name)
        if self.faults.is_slowed:
            await self.faults.pause()
        return self._judged(event, reply)

    def _judged(self, event: events.Event, reply: Reply) -> Reply:
        """The reply as the client sees it, errors and junk counted."""
        if type(event) in JUNK:
            self.faults.count_junk()
        if reply.is_positive:
            return reply
        self.faults.count_refusal(event)
        return self.shown(reply)

    def take(self, data: bytes) -> None:
        """A piece of the message."""
        transaction = self._transaction
        assert transaction is not None
        assert transaction.draft is not None
        transaction.draft.take(data)

    def end(self) -> None:
        """The connection is gone: forget what was begun."""
        self._forget()
        self._identity.throttle.disconnect()

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
        self._identity.known |= {"helo": event.name, "protocol": "ESMTP" if is_extended else "SMTP"}
        keywords = self._protocol.keywords if is_extended else ()
        return replies.hello(self._settings.myhostname, keywords)

    async def _mail(self, event: events.Mail) -> Reply:
        identity = self._identity
        if identity.throttle.limits and await identity.throttle.is_over(Rate.MESSAGE):
            self.faults.blamed.add(Blame.POLICY)
            return replies.too_much_mail(identity.client.address)
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
        self._transaction = Transaction(event, identity.known, known)
        return replies.SENDER_OK

    async def _rcpt(self, event: events.Rcpt) -> Reply:
        transaction = self._transaction
        assert transaction is not None
        identity = self._identity
        if identity.throttle.limits and await identity.throttle.is_over(Rate.RECIPIENT):
            self.faults.blamed.add(Blame.POLICY)
            return replies.too_many_recipients(identity.client.address)
        count, limit = len(transaction.recipients), self._settings.smtpd_recipient_limit
        if 0 < limit <= count:
            # RFC 5321 4.5.3.1.10: the client may go on, and send to the rest later
            transaction.overshoot += 1
            allowed = self._settings.smtpd_recipient_overshoot_limit
            self.faults.is_forgiven = transaction.overshoot <= allowed
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
            origin=self._identity.origin(smtputf8=mail.smtputf8),
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
                self.faults.blamed.add(Blame.BOUNCE)
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
            self.faults.forgive()
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
        log.event("etrn", client=self._identity.name, domain=domain, messages=count)
        return replies.reply(250, "", "Queuing started")

    def _auth(self, event: events.Auth) -> Coroutine[Any, Any, Reply]:
        return self._identity.log_in(event)

    def _auth_response(self, event: events.AuthResponse) -> Coroutine[Any, Any, Reply]:
        return self._identity.go_on(event)

    async def _start_tls(self, event: events.StartTls) -> Reply:
        """After 220 the session does the handshake, then calls secured()."""
        reply = await self._identity.start_tls()
        if reply.is_positive:
            self._forget()
        return reply

    async def _xclient(self, event: events.Xclient) -> Reply:
        """The session begins anew, as if that client had connected. XCLIENT_README."""
        self._forget()
        self._identity = self._identity.renamed(event)
        self._checks = Checks(self.rules.policy, self._ask)
        return await self.greet()

    def _xforward(self, event: events.Xforward) -> Reply:
        self._forwarded.update(event.attributes)
        return replies.OK

    def _unknown(self, event: events.Unknown | events.Help) -> Reply:
        self.faults.blamed.add(Blame.PROTOCOL)
        return replies.NOT_RECOGNIZED

    async def _syntax_problem(self, event: events.SyntaxProblem) -> Reply:
        if event.verb == "AUTH" and (refusal := await self._identity.count_login()) is not None:
            return refusal
        self.faults.blamed.add(Blame.PROTOCOL)
        if event.ends_transaction:
            self._forget()
        return event.reply

    def _quit(self, event: events.Quit) -> Reply:
        return replies.BYE

    # inside

    def _facts(self, stage: Stage, **given: Any) -> Facts:
        """Facts of the session, of the transaction if there is one, and `given`."""
        transaction = self._transaction
        known = self._identity.known if transaction is None else transaction.known
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

    def _refuse(self, decision: Decision, facts: Facts, *, recipient: str = "") -> Reply:
        self._note(decision, facts)
        self.faults.blamed.add(decision.blame)
        self._cleanup.refused(self.rules, facts, decision, recipient)
        return replies.reply(decision.code, decision.enhanced, decision.text)

    def shown(self, reply: Reply) -> Reply:
        """A refusal as the client sees it: softened by soft_bounce, with the footer."""
        if reply.is_positive:
            return reply
        if self._settings.soft_bounce:
            reply = replies.softened(reply)
        return self.rules.footer.added(reply, self._facts(Stage.CONNECT))

    def _note(self, decision: Decision, facts: Facts) -> None:
        """What restrictions had to say beside the decision."""
        for note in decision.notes:
            log.event(
                "policy",
                kind=note.kind,
                text=note.text,
                stage=facts.stage.value,
                client=self._identity.name,
                recipient=None if facts.recipient is None else facts.recipient.text,
            )


def _logged(attributes: Mapping[str, str | None]) -> dict[str, str]:
    """XFORWARD's words as the log says them."""
    return {f"orig_{name.lower()}": value or "unknown" for name, value in attributes.items()}


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
    events.Help: Dialogue._unknown,
    events.Vrfy: Dialogue._vrfy,
    events.Etrn: Dialogue._etrn,
    events.StartTls: Dialogue._start_tls,
    events.Auth: Dialogue._auth,
    events.AuthResponse: Dialogue._auth_response,
    events.Xclient: Dialogue._xclient,
    events.Xforward: Dialogue._xforward,
    events.Quit: Dialogue._quit,
    events.Unknown: Dialogue._unknown,
    events.SyntaxProblem: Dialogue._syntax_problem,
}
