"""attempts - the queue manager: leases messages, routes recipients, runs agents, records outcomes.

SUMMARY      Attempts.wake() when something may be due; everything else follows by itself
RULES        a message is tried by the rules in force when it is leased
             who is tried next: spool.active (fairness, concurrency, dead destinations)
             outcomes of a message that other recipients still wait for are settled at once, so that
             a crash does not deliver them again; the last one ends the lease, together with the
             reports and forwards that it causes, in one transaction
             a recipient deferred beyond its lifetime is given up (EXPIRED) and reported
ERRORS       an agent that breaks its contract defers its recipients and is logged
SOURCE       Postfix qmgr(8), bounce(8); docs/QUEUE.md
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from delivery import bounce, log
from delivery.agents.base import Agent, Delivery, Forward, Result, read_content, settle
from delivery.bounce import BounceSettings, Report, ReportKind
from delivery.errors import SmtpFailure
from delivery.journal import Journal
from delivery.routing.resolve import Resolution
from delivery.runtime import eager
from delivery.runtime.cleanup import Counters
from delivery.runtime.rules import Rules
from delivery.spool import schedule
from delivery.spool.active import ActiveQueue, Job, TransportLimits
from delivery.spool.records import Lease, Submission
from delivery.spool.schedule import QueueTimes
from delivery.spool.store import Spool
from delivery.values import Content, Envelope, Outcome, Recipient, Route, Status
from tables.errors import TableError

BATCH = 500  # messages leased in one turn
RETRY_S = 5.0  # after the spool itself failed

WORDS = {
    Status.SENT: "delivered",
    Status.DEFERRED: "deferred",
    Status.BOUNCED: "bounced",
    Status.EXPIRED: "expired",
}


@dataclass(slots=True)
class Work:
    """One leased message."""

    lease: Lease
    content: Content
    rules: Rules
    outcomes: list[Outcome] = field(default_factory=list)  # of recipients still in the spool
    reported: list[Outcome] = field(default_factory=list)  # settled, but their report is due
    forwards: list[Forward] = field(default_factory=list)
    passed_on: set[Recipient] = field(default_factory=set)


class Attempts:
    """The deliveries of one spool."""

    def __init__(
        self,
        spool: Spool,
        rules: Callable[[], Rules | None],
        agent: Callable[[Rules, str], Agent | None],
        journal: Journal,
        counters: Counters,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`rules()` are those in force; `agent(rules, transport)` is None for an unknown one."""
        self._spool = spool
        self._rules = rules
        self._agent = agent
        self._journal = journal
        self._counters = counters
        self._clock = clock
        self._active = ActiveQueue(self._limits)
        self._work: dict[str, Work] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._deferred_due = 0.0  # when to look for deferred messages again
        self._scheduled = False
        self._filling = False
        self._again = False
        self._stopping = False
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._work)

    def wake(self) -> None:
        """There may be something to do: a message came in, rules changed."""
        if not self._scheduled and not self._stopping:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def flush(self) -> None:
        """Look at deferred messages now, and forget that destinations were dead."""
        self._active.revive(self._clock())
        self._deferred_due = 0.0
        self.wake()

    async def stop(self, grace_s: float) -> None:
        """Start nothing more; let what runs end for so long, then leave it to the next start."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    # one turn

    def _turn(self) -> None:
        self._scheduled = False
        if self._filling:
            self._again = True
            return
        self._filling = True
        self._keep(eager.run(self._fill(), self._filled))

    def _filled(self, error: BaseException | None) -> None:
        self._filling = False
        if error is not None and not isinstance(error, asyncio.CancelledError):
            log.event("qmgr", problem=f"{type(error).__name__}: {error}")
            self._deferred_due = self._clock() + RETRY_S
        self._start_jobs()
        self._set_timer()
        if self._again:
            self._again = False
            self.wake()

    async def _fill(self) -> None:
        """Lease what is due."""
        rules = self._rules()
        if rules is None or self._active.is_full:
            return
        now = self._clock()
        ids = self._spool.fresh(BATCH)
        if len(ids) < BATCH and now >= self._deferred_due:
            ids = await self._spool.due(now, BATCH)
            next_due = None if len(ids) >= BATCH else await self._spool.next_due()
            if len(ids) >= BATCH:
                self._again = True
            else:
                self._deferred_due = float("inf") if next_due is None else max(next_due, now + 0.01)
        elif len(ids) >= BATCH:
            self._again = True
        for queue_id in ids:
            self._keep(eager.run(self._take(queue_id, rules), self._taken))

    def _taken(self, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, asyncio.CancelledError):
            text = error.cause if isinstance(error, SmtpFailure) else str(error)
            log.event("qmgr", problem=f"{type(error).__name__}: {text}")
            self._deferred_due = min(self._deferred_due, self._clock() + RETRY_S)
            self._set_timer()
        self._start_jobs()

    async def _take(self, queue_id: str, rules: Rules) -> None:
        """Lease one message and queue its recipients by route."""
        backoff = rules.parameters.bind(QueueTimes).minimal_backoff_time
        lease = await self._spool.lease(queue_id, next_attempt=self._clock() + backoff)
        if lease is None:
            return
        content = await self._spool.content(lease)
        if content is None:
            return  # unreadable: the spool has set it aside and said so
        work = Work(lease, content, rules, reported=list(lease.settled))
        self._work[queue_id] = work
        await self._route(work)

    async def _route(self, work: Work) -> None:
        """Hand the recipients of the lease to the active queue; end it when there are none."""
        lease, envelope = work.lease, work.lease.envelope
        groups: dict[Route, list[Recipient]] = {}
        for recipient in envelope.recipients:
            try:
                resolution = work.rules.router.resolve(recipient.address, envelope.sender)
            except TableError as error:
                reason = f"lookup failure: {error}"
                self._note(work, settle((recipient,), Status.DEFERRED, "4.3.0", reason))
                continue
            groups.setdefault(_route_of(resolution), []).append(recipient)
        for route, recipients in groups.items():
            self._active.add(lease.queue_id, route, recipients)
        if not groups:
            await self._finish(work)

    # jobs

    def _start_jobs(self) -> None:
        if self._stopping:
            return
        while (job := self._active.next_job(self._clock())) is not None:
            self._keep(eager.run(self._attempt(job), self._attempted))

    def _attempted(self, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, asyncio.CancelledError):
            log.event("qmgr", problem=f"{type(error).__name__}: {error}")
        self.wake()

    async def _attempt(self, job: Job) -> None:
        work = self._work[job.queue_id]
        result = await self._deliver(work, job)
        now = self._clock()
        self._note(work, result.outcomes)
        work.forwards.extend(result.forwards)
        work.passed_on.update(result.passed_on)
        if self._active.done(job, now, unreachable=result.unreachable):
            await self._window_done(work)
        elif not result.forwards:
            await self._spool.settle(work.lease, result.outcomes)

    async def _deliver(self, work: Work, job: Job) -> Result:
        if job.suspended:
            return Result(outcomes=settle(job.recipients, Status.DEFERRED, "4.3.2", job.suspended))
        transport = job.route.transport
        agent = self._agent(work.rules, transport)
        if agent is None:
            reason = f"mail transport unavailable: no service named {transport}"
            return Result(outcomes=settle(job.recipients, Status.DEFERRED, "4.3.5", reason))
        delivery = Delivery(
            queue_id=job.queue_id,
            envelope=work.lease.envelope,
            route=job.route,
            recipients=job.recipients,
            content=work.content,
            arrived=work.lease.arrived,
        )
        try:
            return await agent.deliver(delivery)
        except Exception as error:  # noqa: BLE001 - one message must not stop the queue
            log.event("qmgr", queue_id=job.queue_id, transport=transport, problem=repr(error))
            reason = "internal error of the delivery agent; the log says more"
            return Result(outcomes=settle(job.recipients, Status.DEFERRED, "4.3.0", reason))

    def _note(self, work: Work, outcomes: tuple[Outcome, ...]) -> None:
        """Judge lifetimes, remember, log and journal."""
        lease, now = work.lease, self._clock()
        times = work.rules.parameters.bind(QueueTimes)
        expired = lease.expired or schedule.is_expired(
            times, lease.arrived, now, null_sender=not lease.envelope.sender
        )
        for given in outcomes:
            outcome = given
            if given.status is Status.DEFERRED and expired:
                outcome = replace(given, status=Status.EXPIRED)
            work.outcomes.append(outcome)
            self._counters.add(WORDS[outcome.status])
            recipient = outcome.recipient
            values = {
                "queue_id": lease.queue_id,
                "recipient": recipient.address.text,
                "original_recipient": (
                    recipient.original.text if recipient.original != recipient.address else ""
                ),
                "relay": outcome.relay,
                "delay_s": round(now - lease.arrived, 2),
                "dsn": outcome.dsn,
                "reason": outcome.reason,
                "generation": work.rules.number,
            }
            log.event(WORDS[outcome.status], **values)
            self._journal.write(
                WORDS[outcome.status],
                **values,
                sender=lease.envelope.sender.text,
                reply=outcome.reply,
                delivered_to=outcome.delivered_to,
            )

    # the end

    async def _window_done(self, work: Work) -> None:
        """Every recipient of this window was tried; go on with the next, or finish."""
        if not work.lease.more:
            await self._finish(work)
            return
        await self._spool.settle(work.lease, work.outcomes)
        final = (Status.BOUNCED, Status.EXPIRED, Status.SENT)
        work.reported += [outcome for outcome in work.outcomes if outcome.status in final]
        work.outcomes.clear()
        work.lease = await self._spool.window(work.lease)
        await self._route(work)

    async def _finish(self, work: Work) -> None:
        lease, now = work.lease, self._clock()
        times = work.rules.parameters.bind(QueueTimes)
        late = schedule.is_warning_due(
            times,
            lease.arrived,
            now,
            null_sender=not lease.envelope.sender,
            warned=lease.warned,
        )
        reports = await self._reports(work, late)
        forwards = [self._forward(work, forward) for forward in work.forwards]
        next_attempt = schedule.next_attempt(times, lease.arrived, now)
        await self._spool.finish(
            lease,
            work.outcomes,
            next_attempt=next_attempt,
            enter=[*reports, *forwards],
            warned=late,
        )
        self._work.pop(lease.queue_id, None)
        if any(outcome.status is Status.DEFERRED for outcome in work.outcomes):
            self._deferred_due = min(self._deferred_due, next_attempt)
        else:
            log.event("removed", queue_id=lease.queue_id)
        self.wake()

    async def _reports(self, work: Work, late: bool) -> list[Submission]:
        settings = work.rules.parameters.bind(BounceSettings)
        envelope = work.lease.envelope
        outcomes = [*work.reported, *work.outcomes]
        kinds = [ReportKind.FAILURE, ReportKind.SUCCESS, *([ReportKind.DELAY] if late else ())]
        found = []
        for kind in kinds:
            told = bounce.reportable(kind, outcomes, passed_on=work.passed_on)
            if not told:
                continue
            if not bounce.may_report(envelope, settings):
                log.event("bounce", queue_id=work.lease.queue_id, problem="nobody to report to")
                continue
            found.append(await self._report(work, kind, told, settings))
        return found

    async def _report(
        self, work: Work, kind: ReportKind, told: tuple[Outcome, ...], settings: BounceSettings
    ) -> Submission:
        writer = self._spool.begin()
        lease = work.lease
        report = Report(
            kind=kind,
            queue_id=writer.queue_id,
            original_id=lease.queue_id,
            envelope=lease.envelope,
            outcomes=told,
            size=lease.size,
            arrived=lease.arrived,
            now=self._clock(),
        )
        await bounce.write_report(report, settings, read_content(work.content), writer.write)
        envelope = self._expanded(work, bounce.report_envelope(lease.envelope))
        content = await writer.finish()
        log.event("bounce", queue_id=lease.queue_id, kind=kind.value, report=writer.queue_id)
        self._journal.write(
            "reported",
            queue_id=lease.queue_id,
            kind=kind.value,
            report=writer.queue_id,
            recipient=lease.envelope.sender.text,
        )
        return Submission(envelope=envelope, content=content, queue_id=writer.queue_id)

    def _forward(self, work: Work, forward: Forward) -> Submission:
        """A message that an agent hands on: the same content, a new envelope."""
        content = replace(work.content, headers=forward.headers + work.content.headers)
        return Submission(envelope=self._expanded(work, forward.envelope), content=content)

    def _expanded(self, work: Work, envelope: Envelope) -> Envelope:
        """Recipients rewritten and expanded, as those of any new message."""
        try:
            expansion = work.rules.router.expand(envelope.recipients)
        except (TableError, SmtpFailure) as error:
            log.event("cleanup", queue_id=work.lease.queue_id, problem=str(error))
            return envelope  # unexpanded it is tried, and what is wrong with it comes out then
        return replace(envelope, recipients=expansion.recipients)

    # limits, tasks, the clock

    def _limits(self, transport: str) -> TransportLimits:
        rules = self._rules()
        if rules is None:
            return TransportLimits()
        parameters = rules.parameters
        service = next(
            (s for s in rules.snapshot.services if s.name == transport and s.type == "unix"), None
        )
        maxproc = -1 if service is None else service.maxproc
        return TransportLimits(
            process_limit=parameters.integer("default_process_limit") if maxproc < 0 else maxproc,
            destination_concurrency_limit=parameters.integer(
                f"{transport}_destination_concurrency_limit"
            ),
            initial_destination_concurrency=parameters.integer(
                f"{transport}_initial_destination_concurrency"
            ),
            destination_recipient_limit=parameters.integer(
                f"{transport}_destination_recipient_limit"
            ),
            failed_cohort_limit=float(
                parameters.text(f"{transport}_destination_concurrency_failed_cohort_limit")
            ),
            retry_after_s=parameters.bind(QueueTimes).minimal_backoff_time,
            is_deferred=transport in parameters.items("defer_transports"),
        )

    def _keep(self, task: asyncio.Task[None] | None) -> None:
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._stopping or self._deferred_due == float("inf"):
            return
        wait = min(max(self._deferred_due - self._clock(), 0.05), 3600.0)
        self._timer = self._loop.call_later(wait, self.wake)


def _route_of(resolution: Resolution) -> Route:
    return resolution.route
