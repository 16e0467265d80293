"""cleanup - a message that was accepted is completed and queued; only then is it acknowledged.

SUMMARY      Cleanup.enter(rules, Message) -> queue id, once it is on disk
RULES        Received is prepended; too many Received headers mean a loop (hopcount_limit)
             sender and recipients are rewritten and expanded by the routing room, copies added
             DISCARD, HOLD, REDIRECT, BCC, PREPEND of access(5) concern the whole message
             one log line and one journal line for each message; one for each refusal
             ETRN for a site that is being flushed already joins in
ERRORS       SmtpFailure (storage, limits, loop), TableUnavailable: the client is told, nothing kept
NOT DONE     header and body checks, missing headers, content filters; reports that a list was
             expanded (RFC 3461 5.2.7.1)
SOURCE       Postfix cleanup(8); RFC 5321 4.4, 6.3
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from delivery import log, trace
from delivery.errors import SmtpFailure
from delivery.journal import Journal
from delivery.policy.facts import Facts
from delivery.policy.verdict import NO_EFFECTS, Decision, Effects
from delivery.runtime.rules import MailRules, ServiceRules
from delivery.spool.content import ContentWriter
from delivery.spool.store import Spool
from delivery.values import Client, Envelope, Recipient
from tables.addresses import Address, parse_path
from tables.errors import AddressSyntaxError

NAMED = 100  # recipients of one message that the journal names


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who handed a message in: a client of ours, or a user of this machine."""

    client: Client | None = None
    helo: str = ""
    protocol: str = "ESMTP"  # the "with" type of RFC 3848
    userid: int | None = None

    @property
    def text(self) -> str:
        """As log lines name it."""
        if self.client is not None:
            return f"{self.client.name}[{self.client.address}]"
        return "local" if self.userid is None else f"userid {self.userid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A whole message with everything that decided about it."""

    sender: Address
    recipients: tuple[Recipient, ...]
    origin: Origin
    writer: ContentWriter
    scan: trace.HeaderScan
    effects: Effects = NO_EFFECTS
    smtputf8: bool = False
    eightbit: bool = False
    envid: str = ""
    ret: str = ""


class Counters:
    """What happened since the engine started, for status."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    def add(self, name: str, count: int = 1) -> None:
        """One more."""
        self.values[name] = self.values.get(name, 0) + count


class Cleanup:
    """The way into the spool."""

    def __init__(
        self,
        spool: Spool,
        journal: Journal,
        counters: Counters,
        queued: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`queued` is told of every message that came into the spool."""
        self.spool = spool
        self._queued = queued
        self._journal = journal
        self._counters = counters
        self._clock = clock
        self._flushes: dict[str, asyncio.Task[int]] = {}

    async def enter(self, rules: MailRules, message: Message) -> str:
        """Queue the message; its id, when it is on disk."""
        message.scan.finish()
        if message.scan.is_looping(rules.cleanup.hopcount_limit):
            raise SmtpFailure(554, "5.4.0", "Error: too many hops", cause="hopcount_limit")
        queue_id = message.writer.queue_id
        if message.effects.discard:
            message.writer.abandon()
            self._accepted(rules, message, queue_id, None, action="DISCARD")
            return queue_id
        envelope = self._envelope(rules, message)
        headers = self._headers(rules, message, envelope)
        content = await message.writer.finish(headers)
        hold = "held by an access table" if message.effects.hold else ""
        entered = await self.spool.enter(envelope, content, queue_id=queue_id, hold=hold)
        self._accepted(rules, message, entered, envelope, action="HOLD" if hold else "")
        self._queued()
        return entered

    async def flush_site(self, domain: str) -> int:
        """ETRN: messages for that domain become due; how many."""
        site = domain.lower()
        task = self._flushes.get(site)
        if task is None:
            flush = self.spool.flush(self._clock(), site=site)
            task = asyncio.get_running_loop().create_task(flush)
            self._flushes[site] = task
            task.add_done_callback(lambda done: self._flushes.pop(site, None))
        count = await asyncio.shield(task)
        self._queued()
        return count

    def refused(
        self, rules: ServiceRules, facts: Facts, decision: Decision, recipient: str
    ) -> None:
        """Note a command that was refused, with the rule and the entry that did it."""
        self._counters.add("rejected")
        reply = f"{decision.code} {decision.enhanced} {decision.text}"
        values = {
            "client": facts.client_text,
            "helo": facts.helo,
            "sender": None if facts.sender is None else facts.sender.text,
            "recipient": recipient,
            "reply": reply,
            "list": decision.list_name,
            "restriction": decision.restriction,
            "table": decision.table,
            "key": decision.key,
            "generation": rules.number,
        }
        log.event("reject", stage=facts.stage.value, **values)
        self._journal.write("rejected", stage=facts.stage.value, **values)

    # inside

    def _envelope(self, rules: MailRules, message: Message) -> Envelope:
        router, origin = rules.router, message.origin
        recipients = message.recipients
        if message.effects.redirect:
            target = _address(message.effects.redirect)
            recipients = (Recipient(address=target, original=target),)
        added = tuple(
            Recipient(address=target, original=target, notify=frozenset({"NEVER"}))
            for target in map(_address, message.effects.bcc)
        )
        sender = router.sender(message.sender)
        expansion = router.expand((*recipients, *added), copies_for=sender)
        return Envelope(
            sender=sender,
            recipients=expansion.recipients,
            client=origin.client,
            helo=origin.helo,
            protocol=origin.protocol,
            smtputf8=message.smtputf8,
            eightbit=message.eightbit,
            envid=message.envid,
            ret=message.ret,
            generation=rules.number,
        )

    def _headers(self, rules: MailRules, message: Message, envelope: Envelope) -> bytes:
        only = message.recipients[0].original if len(message.recipients) == 1 else None
        received = trace.received(
            envelope,
            queue_id=message.writer.queue_id,
            myhostname=rules.cleanup.myhostname,
            mail_name=rules.cleanup.mail_name,
            when=self._clock(),
            recipient=only,
            userid=message.origin.userid,
        )
        prepended = "".join(f"{line}\r\n" for line in message.effects.prepend)
        return received + prepended.encode("utf-8", "surrogateescape")

    def _accepted(
        self,
        rules: MailRules,
        message: Message,
        queue_id: str,
        envelope: Envelope | None,
        *,
        action: str,
    ) -> None:
        self._counters.add("accepted")
        values = {
            "queue_id": queue_id,
            "client": message.origin.text,
            "helo": message.origin.helo,
            "sender": message.sender.text,
            "recipients": len(message.recipients),
            "size": message.writer.size,
            "action": action,
            "generation": rules.number,
        }
        log.event("accepted", **values)
        self._journal.write(
            "accepted",
            **values,
            protocol=envelope.protocol if envelope else "",
            original_recipients=[item.original.text for item in message.recipients[:NAMED]],
            queued_recipients=[
                item.address.text for item in (envelope.recipients[:NAMED] if envelope else ())
            ],
        )


def _address(text: str) -> Address:
    """An address that an access table gave; a wrong one must not lose the message."""
    try:
        return parse_path(text, smtputf8=True)
    except AddressSyntaxError as error:
        cause = f"access table action: {error}"
        raise SmtpFailure(451, "4.3.5", "Server configuration error", cause=cause) from error
