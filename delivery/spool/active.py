"""active - who is tried next: fairness, concurrency and dead destinations. Pure, clock passed in.

SUMMARY      add() recipients with their route; next_job() says what to start; done() how it went
RULES        round robin over transports, then over their destinations, then over the messages of a
             destination, one job at a time: neither a long list nor a dead destination delays
             anybody else. A job holds at most destination_recipients of one message
             a message waits in line once for each transport, whatever the number of its
             destinations: the next of them stands there when one has had its turn, or is busy
             concurrency of a destination starts at the initial value, grows with successes up to
             its limit and shrinks when the destination cannot be reached (feedback.py); after
             failed_cohort_limit rounds of failures it is dead: its jobs come out as
             `suspended`, to be deferred without an attempt, until retry_after_s have passed
             a transport that takes one recipient at a time has a destination per recipient
             a rate delay leaves so much time between the end of a delivery and the next one for the
             same destination, or by the same transport; next_time() says when that is
             a job `is_busy` when the delivery before it for the same destination has just ended: a
             connection is worth keeping then, as long as others go on or follow; so long such a
             destination is remembered, and what is known about its concurrency. One whose mail
             never had to wait is forgotten at once, as by Postfix: its next message is its first
MEMORY       proportional to the recipients added and not done: the caller adds no more than
             qmgr_message_active_limit messages, with as many recipients as room.py lets it have
NOT DONE     preemption by delivery slots: messages take turns instead
SOURCE       Postfix SCHEDULER_README, qmgr_queue.c, qmgr_transport.c; postconf(5)
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import field

from delivery.spool.feedback import BY_ONE, Feedback
from delivery.values import Recipient, Route
from tables.frozen import dataclass

DEAD_LIMIT = 20_000  # dead destinations remembered; outsiders choose their names
ROUNDING = 1e-6  # a third of 1 added three times must count as 1
BACK_TO_BACK_S = 1.0  # between the end of one delivery and the begin of the next


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportLimits:
    """Limits of one transport; postconf(5) names without their `default_` or `transport_`."""

    process_limit: int = 100  # master.cf maxproc: jobs of the transport at once; 0: no limit
    destination_concurrency_limit: int = 20
    initial_destination_concurrency: int = 5
    destination_recipient_limit: int = 50
    positive_feedback: Feedback = BY_ONE
    negative_feedback: Feedback = BY_ONE
    failed_cohort_limit: float = 1.0
    retry_after_s: float = 300.0  # minimal_backoff_time
    rate_delay_s: float = 0.0  # destination_rate_delay; then one delivery at a time
    transport_rate_delay_s: float = 0.0  # the same for the transport as a whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One delivery to start. With `suspended` set: defer these recipients with that reason."""

    queue_id: str
    route: Route
    recipients: tuple[Recipient, ...]
    destination: str  # as the queue counts it
    suspended: str = ""
    is_busy: bool = False


@dataclass(slots=True)
class _Waiting:
    """Recipients of one message that wait for one destination."""

    queue_id: str
    route: Route
    name: str  # of the destination
    recipients: list[Recipient]
    taken: int = 0
    in_line: bool = False  # stands there for its message


@dataclass(slots=True)
class _Destination:
    """One destination of a transport: what waits, how many jobs run, how well it goes."""

    window: float
    waiting: deque[_Waiting] = field(default_factory=deque)
    in_line: deque[_Waiting] = field(default_factory=deque)  # came for its message, or once did
    busy: int = 0
    success: float = 0.0
    failure: float = 0.0
    failed_cohorts: float = 0.0
    dead_until: float = 0.0
    dead_reason: str = ""
    not_before: float = 0.0  # a rate delay
    last_done: float = float("-inf")
    keeps: bool = False  # connections
    listed: bool = False  # in the ring of its transport


@dataclass(slots=True)
class _Transport:
    limits: TransportLimits
    destinations: dict[str, _Destination] = field(default_factory=dict)
    ring: deque[str] = field(default_factory=deque)
    dead: dict[str, None] = field(default_factory=dict)  # destinations, with what waits for them
    # by message: what stands behind the destination that waits for its turn
    lines: dict[str, deque[_Waiting]] = field(default_factory=dict)
    busy: int = 0
    not_before: float = 0.0  # a rate delay
    listed: bool = False


