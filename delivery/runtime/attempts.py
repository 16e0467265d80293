"""attempts - the queue manager: leases messages, routes recipients, runs agents, records outcomes.

SUMMARY      Attempts.wake() when something may be due; everything else follows by itself
RULES        a message is tried by the rules in force when it is leased
             a recipient is tried at the address it resolves to (routes.py); the spool knows it by
             the name it was entered with
             who is tried next: spool.active (fairness, concurrency, dead destinations)
             outcomes of a message that other recipients still wait for are settled at once, so that
             a crash does not deliver them again; the last one ends the lease, together with the
             reports and forwards that it causes, in one transaction
             what an agent hands on is entered before its recipient is settled, or with it: a crash
             in between sends it twice, never not at all
             reports that the disk does not take are tried again; until then the message stays, and
             what was found out about its recipients is kept
             the disk is looked at when the next message is due, and every LOOK_S: clocks jump. Only
             what is on disk goes by the clock of the wall, and nothing there waits for longer than
             any wait can be; dead destinations and rate delays go by one that is never set
             what is for a dead destination goes by retry, but for a flush
             a message for one mailbox of this machine is tried when it comes in: its rows wait a
             moment, for once it is there they need not be written (spool/early.py)
ERRORS       an agent that breaks its contract, and any error of ours, defers recipients and is
             logged; no message stays leased without an attempt going on
SOURCE       Postfix qmgr(8), bounce(8); docs/QUEUE.md
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from delivery import log
from delivery.agents.base import Agent, Delivery, Part, Result, settle
from delivery.alarm import Alarm
from delivery.errors import SmtpFailure
from delivery.runtime import eager
from delivery.runtime.outcomes import Outcomes
from delivery.runtime.reports import Made, Reporter, Subject
from delivery.runtime.routes import IN_A_ROW, Routes, unavailable
from delivery.runtime.rules import Rules
from delivery.runtime.work import Work
from delivery.spool import schedule
from delivery.spool.active import ActiveQueue, Job, TransportLimits
from delivery.spool.records import Lease
from delivery.spool.store import Spool
from delivery.values import Outcome, Recipient, Route, Status
from tables.errors import TableError

BATCH = 500  # messages leased in one turn
RETRY_S = 5.0  # after the spool itself failed
LONGEST_RETRY_S = 300.0
LOOK_S = 10.0  # the disk is looked at so often, whatever the clock says
SUSPENDED = "4.3.2"  # RFC 3463 X.3.2
CANCEL_S = 2.0  # for agents to notice that they are to stop


class Attempts:
    """The deliveries of one spool."""

    def __init__(
        self,
        spool: Spool,
        rules: Callable[[], Rules | None],
        agent: Callable[[Rules, str], Agent | None],
        outcomes: Outcomes,
        reporter: Reporter,
        *,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """`rules()` are those in force; `agent(rules, transport)` is None for an unknown one."""
        self._spool = spool
        self._rules = rules
        self._agent = agent
        self._routes = Routes(agent, self._tell)
        self._outcomes = outcomes
        self._reporter = reporter
        self._clock = clock
        self._ticks = ticks
        self._active = ActiveQueue(self._limits)
        self._work: dict[str, Work] = {}
        self._taking = 0  # leases on their way
        self._tasks: set[asyncio.Task[None]] = set()
        self._deferred_due = 0.0  # when to look for deferred messages again
        self._look = False  # now, whatever _deferred_due says
        self._flush: asyncio.Future[None] | None = None  # what is due is due by a flush
        self._scheduled = False
        self._filling = False
        self._again = False
        self._stopping = False
        self._alarm = Alarm(self._look_again)
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._work)

    @property
    def is_idle(self) -> bool:
        """True when nothing is tried, and nothing is looked for at the moment."""
        return not (self._work or self._taking or self._filling or self._scheduled)

    def wake(self) -> None:
        """There may be something to do: a message came in, rules changed."""
        if not self._scheduled and not self._stopping:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def look(self) -> None:
        """Something that waits on the disk may be due now: it was changed there."""
        self._look = True
        self.wake()

    def flush(self) -> asyncio.Future[None]:
        """Try what is due now, and forget that destinations were dead and transports deferred.

        The result is done when it is being tried.
        """
        self._active.revive(self._ticks())
        if self._flush is None:
            self._flush = self._loop.create_future()
        self.look()
        return self._flush

    def begin(self, lease: Lease) -> bool:
        """Try a message that is not in the queue yet: it may be in its mailbox as soon as there.

        False when it is not for one such mailbox, and is to be queued first.
        """
        rules, recipients = self._rules(), lease.envelope.recipients
        if rules is None or self._stopping or len(recipients) != 1 or lease.settled:
            return False
        work = Work(lease, rules, left=1, is_early=True)
        route, target = self._routes.of(work, recipients[0])
        if target is None or not self._routes.is_prompt(rules, route.transport):
            return False
        self._work[lease.queue_id] = work
        self._active.add(lease.queue_id, route, [target])
        self.wake()
        return True

    async def stop(self, grace_s: float) -> None:
        """Start nothing more; let what runs end for so long, then leave it to the next start."""
        self._stopping = True
        self._alarm.cancel()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=grace_s)
        for task in late:
            task.cancel()
        if late:
            _, stubborn = await asyncio.wait(late, timeout=CANCEL_S)
            log.event("qmgr", interrupted=len(late), stubborn=len(stubborn) or None)

    # one turn

    def _turn(self) -> None:
        self._scheduled = False
        if self._stopping:
            return
        if self._filling:
            self._again = True
            return
        if self._is_due(self._clock()) or self._spool.has_fresh:
            self._filling = True
            eager.run(self._fill(), self._filled, self._tasks)
        else:  # a place became free, or a message began by itself
            self._start_jobs()
            self._set_alarm()

    def _is_due(self, now: float) -> bool:
        """True when the disk is to be looked at."""
        return self._look or self._spool.has_passed_by or now >= self._deferred_due

    def _filled(self, error: BaseException | None) -> None:
        self._filling = False
        self._tell(error)
        self._start_jobs()
        self._set_alarm()
        if self._again:
            self._again = False
            self.wake()

    async def _fill(self) -> None:
        """Lease what is due, as far as there is room."""
        rules = self._rules()
        if rules is None:
            return
        room = rules.spool_limits.active - len(self._work) - self._taking
        if room <= 0:
            return
        limit = min(BATCH, room)
        now, flush = self._clock(), self._flush
        ids = self._spool.fresh(limit)
        fresh = frozenset(ids) if flush is not None else frozenset()
        if len(ids) >= limit:
            self._again, flush = True, None
        elif self._is_due(now):
            self._look = False
            longest = schedule.longest_wait(rules.queue_times)
            ids = await self._spool.due(now, limit, longest=longest)
            if len(ids) >= limit:
                self._again = self._look = True
            else:
                self._flush = None if self._flush is flush else self._flush
                due = await self._spool.next_due()
                self._deferred_due = float("inf") if due is None else max(due, now + 0.01)
        taking = []
        for queue_id in ids:
            self._taking += 1
            is_flushed = flush is not None and queue_id not in fresh
            take = self._take(queue_id, rules, is_flushed=is_flushed)
            taking.append(eager.run(take, self._taken, self._tasks))
        if flush is not None and flush is not self._flush:
            await asyncio.gather(*filter(None, taking), return_exceptions=True)
            if not flush.done():
                flush.set_result(None)

    def _taken(self, error: BaseException | None) -> None:
        self._taking -= 1
        self._tell(error)
        if not self._filling:  # otherwise _filled() starts them
            self.wake()

    async def _take(self, queue_id: str, rules: Rules, *, is_flushed: bool) -> None:
        """Lease one message and queue its recipients by route."""
        backoff = rules.queue_times.minimal_backoff_time
        lease = await self._spool.lease(queue_id, next_attempt=self._clock() + backoff)
        if lease is None:
            return
        work = Work(lease, rules, told=_parts(lease.settled), is_flushed=is_flushed)
        self._work[queue_id] = work
        await self._route(work)

    # routing

    async def _route(self, work: Work) -> None:
        """Hand the recipients of the lease to the active queue; end it when there are none."""
        while True:
            groups = await self._routes.groups(work)
            work.left = sum(map(len, groups.values()))
            for route, recipients in groups.items():
                self._active.add(work.queue_id, route, recipients)
            if groups:
                return
            if not work.lease.more or not await self._next_window(work):
                await self._finish(work)
                return

    def _judge(
        self, work: Work, route: Route, result: Result, recipients: Sequence[Recipient]
    ) -> list[Outcome]:
        judged = self._outcomes.judge(work.lease, work.rules, route, result, recipients)
        settled = work.by_lease(judged.outcomes)
        work.outcomes += settled
        work.told += judged.told
        work.late = work.late or judged.late
        work.passed_on.update(result.passed_on)
        return settled

    async def _next_window(self, work: Work) -> bool:
        """The recipients of this window were tried: settle them and read the next ones.

        False when they cannot be read: the lease is to end, and the rest is for a later one.
        """
        try:
            await self._spool.settle(work.lease, work.outcomes)
            lease = await self._spool.window(work.lease)
        except Exception as error:  # noqa: BLE001 - the lease must end, whatever it was
            self._tell(error, work.queue_id)
            return False
        work.told += _parts(lease.settled)
        work.outcomes.clear()
        work.leased.clear()
        work.lease = lease
        return True

    # jobs

    def _start_jobs(self) -> None:
        """Start what may be started; jobs of a dead destination end at once, and may be many."""
        count = 0
        while not self._stopping and (job := self._active.next_job(self._ticks())) is not None:
            eager.run(self._attempt(job), self._attempted, self._tasks)
            count += len(job.recipients)
            if count >= IN_A_ROW:
                self.wake()
                return

    def _attempted(self, error: BaseException | None) -> None:
        self._tell(error)
        self.wake()

    async def _attempt(self, job: Job) -> None:
        work = self._work[job.queue_id]
        result = await self._deliver(work, job)
        if work.is_early and not _is_delivered(result):
            await self._see_it_kept(work)
        if result.forwards:
            result = await self._hand_on(work, result, now=work.left > len(job.recipients))
        work.left -= len(job.recipients)
        is_last = self._active.done(job, self._ticks(), unreachable=result.unreachable)
        if self._active.has_jobs:
            self.wake()  # the next one does not wait until the end of this one is on disk
        if work.is_gone:
            if is_last:
                self._work.pop(work.queue_id, None)
            return
        route = Route("retry", f"{SUSPENDED} {job.suspended}") if job.suspended else job.route
        judged = self._judge(work, route, result, job.recipients)
        if not is_last:
            await self._spool.settle(work.lease, judged)
        elif work.lease.more and await self._next_window(work):
            await self._route(work)
        else:
            await self._finish(work)

    async def _deliver(self, work: Work, job: Job) -> Result:
        """What the agent says; whatever goes wrong inside defers the recipients."""
        if job.suspended:
            return _deferred(job, SUSPENDED, job.suspended)
        if work.is_gone:
            return Result(outcomes=())
        transport = job.route.transport
        try:
            agent = self._agent(work.rules, transport)
            if agent is None:
                return _deferred(job, "4.3.0", unavailable(transport))
            content = await self._spool.content(work.lease)
            if content is None:  # the spool has set the message aside and said so
                work.is_gone = True
                self._active.remove(work.queue_id)
                return Result(outcomes=())
            delivery = Delivery(
                queue_id=job.queue_id,
                envelope=work.lease.envelope,
                route=job.route,
                recipients=job.recipients,
                content=content,
                arrived=work.lease.arrived,
                is_busy=job.is_busy,
            )
            return await agent.deliver(delivery)
        except Exception as error:  # noqa: BLE001 - one message must not stop the queue
            self._tell(error, work.queue_id)
            return _deferred(job, "4.3.0", "internal error of the delivery agent; see the log")

    async def _see_it_kept(self, work: Work) -> None:
        """More is to be done about the message than was: that is for what is in the queue."""
        if not await self._spool.kept(work.lease):
            work.is_gone = True
            self._active.remove(work.queue_id)

    async def _hand_on(self, work: Work, result: Result, *, now: bool) -> Result:
        """Make new messages of what an agent hands on; they are entered with the end of this one.

        `now`: at once, for other recipients are still being tried. What cannot be made, or what the
        disk does not take, is expanded again later: its recipient is deferred.
        """
        failed: set[Recipient] = set()
        for forward in result.forwards:
            try:
                subject = Subject(work.lease, await self._spool.content(work.lease), work.rules)
                made = await self._reporter.forward(subject, forward)
                if not now and not work.lease.more:
                    work.forwards += made
                    continue
                for each in made:
                    await self._spool.enter_submission(each)
                self.wake()
            except Exception as error:  # noqa: BLE001 - one message must not stop the queue
                self._tell(error, work.queue_id)
                failed.add(forward.origin)
        reason = "the queue cannot take what the alias stands for"
        outcomes = tuple(
            replace(outcome, status=Status.DEFERRED, dsn="4.3.1", reason=reason)
            if outcome.recipient in failed
            else outcome
            for outcome in result.outcomes
        )
        parts = {who: parts for who, parts in result.parts.items() if who not in failed}
        return replace(result, outcomes=outcomes, forwards=(), parts=parts)

    # the end

    async def _finish(self, work: Work) -> None:
        """End the lease; as long as the disk does not take its reports, it does not end."""
        pause = RETRY_S
        is_settled = False
        while True:
            try:
                await self._finish_now(work)
                return
            except Exception as error:  # noqa: BLE001 - a report that fails must not lose mail
                self._tell(error, work.queue_id)
            if not is_settled and not work.forwards:
                is_settled = await self._settled(work)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_RETRY_S)

    async def _settled(self, work: Work) -> bool:
        """What was found out must outlive a crash, though the reports have to wait."""
        try:
            await self._spool.settle(work.lease, work.outcomes)
        except Exception as error:  # noqa: BLE001 - tried again with the reports
            self._tell(error, work.queue_id)
            return False
        return True

    async def _finish_now(self, work: Work) -> None:
        lease, late = work.lease, work.late
        made: list[Made] = []
        if work.told:
            subject = Subject(lease, await self._spool.content(lease), work.rules)
            made = await self._reporter.reports(subject, work.told, work.passed_on, late=late)
        next_attempt = schedule.next_attempt(work.rules.queue_times, lease.arrived, self._clock())
        enter = [*(report.submission for report in made), *work.forwards]
        await self._spool.finish(
            lease, work.outcomes, next_attempt=next_attempt, enter=enter, warned=late
        )
        self._work.pop(lease.queue_id, None)
        self._reporter.entered(lease, made)
        is_long = lease.more or lease.has_earlier
        if is_long or any(item.status is Status.DEFERRED for item in work.outcomes):
            self._deferred_due = min(self._deferred_due, next_attempt)
            self._set_alarm()
        else:
            log.event("removed", queue_id=lease.queue_id)
        self.wake()

    # limits, tasks, the clock

    def _limits(self, transport: str) -> TransportLimits:
        rules = self._rules()
        if rules is None:
            return TransportLimits()
        try:
            return rules.transport_limits(transport)
        except TableError as error:  # a transport that no service has
            log.event("qmgr", transport=transport, problem=str(error))
            return TransportLimits()

    def _tell(self, error: BaseException | None, queue_id: str = "") -> None:
        """Say what went wrong with us, and look at the disk again before long."""
        if error is None or isinstance(error, asyncio.CancelledError):
            return
        cause = error.cause if isinstance(error, SmtpFailure) else ""
        problem = f"{type(error).__name__}: {cause or error}"
        log.event("qmgr", queue_id=queue_id, problem=problem)
        self._deferred_due = min(self._deferred_due, self._clock() + RETRY_S)

    def _set_alarm(self) -> None:
        if self._stopping:
            return
        wait = self._deferred_due - self._clock()
        delayed_until = self._active.next_time()
        if delayed_until is not None:
            wait = min(wait, delayed_until - self._ticks())
        self._alarm.set(self._loop.time() + min(max(wait, 0.05), LOOK_S))

    def _look_again(self) -> None:
        self._look = True
        self.wake()


def _is_delivered(result: Result) -> bool:
    return not result.forwards and all(item.status is Status.SENT for item in result.outcomes)


def _deferred(job: Job, dsn: str, reason: str) -> Result:
    return Result(outcomes=settle(job.recipients, Status.DEFERRED, dsn, reason))


def _parts(settled: Iterable[Outcome]) -> list[Part]:
    """Outcomes of an attempt that was interrupted: their reports are due."""
    return [Part(outcome=outcome) for outcome in settled]
