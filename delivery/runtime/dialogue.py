"""dialogue - what this server answers: one client's commands against the rules.

SUMMARY      Dialogue.greet(), .answer(event), .take(chunk): protocol events in, replies out
RULES        one set of rules for the whole connection, the one it began with
             the checks run in Postfix's order (policy.checks); a refusal counts as an error; beyond
             smtpd_soft_error_limit replies to errors are slowed, at smtpd_hard_error_limit it ends
             commands that do nothing count as junk (smtpd_junk_command_limit)
             a reply of 250 to a message comes after the spool has it on disk (RFC 5321 4.2.5)
ERRORS       SmtpFailure and TableUnavailable become replies here; whatever else is wrong is the
             session's to answer with 421
SOURCE       Postfix smtpd(8); RFC 5321, 3030, 3461
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from delivery import log
from delivery.errors import SmtpFailure
from delivery.policy.checks import Checks
from delivery.policy.facts import Facts, Stage
from delivery.policy.verdict import Decision
from delivery.runtime.cleanup import Cleanup, Message
from delivery.runtime.rules import ServiceRules
from delivery.smtp import events, replies
from delivery.smtp.replies import Reply
from delivery.spool.content import ContentWriter
from delivery.trace import HeaderScan
from delivery.values import Recipient
from tables.addresses import NULL
from tables.errors import TableUnavailable

_JUNK = (events.Noop, events.Rset, events.Vrfy, events.Etrn, events.Helo, events.Ehlo)
_instances = itertools.count(1)


@dataclass(slots=True)
class Transaction:
    """MAIL to the end of the message."""

    mail: events.Mail
    recipients: list[Recipient] = field(default_factory=list)
    writer: ContentWriter | None = None
    scan: HeaderScan = field(default_factory=HeaderScan)


class Dialogue:
    """One connection's side of the talk."""

    def __init__(
        self,
        rules: ServiceRules,
        cleanup: Cleanup,
        facts: Facts,
        checks: Checks,
        keywords: Callable[[], tuple[str, ...]],
    ) -> None:
        """`keywords()` gives the EHLO lines (ServerProtocol.keywords)."""
        self.rules = rules
        self.facts = facts  # of the session; those of a command are made from it
        self.errors = 0
        self._settings = rules.settings
        self._cleanup = cleanup
        self._checks = checks
        self._keywords = keywords
        self._junk = 0
        self._transaction: Transaction | None = None
        self._answers: dict[type, Callable[[Any], Awaitable[Reply]]] = {
            events.Helo: self._helo,
            events.Ehlo: self._ehlo,
            events.Mail: self._mail,
            events.Rcpt: self._rcpt,
            events.Data: self._data,
            events.Bdat: self._data,
            events.ChunkEnd: self._chunk_end,
            events.ContentEnd: self._content_end,
            events.Rset: self._rset,
            events.Noop: self._noop,
            events.Help: self._help,
            events.Vrfy: self._vrfy,
            events.Etrn: self._etrn,
            events.StartTls: self._unknown,
            events.Auth: self._auth,
            events.Quit: self._quit,
            events.Unknown: self._unknown,
            events.SyntaxProblem: self._syntax_problem,
        }

    # the session's three calls

    async def greet(self) -> Reply:
        """220, or the refusal of smtpd_client_restrictions."""
        decision = await self._checks.client(replace(self.facts, stage=Stage.CONNECT))
        if decision.refused:
            return self._refuse(decision)
        return replies.greeting(self._settings.smtpd_banner)

    async def answer(self, event: events.Event) -> Reply:
        """The reply to any event but ContentChunk."""
        try:
            reply = await self._answers[type(event)](event)
        except SmtpFailure as failure:
            log.event("smtpd", problem=failure.cause, reply=str(failure), client=self._client)
            reply = replies.failure(failure)
        except TableUnavailable as error:
            log.event("smtpd", problem=str(error), client=self._client)
            reply = replies.reply(451, "4.3.0", "Temporary lookup failure")
        if isinstance(event, _JUNK):
            self._junk += 1
            if self._junk > self._settings.smtpd_junk_command_limit:
                self.errors += 1
        if not reply.is_positive:
            self.errors += 1
        if self.errors:
            return await self._judge_errors(reply)
        return reply

    def take(self, data: bytes) -> None:
        """A piece of the message."""
        transaction = self._transaction
        assert transaction is not None
        assert transaction.writer is not None
        transaction.writer.write(data)
        transaction.scan.feed(data)

    def end(self) -> None:
        """The connection is gone: forget what was begun."""
        self._forget()

    # commands

    async def _helo(self, event: events.Helo) -> Reply:
        return await self._hello(event.name, "SMTP", ())

    async def _ehlo(self, event: events.Ehlo) -> Reply:
        return await self._hello(event.name, "ESMTP", self._keywords())

    async def _hello(self, name: str, protocol: str, keywords: tuple[str, ...]) -> Reply:
        stage = Stage.EHLO if protocol == "ESMTP" else Stage.HELO
        facts = replace(self.facts, helo=name, protocol=protocol, stage=stage)
        decision = await self._checks.helo(facts)
        if decision.refused:
            return self._refuse(decision)
        self._forget()
        self.facts = facts
        return replies.hello(self._settings.myhostname, keywords)

    async def _mail(self, event: events.Mail) -> Reply:
        self._cleanup.spool.check_room(event.size or 0)
        facts = replace(
            self.facts,
            stage=Stage.MAIL,
            sender=event.address,
            size=event.size or 0,
            smtputf8=event.smtputf8,
            sasl_sender=event.auth or "",
            instance=f"{os.getpid():x}.{next(_instances):x}",
        )
        decision = await self._checks.mail(facts)
        if decision.refused:
            return self._refuse(decision)
        self.facts = facts
        self._transaction = Transaction(event)
        return replies.SENDER_OK

    async def _rcpt(self, event: events.Rcpt) -> Reply:
        transaction = self._transaction
        assert transaction is not None
        count = len(transaction.recipients)
        if count >= self._settings.smtpd_recipient_limit:
            overshoot = self._settings.smtpd_recipient_overshoot_limit
            if count < self._settings.smtpd_recipient_limit + overshoot:
                self.errors -= 1  # RFC 5321 4.5.3.1.10: the client may go on with the rest later
            return replies.reply(452, "4.5.3", "Error: too many recipients")
        facts = replace(
            self.facts, stage=Stage.RCPT, recipient=event.address, recipient_count=count
        )
        decision = await self._checks.rcpt(facts)
        if decision.refused:
            return self._refuse(decision, recipient=event.given)
        transaction.recipients.append(
            Recipient(
                address=event.address,
                original=event.address,
                notify=event.notify,
                orcpt=event.orcpt,
            )
        )
        return replies.RECIPIENT_OK

    async def _data(self, event: events.Data | events.Bdat) -> Reply:
        transaction = self._transaction
        assert transaction is not None
        decision = await self._checks.data(self._message_facts(Stage.DATA, self.facts.size))
        if decision.refused:
            return self._refuse(decision)
        transaction.writer = self._cleanup.spool.begin()
        return replies.START_CONTENT

    async def _chunk_end(self, event: events.ChunkEnd) -> Reply:
        return replies.chunk_received(event.size)

    async def _content_end(self, event: events.ContentEnd) -> Reply:
        transaction = self._transaction
        assert transaction is not None
        assert transaction.writer is not None
        try:
            if event.problem is not None:
                return event.problem
            facts = self._message_facts(Stage.END_OF_MESSAGE, event.size)
            decision = await self._checks.end_of_data(facts)
            if decision.refused:
                return self._refuse(decision)
            message = Message(
                mail=transaction.mail,
                recipients=tuple(transaction.recipients),
                facts=self.facts,
                effects=self._checks.effects,
                writer=transaction.writer,
                scan=transaction.scan,
                eightbit=event.eightbit,
            )
            queue_id = await self._cleanup.enter(self.rules, message)
            self.errors = self._junk = 0
            return replies.queued(queue_id, event.chunk_size)
        finally:
            self._forget()

    async def _rset(self, event: events.Rset) -> Reply:
        self._forget()
        return replies.OK

    async def _noop(self, event: events.Noop) -> Reply:
        return replies.OK

    async def _help(self, event: events.Help) -> Reply:
        return replies.NOT_RECOGNIZED

    async def _vrfy(self, event: events.Vrfy) -> Reply:
        facts = replace(
            self.facts,
            stage=Stage.VRFY,
            recipient=event.address,
            sender=self.facts.sender or NULL,
            smtputf8=event.smtputf8,
        )
        decision = await self._checks.rcpt(facts)
        if decision.refused:
            return self._refuse(decision, recipient=event.given)
        return replies.verified(event.given)

    async def _etrn(self, event: events.Etrn) -> Reply:
        facts = replace(self.facts, stage=Stage.ETRN, etrn_domain=event.domain)
        decision = await self._checks.etrn(facts)
        if decision.refused:
            return self._refuse(decision)
        count = await self._cleanup.flush_site(event.domain)
        log.event("etrn", client=self._client, domain=event.domain, messages=count)
        return replies.reply(250, "2.0.0", "Queuing started")

    async def _auth(self, event: events.Auth) -> Reply:
        return replies.NO_AUTHENTICATION

    async def _unknown(self, event: events.Unknown | events.StartTls) -> Reply:
        if isinstance(event, events.StartTls):
            return replies.NOT_IMPLEMENTED
        return replies.NOT_RECOGNIZED

    async def _syntax_problem(self, event: events.SyntaxProblem) -> Reply:
        if event.ends_transaction:
            self._forget()
        return event.reply

    async def _quit(self, event: events.Quit) -> Reply:
        return replies.BYE

    # inside

    @property
    def _client(self) -> str:
        return self.facts.client_text

    def _message_facts(self, stage: Stage, size: int) -> Facts:
        transaction = self._transaction
        assert transaction is not None
        only = transaction.recipients[0].address if len(transaction.recipients) == 1 else None
        return replace(
            self.facts,
            stage=stage,
            size=size,
            recipient=only,
            recipient_count=len(transaction.recipients),
        )

    def _forget(self) -> None:
        """The end of a transaction, whatever it came to."""
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return
        if transaction.writer is not None:
            transaction.writer.abandon()
        self._checks.new_message()
        self.facts = replace(self.facts, sender=None, size=0, smtputf8=False, sasl_sender="")

    def _refuse(self, decision: Decision, *, recipient: str = "") -> Reply:
        reply = replies.reply(decision.code, decision.enhanced, decision.text)
        self._cleanup.refused(self.rules, self.facts, decision, recipient)
        return reply

    async def _judge_errors(self, reply: Reply) -> Reply:
        """postconf(5) smtpd_soft_error_limit, smtpd_hard_error_limit."""
        settings = self._settings
        if reply.closes:
            return reply
        if self.errors >= settings.smtpd_hard_error_limit:
            log.event("smtpd", problem="too many errors", client=self._client)
            return replies.too_many_errors(settings.myhostname)
        if not reply.is_positive and self.errors > settings.smtpd_soft_error_limit:
            await asyncio.sleep(settings.smtpd_error_sleep_time)
        return reply