class ActiveQueue:
    """Messages being tried. `limits` gives the limits of a transport by name."""

    def __init__(
        self,
        limits: Callable[[str], TransportLimits] = lambda transport: TransportLimits(),
    ) -> None:
        self._limits = limits
        self._transports: dict[str, _Transport] = {}
        self._ring: deque[str] = deque()
        self._messages: dict[str, int] = {}  # queue id -> recipients not done
        self._followed: deque[tuple[float, str, str]] = deque()  # ended jobs: others may follow
        self._dead: deque[tuple[float, str, str]] = deque()  # until, transport, destination
        self._delayed: list[tuple[float, str, str]] = []  # heap: not before, transport, destination

    @property
    def remembered_destinations(self) -> int:
        """Destinations in memory: those with work and those known to be dead."""
        return sum(len(item.destinations) for item in self._transports.values())

    def __len__(self) -> int:
        return len(self._messages)

    def __contains__(self, queue_id: str) -> bool:
        return queue_id in self._messages

    def add(self, queue_id: str, route: Route, recipients: Sequence[Recipient]) -> None:
        """Queue recipients of one message that share a route."""
        transport = self._transport(route.transport)
        for name, group in _by_destination(transport.limits, route, recipients).items():
            self._messages[queue_id] = self._messages.get(queue_id, 0) + len(group)
            waiting = _Waiting(queue_id, route, name, group)
            line = transport.lines.get(queue_id)
            if line is None:
                transport.lines[queue_id] = deque()
                self._stand_in_line(transport, waiting)
            else:
                line.append(waiting)

    @property
    def has_jobs(self) -> bool:
        """True when next_job() may have one."""
        return bool(self._ring)

    def next_job(self, now: float) -> Job | None:
        """The next delivery to start, or None when everything waits for a running one."""
        if self._followed or self._dead:
            self._forget(now)
        if self._delayed:
            self._end_delays(now)
        while self._ring:
            key = self._ring.popleft()
            transport = self._transports[key]
            transport.listed = False  # again when one of its jobs or delays ends
            job = self._next_of_transport(transport, now)
            if job is not None:
                self._list_transport(key, transport)
                return job
        return None

    def next_time(self) -> float | None:
        """When a rate delay ends, if any: next_job() has more to say then."""
        return self._delayed[0][0] if self._delayed else None

    def done(self, job: Job, now: float, *, unreachable: str = "") -> bool:
        """Record the end of a job; True when nothing of its message is left here.

        `unreachable` is the reason when the destination as a whole could not be used.
        """
        if not job.suspended:
            self._ended(job, now, unreachable)
        return self._settle(job.queue_id, len(job.recipients))

    def _ended(self, job: Job, now: float, unreachable: str) -> None:
        """A delivery was tried."""
        key, name = job.route.transport, job.destination
        transport = self._transports[key]
        limits = transport.limits
        destination = transport.destinations[name]
        transport.busy -= 1
        destination.busy -= 1
        destination.last_done = now
        if limits.rate_delay_s > 0:
            destination.not_before = now + limits.rate_delay_s
            heapq.heappush(self._delayed, (destination.not_before, key, name))
        if limits.transport_rate_delay_s > 0:
            transport.not_before = now + limits.transport_rate_delay_s
            heapq.heappush(self._delayed, (transport.not_before, key, ""))
        if not unreachable:
            _succeeded(destination, limits, now)
        elif _failed(destination, limits, unreachable, now):
            self._dead.append((destination.dead_until, key, name))
            transport.dead[name] = None
        self._list(key, transport, name, destination)
        self._forget_idle(transport, name, destination, now)
        if destination.keeps:
            self._followed.append((now, key, name))

    def remove(self, queue_id: str) -> None:
        """Drop what waits for this message; jobs already given out end as usual."""
        for transport in self._transports.values():
            if (line := transport.lines.pop(queue_id, None)) is not None:
                for item in line:
                    self._settle(queue_id, len(item.recipients) - item.taken)
            for destination in transport.destinations.values():
                kept = deque(item for item in destination.waiting if item.queue_id != queue_id)
                for item in destination.waiting:
                    if item.queue_id == queue_id:
                        self._settle(queue_id, len(item.recipients) - item.taken)
                destination.waiting = kept

    def revive(self, now: float) -> None:
        """Forget that destinations are dead: an operator flushed the queue (postqueue -f)."""
        for transport in self._transports.values():
            for name in [key for key, item in transport.destinations.items() if item.dead_until]:
                destination = transport.destinations[name]
                destination.dead_until = 0.0
                destination.window = float(_initial_window(transport.limits))
                destination.failed_cohorts = 0.0
                self._forget_idle(transport, name, destination, now)

    def _transport(self, name: str) -> _Transport:
        limits = self._limits(name)  # a new generation may have other ones
        transport = self._transports.get(name)
        if transport is None:
            transport = self._transports[name] = _Transport(limits)
        transport.limits = limits
        return transport

    def _list(self, key: str, transport: _Transport, name: str, destination: _Destination) -> None:
        if destination.waiting and not destination.listed:
            destination.listed = True
            transport.ring.append(name)
        self._list_transport(key, transport)

    def _list_transport(self, key: str, transport: _Transport) -> None:
        if transport.ring and not transport.listed:
            transport.listed = True
            self._ring.append(key)

    def _stand_in_line(self, transport: _Transport, waiting: _Waiting) -> None:
        """Wait at the destination, for the message."""
        name, key = waiting.name, waiting.route.transport
        destination = transport.destinations.get(name)
        if destination is None:
            window = float(_initial_window(transport.limits))
            destination = transport.destinations[name] = _Destination(window)
        waiting.in_line = True
        destination.in_line.append(waiting)
        destination.waiting.append(waiting)
        if destination.dead_until:
            transport.dead[name] = None
        self._list(key, transport, name, destination)

    def _leave_line(self, transport: _Transport, waiting: _Waiting) -> None:
        """Its turn has come, or its destination is busy: the next of the message stands there."""
        waiting.in_line = False
        line = transport.lines.get(waiting.queue_id)
        if line is None:
            return
        if line:
            self._stand_in_line(transport, line.popleft())
        else:
            del transport.lines[waiting.queue_id]

    def _next_of_transport(self, transport: _Transport, now: float) -> Job | None:
        if _is_shut(transport, now):
            return self._next_suspended(transport, now)
        while transport.ring:
            name = transport.ring.popleft()
            destination = transport.destinations[name]
            destination.listed = False  # again when a job or a delay ends
            if not destination.waiting:
                self._forget_idle(transport, name, destination, now)
                continue
            suspended = ""
            if destination.dead_until:
                suspended = _suspension(transport.limits, destination, now)
            is_delayed = destination.not_before > now
            if not suspended and (is_delayed or _is_full(transport, destination)):
                self._let_pass(transport, destination)
                continue
            job = self._take(transport, destination, suspended, now)
            self._list(job.route.transport, transport, name, destination)
            return job
        return None

    def _next_suspended(self, transport: _Transport, now: float) -> Job | None:
        """What waits for a dead destination is not to wait for others to end."""
        while transport.dead:
            name = next(iter(transport.dead))
            destination = transport.destinations.get(name)
            if destination is not None and destination.waiting:
                suspended = _suspension(transport.limits, destination, now)
                if suspended:
                    return self._take(transport, destination, suspended, now)
            del transport.dead[name]
        return None

    def _take(
        self, transport: _Transport, destination: _Destination, suspended: str, now: float
    ) -> Job:
        waiting = destination.waiting.popleft()
        end = waiting.taken + max(1, transport.limits.destination_recipient_limit or 1_000_000)
        recipients = tuple(waiting.recipients[waiting.taken : end])
        waiting.taken += len(recipients)
        self._take_turns(transport, destination, waiting)
        if not suspended:
            transport.busy += 1
            destination.busy += 1
            follows = destination.last_done + BACK_TO_BACK_S >= now
            destination.keeps = follows or (destination.keeps and destination.busy > 1)
        return Job(
            queue_id=waiting.queue_id,
            route=waiting.route,
            recipients=recipients,
            destination=waiting.name,
            suspended=suspended,
            is_busy=destination.keeps,
        )

    def _take_turns(
        self, transport: _Transport, destination: _Destination, waiting: _Waiting
    ) -> None:
        """Others come before what is left: other messages here, other destinations of its own."""
        line = transport.lines.get(waiting.queue_id) if waiting.in_line else None
        if waiting.taken < len(waiting.recipients):
            where = destination.waiting if line is None else line
            where.append(waiting)
        if waiting.in_line:
            self._leave_line(transport, waiting)
        while destination.in_line and not destination.in_line[0].in_line:
            destination.in_line.popleft()

    def _let_pass(self, transport: _Transport, destination: _Destination) -> None:
        """Messages do not wait for a busy destination with what they have for others."""
        ahead, destination.in_line = destination.in_line, deque()
        for waiting in ahead:
            if waiting.in_line:
                self._leave_line(transport, waiting)

    def _settle(self, queue_id: str, count: int) -> bool:
        left = self._messages.get(queue_id, 0) - count
        if left > 0:
            self._messages[queue_id] = left
            return False
        self._messages.pop(queue_id, None)
        return True

    def _forget(self, now: float) -> None:
        """Drop destinations that nothing followed, and dead ones: their time is over.

        Of the dead the oldest are dropped as well when there are too many.
        """
        while self._followed and self._followed[0][0] + BACK_TO_BACK_S < now:
            _, key, name = self._followed.popleft()
            destination = self._transports[key].destinations.get(name)
            if destination is not None:
                self._forget_idle(self._transports[key], name, destination, now)
        while self._dead and (self._dead[0][0] <= now or len(self._dead) > DEAD_LIMIT):
            until, key, name = self._dead.popleft()
            destination = self._transports[key].destinations.get(name)
            if destination is not None and destination.dead_until == until:
                self._forget_idle(self._transports[key], name, destination, until)

    def _end_delays(self, now: float) -> None:
        """List destinations again whose rate delay is over."""
        while self._delayed and self._delayed[0][0] <= now:
            _, key, name = heapq.heappop(self._delayed)
            transport = self._transports[key]
            destination = transport.destinations.get(name)
            if destination is not None:
                self._list(key, transport, name, destination)
                self._forget_idle(transport, name, destination, now)
            elif not name:
                self._list_transport(key, transport)

    def _forget_idle(
        self, transport: _Transport, name: str, destination: _Destination, now: float
    ) -> None:
        """Drop a destination that waits for nothing and has nothing to remember."""
        if (
            not destination.waiting
            and not destination.busy
            and not destination.listed
            and not (destination.keeps and destination.last_done + BACK_TO_BACK_S >= now)
            and destination.dead_until <= now
            and destination.not_before <= now
        ):
            transport.destinations.pop(name, None)
            transport.dead.pop(name, None)


