"""schedule - when a deferred message is tried again, warned about, given up.

SUMMARY      pure functions of QueueTimes, the arrival time and now; all times are UTC seconds
RULES        backoff: as long again as the message is old, between the minimal and the maximal time,
             so the total age doubles with every attempt (Postfix qmgr_active.c); never before
             queue_run_delay is over, for Postfix looks at deferred mail no more often than that
             lifetime: looked at after an attempt that was deferred; a null sender has its own
             warning: once, after delay_warning_time, never for a null sender
NOT DONE     per-destination waiting: active.py
SOURCE       postconf(5); RFC 5321 4.5.4.1
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_AFTER_CRASHES_S = 4000.0  # recovery.py; postconf(5) maximal_backoff_time


@dataclass(frozen=True, slots=True)
class QueueTimes:
    """Retry times in seconds; field names and defaults are those of postconf(5)."""

    queue_run_delay: float = 300.0
    minimal_backoff_time: float = 300.0
    maximal_backoff_time: float = 4000.0
    maximal_queue_lifetime: float = 432_000.0
    bounce_queue_lifetime: float = 432_000.0
    delay_warning_time: float = 0.0


def next_attempt(times: QueueTimes, arrived: float, now: float) -> float:
    """When to try again a message that cannot be delivered now.

    A clock that was set back makes the message young again, never immediately due.
    """
    longest = max(times.maximal_backoff_time, times.minimal_backoff_time)
    wait = min(max(now - arrived, times.minimal_backoff_time), longest)
    return now + max(wait, times.queue_run_delay)


def longest_wait(times: QueueTimes) -> float:
    """No message is told to wait longer than that."""
    return max(
        times.maximal_backoff_time,
        times.minimal_backoff_time,
        times.queue_run_delay,
        LONGEST_AFTER_CRASHES_S,
    )


def lifetime(times: QueueTimes, *, null_sender: bool) -> float:
    """How long a message may stay in the queue. postconf(5) bounce_queue_lifetime."""
    if null_sender:
        return min(times.bounce_queue_lifetime, times.maximal_queue_lifetime)
    return times.maximal_queue_lifetime


def is_expired(times: QueueTimes, arrived: float, now: float, *, null_sender: bool) -> bool:
    """True when a deferred recipient is given up instead of tried again."""
    return now - arrived >= lifetime(times, null_sender=null_sender)


def is_warning_due(
    times: QueueTimes, arrived: float, now: float, *, null_sender: bool, warned: bool
) -> bool:
    """True when the sender should be told that the message is late, once."""
    if null_sender or warned or times.delay_warning_time <= 0:
        return False
    return now - arrived >= times.delay_warning_time
