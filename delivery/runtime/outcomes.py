"""outcomes - what became of recipients: judged by lifetime, logged, journaled, counted.

SUMMARY      Outcomes.judge(lease, rules, route, result, recipients) -> Judged
RULES        a recipient deferred beyond its lifetime is given up (EXPIRED)
             with soft_bounce what is refused for good waits until then
             a recipient that stands for several others is logged, and reported on, by its parts
             an agent that says nothing about a recipient, or talks of others, breaks its contract:
             that recipient is deferred, and the log says so
             a probe (Envelope.is_probe) is done with, whatever came of it
             what no report can be about is not kept: a list may have a million recipients
SOURCE       Postfix defer(8), bounce(8); postconf(5) maximal_queue_lifetime
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from delivery import log
from delivery.addressees import ReportKind, is_told
from delivery.agents.base import Part, Result
from delivery.journal import Journal
from delivery.runtime.counters import Counters
from delivery.runtime.rules import Rules
from delivery.spool import schedule
from delivery.spool.records import Lease
from delivery.trace import masked
from delivery.values import Outcome, Recipient, Route, Status
from tables.addresses import Address
from tables.frozen import dataclass, replace

PROBES = {  # of address verification
    Status.SENT: "deliverable",
    Status.DEFERRED: "undeliverable",
    Status.BOUNCED: "undeliverable",
    Status.EXPIRED: "undeliverable",
}
WORDS = {
    Status.SENT: "delivered",
    Status.DEFERRED: "deferred",
    Status.BOUNCED: "bounced",
    Status.EXPIRED: "expired",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """What an attempt came to."""

    outcomes: list[Outcome]  # one for each recipient: the spool's
    told: list[Part]  # what reports may be about
    late: bool  # a delay is to be told of


class Outcomes:
    """The last word on every attempt."""

    def __init__(
        self, journal: Journal, counters: Counters, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._journal = journal
        self._counters = counters
        self._clock = clock
        # told of the end of probes: the address that was asked for, and what came of it
        self.probed: Callable[[Address, Outcome], None] = lambda address, outcome: None

    def judge(
        self,
        lease: Lease,
        rules: Rules,
        route: Route | None,
        result: Result,
        recipients: Sequence[Recipient],
    ) -> Judged:
        """One outcome for each of `recipients`, which went by `route`; noted everywhere.

        `route` None: refused on the way in, before there was one; there is nothing then that
        could wait for a better time.
        """
        now, is_null = self._clock(), not lease.envelope.sender
        if lease.envelope.is_probe:
            return self._probed(lease, rules, route, result, recipients)
        expired = lease.expired or schedule.is_expired(
            rules.queue_times, lease.arrived, now, null_sender=is_null
        )
        late = schedule.is_warning_due(
            rules.queue_times, lease.arrived, now, null_sender=is_null, warned=lease.warned
        )
        is_soft = rules.bounce.soft_bounce and route is not None
        kinds = _kinds(lease, rules, late=late)
        sender = lease.envelope.sender
        outcomes, told = [], []
        for given in _complete(lease, result.outcomes, recipients):
            parts = result.parts.get(given.recipient) if result.parts else None
            outcome = _softened(given, parts or ()) if is_soft else given
            if outcome.status is Status.DEFERRED:
                outcome = _aged(outcome, expired=True) if expired else replace(outcome, noted=now)
            outcomes.append(outcome)
            if parts is None:
                self._note(lease, rules, route, outcome, now, given.status)
                if is_told(kinds, outcome, sender, rules.bounce):
                    told.append(Part(outcome=outcome))
                continue
            for part in parts:
                done = _softened(part.outcome) if is_soft else part.outcome
                said = _aged(done, expired=expired)
                if not part.is_news:
                    self._note(lease, rules, part.route or route, said, now, part.outcome.status)
                owner = sender if part.owner is None else part.owner
                if is_told(kinds, said, owner, rules.bounce):
                    told.append(replace(part, outcome=said))
        return Judged(outcomes, told, late)

    def _probed(
        self,
        lease: Lease,
        rules: Rules,
        route: Route | None,
        result: Result,
        recipients: Sequence[Recipient],
    ) -> Judged:
        """A probe is tried once, whatever came of it; only a user's (-bv) is reported on.

        Failures that the cache does not take are not logged either: there may be any number.
        """
        now, is_users = self._clock(), lease.envelope.is_traced
        outcomes: list[Outcome] = []
        told: list[Part] = []
        for outcome in _complete(lease, result.outcomes, recipients):
            parts = result.parts.get(outcome.recipient, (Part(outcome=outcome),))
            for part in parts:
                said = part.outcome
                if is_users or said.status is Status.SENT or rules.notes_failed_probes:
                    self._note(lease, rules, part.route or route, said, now, said.status)
            if is_users:
                told += parts
            else:
                self.probed(outcome.recipient.original, outcome)
            outcomes.append(replace(outcome, status=Status.SENT))
        return Judged(outcomes, told, False)

    def _note(
        self,
        lease: Lease,
        rules: Rules,
        route: Route | None,
        outcome: Outcome,
        now: float,
        given: Status,
    ) -> None:
        word = (PROBES if lease.envelope.is_probe else WORDS)[outcome.status]
        self._counters.add(word)
        recipient = outcome.recipient
        address, original = recipient.address, recipient.original
        shown = str if rules.bounce.smtputf8_enable else masked
        values = {
            "queue_id": lease.queue_id,
            "recipient": shown(address.text),
            "original_recipient": shown(original.text) if original != address else "",
            "transport": None if route is None else route.transport,
            "nexthop": None if route is None else route.nexthop,
            "relay": outcome.relay,
            "delay_s": round(now - lease.arrived, 2),
            "dsn": outcome.dsn,
            "soft_bounce": (given is Status.BOUNCED and outcome.status is Status.DEFERRED) or None,
            "reason": outcome.reason,
            "generation": rules.number,
        }
        log.event(word, **values)
        values["sender"] = shown(lease.envelope.sender.text)
        values["reply"] = outcome.reply
        values["delivered_to"] = outcome.delivered_to
        self._journal.write(word, **values)


def is_traced(lease: Lease) -> bool:
    """True for the attempt that the sender wants to see."""
    return lease.envelope.is_traced and lease.attempts == 1


def is_confirmed(lease: Lease, rules: Rules) -> bool:
    """True when the sender was told of a delay, and is to hear of its end."""
    return lease.warned and rules.bounce.confirm_delay_cleared


def _softened(outcome: Outcome, parts: Sequence[Part] = ()) -> Outcome:
    """postconf(5) soft_bounce: what would be returned, in part even, waits for a better time."""
    if outcome.status is Status.BOUNCED or any(
        part.outcome.status is Status.BOUNCED for part in parts
    ):
        return replace(outcome, status=Status.DEFERRED, dsn=f"4{outcome.dsn[1:]}")
    return outcome


def _aged(outcome: Outcome, *, expired: bool) -> Outcome:
    if outcome.status is Status.DEFERRED and expired:
        return replace(outcome, status=Status.EXPIRED)
    return outcome


def _kinds(lease: Lease, rules: Rules, *, late: bool) -> list[ReportKind]:
    """Those of the reports that may be due."""
    kinds = [ReportKind.FAILURE, ReportKind.SUCCESS]
    if late:
        kinds.append(ReportKind.DELAY)
    if is_traced(lease):
        kinds.append(ReportKind.TRACE)
    if is_confirmed(lease, rules):
        kinds.append(ReportKind.CLEARED)
    return kinds


def _complete(
    lease: Lease, given: Sequence[Outcome], recipients: Sequence[Recipient]
) -> Sequence[Outcome]:
    if [outcome.recipient for outcome in given] == list(recipients):
        return given
    found = {outcome.recipient: outcome for outcome in given}
    strange = found.keys() - set(recipients)
    missing = [item for item in recipients if item not in found]
    if strange or missing:
        log.event(
            "qmgr",
            queue_id=lease.queue_id,
            problem="the delivery agent broke its contract",
            missing=len(missing) or None,
            strange=len(strange) or None,
        )
    kept = [outcome for recipient, outcome in found.items() if recipient not in strange]
    silent = [
        Outcome(
            recipient=recipient,
            status=Status.DEFERRED,
            dsn="4.3.0",
            reason="the delivery agent said nothing",
        )
        for recipient in missing
    ]
    return kept + silent
