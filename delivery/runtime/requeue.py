"""requeue - let messages begin their way through the queue again. postsuper -r

SUMMARY      await requeue(spool, reporter, rules, ids, states) -> queue ids
RULES        a message is addressed anew by the rules in force, as if it had just been handed in,
             and gets a new queue id; old and new one change places in one transaction
             one that is being tried at the moment is left alone, and so is what cannot be read
ERRORS       SmtpFailure: the disk does not take it; what was done until then is done
SOURCE       Postfix postsuper(1), pickup(8)
"""

from __future__ import annotations

import time
from collections.abc import Collection

from delivery import log
from delivery.agents.base import Forward, settle
from delivery.runtime.reports import Reporter, Subject
from delivery.runtime.rules import Rules
from delivery.spool.records import QueueState
from delivery.spool.store import Spool
from delivery.values import Status

MOVABLE = (QueueState.DEFERRED, QueueState.HOLD)
PAGE = 500


async def requeue(
    spool: Spool,
    reporter: Reporter,
    rules: Rules,
    ids: list[str] | None,
    states: Collection[QueueState] | None,
) -> list[str]:
    """The queue ids of those that began anew. `ids` None: all."""
    chosen = None if ids is None else set(ids)
    wanted = [state for state in MOVABLE if states is None or state in states]
    began = []
    for queue_id in await _all(spool, wanted):
        if chosen is not None and queue_id not in chosen:
            continue
        if await _again(spool, reporter, rules, queue_id):
            began.append(queue_id)
    return began


async def _all(spool: Spool, states: Collection[QueueState]) -> list[str]:
    """Those there are now, without what is entered meanwhile."""
    found: list[str] = []
    while page := await spool.operator.ids(
        states=states, after=found[-1] if found else "", limit=PAGE
    ):
        found += page
    return found


async def _again(spool: Spool, reporter: Reporter, rules: Rules, queue_id: str) -> bool:
    now = time.time()
    await spool.operator.release([queue_id])
    lease = await spool.lease(queue_id, next_attempt=now + rules.queue_times.minimal_backoff_time)
    if lease is None:
        return False
    content = await spool.content(lease)
    if content is None:  # the spool has set it aside, and said so
        return False
    recipients = lease.envelope.recipients
    if lease.more or not recipients:  # a list that is too long for one transaction: due now
        await spool.defer(lease, now)
        return True
    forward = Forward(origin=recipients[0], envelope=lease.envelope)
    try:
        made = await reporter.forward(Subject(lease, content, rules), forward)
    except BaseException:
        await spool.defer(lease, now)
        raise
    outcomes = settle(recipients, Status.SENT, "2.0.0", "requeued")
    entered = await spool.finish(lease, outcomes, next_attempt=now, enter=made)
    log.event("requeued", queue_id=queue_id, new=",".join(entered))
    return True
