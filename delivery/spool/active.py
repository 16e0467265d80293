"""active - who is tried next: fairness, concurrency and dead destinations. Pure, clock passed in.

SUMMARY      add() recipients with their route; next_job() says what to start; done() how it went
RULES        round robin over transports, then over their destinations, then over the messages of a
             destination, one job at a time: neither a long list nor a dead destination delays
             anybody else. A job holds at most destination_recipients of one message
             concurrency of a destination starts at the initial value, grows with successes up to
             its limit and shrinks when the destination cannot be reached; after
             failed_cohort_limit rounds of failures it is dead: its jobs come out as
             `suspended`, to be deferred without an attempt, until retry_after_s have passed
             a transport that takes one recipient at a time has a destination per recipient
             a rate delay leaves so much time between the end of a delivery and the next one for the
             same destination; next_time() says when that is
             a job `is_busy` when the delivery before it for the same destination has just ended: a
             connection is worth keeping then, as long as others go on or follow
MEMORY       proportional to the recipients added and not done: the caller adds no more than
             qmgr_message_active_limit messages
NOT DONE     rate delays of whole transports, preemption by delivery slots
SOURCE       Postfix SCHEDULER_README, qmgr_queue.c, qmgr_transport.c; postconf(5)
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from delivery.values import Recipient, Route

DEAD_LIMIT = 20_000  # dead destinations remembered; outsiders choose their names
BACK_TO_BACK_S = 1.0  # between the end of one delivery and the begin of the next


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportLimits:
    """Limits of one transport; postconf(5) names without their `default_` or `transport_`."""

    process_limit: int = 100  # master.cf maxproc: jobs of the transport at once; 0: no limit
    destination_concurrency_limit: int = 20
    initial_destination_concurrency: int = 5
    destination_recipient_limit: int = 50
    positive_feedback: float = 1.0
    negative_feedback: float = 1.0
    failed_cohort_limit: float = 1.0
    retry_after_s: float = 300.0  # minimal_backoff_time
    rate_delay_s: float = 0.0  # destination_rate_delay; then one delivery at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One delivery to start. With `suspended` set: defer these recipients with that reason."""

    queue_id: str
    route: Route
    recipients: tuple[Recipient, ...]
    suspended: str = ""
    is_busy: bool = False


@dataclass(slots=True)
class _Waiting:
    """Recipients of one message that wait for one destination."""

    queue_id: str
    route: Route
    recipients: list[Recipient]
    taken: int = 0