def _is_shut(transport: _Transport, now: float) -> bool:
    """True when the transport may begin nothing."""
    limits = transport.limits
    limit = 1 if limits.transport_rate_delay_s > 0 else limits.process_limit
    return transport.not_before > now or bool(limit and transport.busy >= limit)


def _is_full(transport: _Transport, destination: _Destination) -> bool:
    """True when no more may be tried for this destination at once."""
    limits = transport.limits
    if limits.rate_delay_s > 0:
        return destination.busy >= 1
    ceiling = limits.destination_concurrency_limit or destination.window
    return destination.busy >= int(min(destination.window, ceiling))


def _initial_window(limits: TransportLimits) -> int:
    ceiling = limits.destination_concurrency_limit or limits.initial_destination_concurrency
    return max(1, min(limits.initial_destination_concurrency, ceiling))


def _by_destination(
    limits: TransportLimits, route: Route, recipients: Sequence[Recipient]
) -> dict[str, list[Recipient]]:
    ordered = sorted(recipients, key=_by_domain) if len(recipients) > 1 else list(recipients)
    if limits.destination_recipient_limit != 1:
        return {route.nexthop.lower(): ordered}
    groups: dict[str, list[Recipient]] = {}  # postconf(5) transport_destination_concurrency_limit
    for recipient in ordered:
        groups.setdefault(recipient.address.internal.lower(), []).append(recipient)
    return groups


