"""outcomes - what became of recipients: judged by lifetime, logged, journaled, counted.

SUMMARY      Outcomes.judge(lease, rules, result, recipients) -> one outcome for each recipient
RULES        a recipient deferred beyond its lifetime is given up (EXPIRED)
             an agent that says nothing about a recipient, or talks of others, breaks its contract:
             that recipient is deferred, and the log says so
SOURCE       Postfix defer(8), bounce(8); postconf(5) maximal_queue_lifetime
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from delivery import log
from delivery.journal import Journal
from delivery.runtime.cleanup import Counters
from delivery.runtime.rules import Rules
from delivery.spool import schedule
from delivery.spool.records import Lease
from delivery.values import Outcome, Recipient, Status

WORDS = {
    Status.SENT: "delivered",
    Status.DEFERRED: "deferred",
    Status.BOUNCED: "bounced",
    Status.EXPIRED: "expired",
}


class Outcomes:
    """The last word on every attempt."""

    def __init__(
        self, journal: Journal, counters: Counters, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._journal = journal
        self._counters = counters
        self._clock = clock

    def judge(
        self,
        lease: Lease,
        rules: Rules,
        given: Iterable[Outcome],
        recipients: Sequence[Recipient],
    ) -> list[Outcome]:
        """One outcome for each of `recipients`, noted everywhere."""
        now = self._clock()
        expired = lease.expired or schedule.is_expired(
            rules.queue_times, lease.arrived, now, null_sender=not lease.envelope.sender
        )
        judged = []
        for outcome in _complete(lease, given, recipients):
            if outcome.status is Status.DEFERRED and expired:
                outcome = replace(outcome, status=Status.EXPIRED)
            judged.append(outcome)
            self._note(lease, rules, outcome, now)
        return judged

    def _note(self, lease: Lease, rules: Rules, outcome: Outcome, now: float) -> None:
        word = WORDS[outcome.status]
        self._counters.add(word)
        recipient = outcome.recipient
        original = recipient.original
        values = {
            "queue_id": lease.queue_id,
            "recipient": recipient.address.text,
            "original_recipient": original.text if original != recipient.address else "",
            "relay": outcome.relay,
            "delay_s": round(now - lease.arrived, 2),
            "dsn": outcome.dsn,
            "reason": outcome.reason,
            "generation": rules.number,
        }
        log.event(word, **values)
        self._journal.write(
            word,
            **values,
            sender=lease.envelope.sender.text,
            reply=outcome.reply,
            delivered_to=outcome.delivered_to,
        )


def _complete(
    lease: Lease, given: Iterable[Outcome], recipients: Sequence[Recipient]
) -> list[Outcome]:
    found = {outcome.recipient: outcome for outcome in given}
    if len(found) == len(recipients) and all(item in found for item in recipients):
        return list(found.values())
    strange = found.keys() - set(recipients)
    missing = [item for item in recipients if item not in found]
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