@dataclass(slots=True)
class _Destination:
    """One destination of a transport: what waits, how many jobs run, how well it goes."""

    window: float
    waiting: deque[_Waiting] = field(default_factory=deque)
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
    busy: int = 0
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

    def add(self, queue_id: str, route: Route, recipients: Iterable[Recipient]) -> None:
        """Queue recipients of one message that share a route."""
        transport = self._transport(route.transport)
        for name, group in _by_destination(transport.limits, route, recipients):
            destination = transport.destinations.get(name)
            if destination is None:
                window = float(_initial_window(transport.limits))
                destination = transport.destinations[name] = _Destination(window)
            destination.waiting.append(_Waiting(queue_id, route, group))
            self._messages[queue_id] = self._messages.get(queue_id, 0) + len(group)
            self._list(route.transport, transport, name, destination)

    def next_job(self, now: float) -> Job | None:
        """The next delivery to start, or None when everything waits for a running one."""
        self._forget_dead(now)
        self._end_delays(now)
        for _ in range(len(self._ring)):
            name = self._ring.popleft()
            transport = self._transports[name]
            job = self._next_of_transport(transport, now)
            if job is not None:
                self._ring.append(name)
                return job
            transport.listed = False
        return None

    def next_time(self) -> float | None:
        """When a rate delay ends, if any: next_job() has more to say then."""
        return self._delayed[0][0] if self._delayed else None

    def done(self, job: Job, now: float, *, unreachable: str = "") -> bool:
        """Record the end of a job; True when nothing of its message is left here.

        `unreachable` is the reason when the destination as a whole could not be used.
        """
        transport = self._transports[job.route.transport]
        name = _destination_name(transport.limits, job.route, job.recipients[0])
        destination = transport.destinations[name]
        if not job.suspended:
            transport.busy -= 1
            destination.busy -= 1
            destination.last_done = now
            if transport.limits.rate_delay_s > 0:
                destination.not_before = now + transport.limits.rate_delay_s
                entry = (destination.not_before, job.route.transport, name)
                heapq.heappush(self._delayed, entry)
            if unreachable:
                if _failed(destination, transport.limits, unreachable, now):
                    self._dead.append((destination.dead_until, job.route.transport, name))
            else:
                _succeeded(destination, transport.limits)
        self._list(job.route.transport, transport, name, destination)
        self._relist_waiting(job.route.transport, transport)
        self._forget_idle(transport, name, destination, now)
        return self._settle(job.queue_id, len(job.recipients))

    def remove(self, queue_id: str) -> None:
        """Drop what waits for this message; jobs already given out end as usual."""
        for transport in self._transports.values():
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
        transport = self._transports.get(name)
        if transport is None:
            transport = self._transports[name] = _Transport(self._limits(name))
        elif not transport.busy and not transport.ring:
            transport.limits = self._limits(name)  # a new generation may have other limits
        return transport

    def _list(self, key: str, transport: _Transport, name: str, destination: _Destination) -> None:
        if destination.waiting and not destination.listed:
            destination.listed = True
            transport.ring.append(name)
        if transport.ring and not transport.listed:
            transport.listed = True
            self._ring.append(key)

    def _relist_waiting(self, key: str, transport: _Transport) -> None:
        if transport.ring and not transport.listed:
            transport.listed = True
            self._ring.append(key)

    def _next_of_transport(self, transport: _Transport, now: float) -> Job | None:
        limit = transport.limits.process_limit
        for _ in range(len(transport.ring)):
            name = transport.ring.popleft()
            destination = transport.destinations[name]
            if not destination.waiting:
                destination.listed = False
                self._forget_idle(transport, name, destination, now)
                continue
            suspended = _suspension(transport.limits, destination, now)
            full = bool(limit) and transport.busy >= limit
            is_delayed = destination.not_before > now
            if not suspended and not full and (is_delayed or _is_full(transport, destination)):
                destination.listed = False  # done() and _end_delays() list it again
                continue
            transport.ring.append(name)
            if suspended or not full:
                return self._take(transport, destination, suspended, now)
        return None

    def _take(
        self, transport: _Transport, destination: _Destination, suspended: str, now: float
    ) -> Job:
        waiting = destination.waiting.popleft()
        end = waiting.taken + max(1, transport.limits.destination_recipient_limit or 1_000_000)
        recipients = tuple(waiting.recipients[waiting.taken : end])
        waiting.taken += len(recipients)
        if waiting.taken < len(waiting.recipients):
            destination.waiting.append(waiting)
        if not suspended:
            transport.busy += 1
            destination.busy += 1
            follows = destination.last_done + BACK_TO_BACK_S >= now
            destination.keeps = follows or (destination.keeps and destination.busy > 1)
        return Job(
            queue_id=waiting.queue_id,
            route=waiting.route,
            recipients=recipients,
            suspended=suspended,
            is_busy=destination.keeps,
        )

    def _settle(self, queue_id: str, count: int) -> bool:
        left = self._messages.get(queue_id, 0) - count
        if left > 0:
            self._messages[queue_id] = left
            return False
        self._messages.pop(queue_id, None)
        return True

    def _forget_dead(self, now: float) -> None:
        """Drop dead destinations whose time is over, and the oldest when there are too many."""
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

    def _forget_idle(
        self, transport: _Transport, name: str, destination: _Destination, now: float
    ) -> None:
        """Drop a destination that waits for nothing and has nothing to remember."""
        if (
            not destination.waiting
            and not destination.busy
            and not destination.listed
            and destination.dead_until <= now
            and destination.not_before <= now
        ):
            transport.destinations.pop(name, None)


def _is_full(transport: _Transport, destination: _Destination) -> bool:
    """True when no more may be tried for this destination at once."""
    limit = 1 if transport.limits.rate_delay_s > 0 else int(destination.window)
    return destination.busy >= limit


def _initial_window(limits: TransportLimits) -> int:
    ceiling = limits.destination_concurrency_limit or limits.initial_destination_concurrency
    return max(1, min(limits.initial_destination_concurrency, ceiling))


def _destination_name(limits: TransportLimits, route: Route, recipient: Recipient) -> str:
    if (
        limits.destination_recipient_limit == 1
    ):  # postconf(5) transport_destination_concurrency_limit
        return recipient.address.internal.lower()
    return route.nexthop.lower()


def _by_destination(
    limits: TransportLimits, route: Route, recipients: Iterable[Recipient]
) -> Iterator[tuple[str, list[Recipient]]]:
    groups: dict[str, list[Recipient]] = {}
    for recipient in sorted(recipients, key=_by_domain):
        groups.setdefault(_destination_name(limits, route, recipient), []).append(recipient)
    yield from groups.items()


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


def _succeeded(destination: _Destination, limits: TransportLimits) -> None:
    """SCHEDULER_README, positive feedback: the window grows while it is really used."""
    destination.failed_cohorts = 0.0
    destination.dead_until = 0.0
    ceiling = limits.destination_concurrency_limit
    if ceiling and destination.window >= ceiling:
        return
    if destination.window >= destination.busy + 1 + limits.initial_destination_concurrency:
        return
    destination.success += limits.positive_feedback
    while destination.success >= 1.0:
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
    # a third of 1 added three times must count as 1
    if (
        limits.failed_cohort_limit
        and destination.failed_cohorts >= limits.failed_cohort_limit - 1e-9
    ):
        destination.dead_until = now + limits.retry_after_s
        destination.dead_reason = reason
        return True
    destination.failure += limits.negative_feedback
    while destination.failure >= 1.0 and destination.window > 1.0:
        destination.window -= 1.0
        destination.failure -= 1.0
        destination.success = 0.0
    return False