def _by_domain(recipient: Recipient) -> tuple[str, str]:
    """Recipients go by domain, then by name (Postfix qmgr_message_sort): jobs have few domains."""
    return recipient.address.domain.lower(), recipient.address.local.lower()


def _suspension(limits: TransportLimits, destination: _Destination, now: float) -> str:
    """Why nothing is tried for this destination now; '' when it may be."""
    if not destination.dead_until:
        return ""
    if destination.dead_until > now:
        return f"delivery temporarily suspended: {destination.dead_reason}"
    destination.dead_until = 0.0
    destination.window = float(_initial_window(limits))
    destination.failed_cohorts = destination.success = destination.failure = 0.0
    return ""


def _succeeded(destination: _Destination, limits: TransportLimits, now: float) -> None:
    """SCHEDULER_README, positive feedback: the window grows while it is really used."""
    destination.failed_cohorts = 0.0
    if destination.dead_until > now:  # back from the almost grave
        destination.dead_until = 0.0
        destination.window = float(destination.busy + 1)
        destination.success = destination.failure = 0.0
        return
    ceiling = limits.destination_concurrency_limit
    if ceiling and destination.window >= ceiling:
        return
    if destination.window >= destination.busy + 1 + limits.initial_destination_concurrency:
        return
    destination.success += limits.positive_feedback.of(destination.window)
    while destination.success >= 1.0 - ROUNDING:
        destination.window += 1.0
        destination.success -= 1.0
        destination.failure = 0.0
    if ceiling:
        destination.window = min(destination.window, float(ceiling))


def _failed(destination: _Destination, limits: TransportLimits, reason: str, now: float) -> bool:
    """Negative feedback and pseudo-cohort failures; True when the destination is now dead."""
    if destination.dead_until > now:
        return False
    destination.failed_cohorts += 1.0 / max(1.0, destination.window)
    cohorts = destination.failed_cohorts + ROUNDING
    if limits.failed_cohort_limit and cohorts >= limits.failed_cohort_limit:
        destination.dead_until = now + limits.retry_after_s
        destination.dead_reason = reason
        return True
    destination.failure -= limits.negative_feedback.of(destination.window)
    while destination.failure < -ROUNDING:  # at once, and only then with what is left over
        destination.window = max(destination.window - 1.0, 1.0)
        destination.failure += 1.0
        destination.success = 0.0
    return False
