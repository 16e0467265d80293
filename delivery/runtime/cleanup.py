"""cleanup - the door to the queue: what comes in is cleaned as it passes, completed and queued.

SUMMARY      receive(rules, arrival) -> Draft of a client's message (draft.py); .take() its text;
             await enter(...) -> queue id, once it is on disk
             begin(...) -> Draft of a message made here; await complete(draft) -> Completed, for a
             caller that enters it together with something else
RULES        sender and recipients are rewritten and expanded by the routing room, copies added
             DISCARD, HOLD, FILTER, REDIRECT, BCC, PREPEND of access(5) and header_checks(5) concern
             the whole message; the later one counts, that is the content's
             that a virtual alias was expanded is told to a sender who asked to hear of success
             REDIRECT leaves one recipient, the first, with its new address, and no filter
             one log line and one journal line for each message; one for each refusal
             ETRN for a site that was flushed within FLUSH_S joins in; sites come one by one
ERRORS       SmtpFailure (storage, limits, loop, content), TableUnavailable: the client is told,
             nothing kept
SOURCE       Postfix cleanup(8), qmgr(8); RFC 5321 4.4, 6.3
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from delivery import log, trace
from delivery.content.cleaner import Cleaned
from delivery.content.completion import Occasion
from delivery.content.contexts import Submitter
from delivery.errors import SmtpFailure
from delivery.journal import Journal
from delivery.policy.facts import Facts
from delivery.policy.verdict import NO_EFFECTS, Decision, Effects, Note
from delivery.runtime.cleanuprules import CleanupRules, Handling
from delivery.runtime.counters import Counters
from delivery.runtime.draft import HERE, Arrival, Completed, ContentRefused, Draft, Origin
from delivery.runtime.envelopesize import is_too_large
from delivery.runtime.rules import MailRules
from delivery.spool.content import ContentWriter
from delivery.spool.intake import Door
from delivery.spool.records import Submission
from delivery.values import Envelope, Outcome, Recipient, Status
from tables.addresses import Address, parse_path
from tables.errors import AddressSyntaxError, TableError, TableUnavailable
from tables.frozen import replace

FLUSH_S = 10.0  # between two scans of the queue for one site
NAMED = 100  # recipients of one message that the journal names


class Cleanup:
    """The way into the spool."""

    def __init__(
        self,
        spool: Door,
        journal: Journal,
        counters: Counters,
        queued: Callable[[], None] = lambda: None,
        flushed: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`queued` is told of every message that came into the spool, `flushed` of ETRN."""
        self.spool = spool
        self.queued = queued
        self._flushed = flushed
        self._journal = journal
        self._counters = counters
        self._clock = clock
        self._flushes: dict[str, asyncio.Task[int]] = {}
        self._flushing = asyncio.Lock()

    # mail of clients and users

    def count(self, name: str) -> None:
        """Something happened that status shows."""
        self._counters.add(name)

    def receive(
        self, rules: MailRules, arrival: Arrival, writer: ContentWriter | None = None
    ) -> Draft:
        """A message is to come. Raises SmtpFailure 452 when the disk is full.

        `writer`: the one whose name the message has already.
        """
        origin, failure = arrival.origin, None
        try:
            is_local = not origin.is_relayed and rules.cleanup.incoming.is_local(_submitter(origin))
        except TableUnavailable as error:
            is_local, failure = False, error
        envelope = Envelope(
            sender=arrival.sender,
            recipients=arrival.recipients,
            client=origin.client,
            helo=origin.helo,
            protocol=origin.protocol,
            smtputf8=arrival.smtputf8,
            eightbit=arrival.eightbit,
            envid=arrival.envid,
            ret=arrival.ret,
            is_traced=arrival.is_traced,
            is_probe=arrival.is_probe,
            generation=rules.number,
            is_local=is_local,
        )
        writer = writer or self.spool.begin()
        only = arrival.recipients[0].original if len(arrival.recipients) == 1 else None
        prologue = trace.received(
            envelope,
            queue_id=writer.queue_id,
            myhostname=rules.mail.myhostname,
            mail_name=rules.mail.mail_name,
            when=self._clock(),
            recipient=only,
            comments=origin.comments,
            userid=origin.userid,
        )
        if arrival.prepended:
            lines = "".join([f"{line}\r\n" for line in arrival.prepended])
            prologue = lines.encode("utf-8", "surrogateescape") + prologue
        draft = self.begin(rules.cleanup, rules.handling, envelope, writer, prologue, origin)
        draft.failure = draft.failure or failure
        return draft

    async def enter(self, draft: Draft, effects: Effects = NO_EFFECTS) -> str:
        """Queue a received message; its id, when it is on disk. `effects`: of access tables."""
        submission, refusal = await self.complete(draft, effects)
        if refusal is not None:
            raise ContentRefused(refusal, submission)
        if submission is None:
            self._accepted(draft, None, action="DISCARD", at=self._clock())
            return draft.queue_id
        # not the moment when we hear of it: the queue may have delivered the message by then
        moment = self._clock()
        entered = await self.spool.enter_submission(submission)
        action = "HOLD" if submission.hold else ""
        self._accepted(draft, submission.envelope, action=action, at=moment)
        self.queued()
        return entered

    def refused(self, rules: MailRules, facts: Facts, decision: Decision, recipient: str) -> None:
        """Note a command that was refused, with the rule and the entry that did it."""
        self._counters.add("rejected")
        reply = f"{decision.code} {decision.enhanced} {decision.text}"
        values = {
            "queue_id": facts.queue_id or None,
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

    # all mail

    def begin(
        self,
        rules: CleanupRules,
        handling: Handling,
        envelope: Envelope,
        writer: ContentWriter,
        prologue: bytes,
        origin: Origin = HERE,
    ) -> Draft:
        """A message begins. `prologue`: headers of ours."""
        failure = None
        try:
            sender = rules.router.sender(envelope.sender, maps=handling.is_mapped)
            if sender is not envelope.sender:
                envelope = replace(envelope, sender=sender)
        except TableUnavailable as error:
            failure = error
        occasion = Occasion(
            queue_id=writer.queue_id,
            when=self._clock(),
            sender=envelope.sender,
            full_name=origin.full_name,
        )
        finds_utf8 = envelope.smtputf8 or rules.detects_utf8(handling)
        cleaner = rules.incoming.begin(
            prologue,
            occasion,
            is_local=envelope.is_local,
            is_checked=handling.is_checked,
            is_mapped=handling.is_mapped,
            keeps_refused=handling.returns,
            finds_utf8=finds_utf8,
        )
        draft = Draft(rules, handling, envelope, origin, writer, cleaner, finds_utf8=finds_utf8)
        draft.failure = failure
        return draft

    async def complete(self, draft: Draft, effects: Effects = NO_EFFECTS) -> Completed:
        """The whole message as it is to be queued; its text is on disk then."""
        if draft.failure is not None and not draft.handling.is_ours:
            raise draft.failure
        cleaned = draft.finish()
        if cleaned.notes:
            self._tell(draft, cleaned.notes)
        effects = effects.joined(cleaned.effects)
        if effects.discard:
            draft.abandon()
            return Completed(None)
        envelope, expanded = self._envelope(draft, cleaned, effects)
        refusal = cleaned.refusal
        limit = 0 if draft.handling.is_ours else draft.rules.settings.message_size_limit
        if refusal is None and is_too_large(envelope, draft.size, limit):
            refusal = SmtpFailure(
                552, "5.3.4", "Error: message file too big", cause="message_size_limit"
            )
        if refusal is not None and not draft.handling.returns:
            draft.abandon()
            return Completed(None, refusal)
        content = await draft.writer.finish(draft.headers)
        submission = Submission(
            envelope=envelope,
            content=content,
            queue_id=draft.queue_id,
            hold="held by a table" if effects.hold else "",
            settled=tuple(map(_expanded, expanded)),
        )
        return Completed(submission, refusal)

    async def flush_site(self, domain: str) -> int:
        """ETRN: messages for that domain become due; how many."""
        site = domain.lower()
        task = self._flushes.get(site)
        if task is None:
            loop = asyncio.get_running_loop()
            task = loop.create_task(self._flush(site))
            self._flushes[site] = task
            task.add_done_callback(
                lambda done: loop.call_later(FLUSH_S, self._flushes.pop, site, None)
            )
        return await asyncio.shield(task)

    # inside

    async def _flush(self, site: str) -> int:
        async with self._flushing:  # each reads the recipients of the whole queue
            count = await self.spool.flush(self._clock(), site=site)
        self._flushed()
        return count

    def _envelope(
        self, draft: Draft, cleaned: Cleaned, effects: Effects
    ) -> tuple[Envelope, tuple[Recipient, ...]]:
        """As it is to be queued, and the recipients whose sender hears that they were expanded."""
        given, handling = draft.envelope, draft.handling
        expanded: tuple[Recipient, ...] = ()
        try:
            recipients, expanded = _recipients(draft, effects, cleaned.effects.bcc)
        except (SmtpFailure, TableError) as error:
            if not handling.is_ours:
                raise
            # as it is it is tried, and what is wrong with it comes out then
            log.event("cleanup", queue_id=draft.queue_id, problem=str(error))
            recipients = given.recipients
        envelope = replace(
            given,
            recipients=recipients,
            eightbit=given.eightbit or cleaned.says_8bit,
            filter="" if effects.redirect else effects.filter or handling.filter,
            utf8_headers=cleaned.has_utf8_headers,
            smtputf8=given.smtputf8
            or (
                draft.finds_utf8
                and (cleaned.has_utf8_headers or _is_international(given.sender, recipients))
            ),
        )
        return envelope, expanded

    def _tell(self, draft: Draft, notes: tuple[Note, ...]) -> None:
        """What the checks of the content had to say."""
        for note in notes:
            log.event(
                "cleanup",
                queue_id=draft.queue_id,
                kind=note.kind,
                text=note.text,
                client=draft.origin.text,
                sender=draft.envelope.sender.text,
            )

    def _accepted(self, draft: Draft, envelope: Envelope | None, *, action: str, at: float) -> None:
        self._counters.add("accepted")
        given = draft.envelope.recipients
        values = {
            "queue_id": draft.queue_id,
            "client": draft.origin.text,
            "helo": draft.origin.helo,
            "sender": draft.envelope.sender.text,
            "recipients": len(given),
            "size": draft.writer.size,
            "sasl_method": draft.origin.sasl_method,
            "sasl_username": draft.origin.login,
            "action": action,
            "generation": draft.envelope.generation,
        }
        log.event("accepted", **values)
        self._journal.write(
            "accepted",
            at,
            **values,
            protocol=draft.envelope.protocol,
            original_recipients=[item.original.text for item in given[:NAMED]],
            queued_recipients=[
                item.address.text for item in (envelope.recipients[:NAMED] if envelope else ())
            ],
        )


def _submitter(origin: Origin) -> Submitter:
    client = origin.client
    if client is None:
        return Submitter()
    return Submitter(client.address, client.name, bool(origin.login), origin.is_trusted)


def _recipients(
    draft: Draft, effects: Effects, copies: tuple[str, ...]
) -> tuple[tuple[Recipient, ...], tuple[Recipient, ...]]:
    """(those to be queued, those that were expanded and whose sender asked to hear of it).

    `copies`: of the content's checks; access tables add recipients.
    """
    router, handling, given = draft.rules.router, draft.handling, draft.envelope
    recipients, expanded = router.expand(
        (*given.recipients, *map(_copy, effects.bcc)),
        copies_for=given.sender if handling.is_copied else None,
        copies=map(_address, copies),
        maps=handling.is_mapped,
    )
    if effects.redirect:
        target = router.rewriter.complete(_address(effects.redirect))
        stands = min(recipients, key=_by_domain)  # qmgr(8) redirects the first of its own order
        return (replace(stands, address=target),), expanded
    return recipients, expanded


def _copy(text: str) -> Recipient:
    """Somebody who gets one, by an access table."""
    target = _address(text)
    return Recipient(address=target, original=target, notify=frozenset({"NEVER"}))


def _by_domain(recipient: Recipient) -> tuple[str, str]:
    address = recipient.address
    return address.domain.casefold(), address.local.casefold()


def _expanded(recipient: Recipient) -> Outcome:
    """RFC 3461 5.2.7.1 (b)."""
    return Outcome(
        recipient=recipient,
        status=Status.SENT,
        dsn="2.0.0",
        reason="alias expanded",
        is_expanded=True,
    )


def _is_international(sender: Address, recipients: tuple[Recipient, ...]) -> bool:
    """True when an address of the envelope is not ASCII."""
    if not (sender.local.isascii() and sender.domain.isascii()):
        return True
    for recipient in recipients:
        address = recipient.address
        if not (address.local.isascii() and address.domain.isascii()):
            return True
    return False


def _address(text: str) -> Address:
    """An address that a table gave; what is none is taken for a name, and bounces as that."""
    try:
        return parse_path(text, smtputf8=True)
    except AddressSyntaxError:
        local, at, domain = text.rpartition("@")
        return Address(local, domain) if at else Address(text)
