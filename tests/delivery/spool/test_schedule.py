"""Retry times, lifetimes and warnings; postconf(5) and qmgr(8)."""

from __future__ import annotations

import pytest

from delivery.spool.schedule import (
    QueueTimes,
    is_expired,
    is_warning_due,
    lifetime,
    next_attempt,
)

TIMES = QueueTimes()
DAY = 86_400.0


def test_it_works() -> None:
    waits = []
    now = 0.0
    while now < 12_000:
        due = next_attempt(TIMES, 0.0, now)
        waits.append(due - now)
        now = due
    assert waits == [300, 300, 600, 1200, 2400, 4000, 4000]


def test_a_clock_set_back_never_means_a_hot_loop() -> None:
    assert next_attempt(TIMES, 1_000_000.0, 5.0) == 5.0 + 300


def test_a_minimal_time_above_the_maximal_one_wins() -> None:
    times = QueueTimes(minimal_backoff_time=9000.0, maximal_backoff_time=4000.0)
    assert next_attempt(times, 0.0, 100.0) == 9100.0


@pytest.mark.parametrize(
    "null_sender, age, expected",
    [(False, 5 * DAY - 1, False), (False, 5 * DAY, True), (True, DAY, True), (True, 3600, False)],
)
def test_lifetimes(null_sender: bool, age: float, expected: bool) -> None:
    times = QueueTimes(bounce_queue_lifetime=DAY)
    assert is_expired(times, 0.0, age, null_sender=null_sender) is expected


def test_a_bounce_never_lives_longer_than_other_mail() -> None:
    assert lifetime(QueueTimes(maximal_queue_lifetime=DAY), null_sender=True) == DAY


@pytest.mark.parametrize(
    "delay, age, null_sender, warned, expected",
    [
        (3600.0, 3599.0, False, False, False),
        (3600.0, 3600.0, False, False, True),
        (3600.0, 9999.0, False, True, False),
        (3600.0, 9999.0, True, False, False),
        (0.0, 9999.0, False, False, False),
    ],
)
def test_one_warning_when_it_is_late(
    delay: float, age: float, null_sender: bool, warned: bool, expected: bool
) -> None:
    times = QueueTimes(delay_warning_time=delay)
    assert is_warning_due(times, 0.0, age, null_sender=null_sender, warned=warned) is expected


def test_deferred_mail_is_looked_at_no_more_often_than_that() -> None:
    times = QueueTimes(minimal_backoff_time=5.0, queue_run_delay=60.0)
    assert next_attempt(times, arrived=100.0, now=101.0) == 161.0
    assert next_attempt(times, arrived=100.0, now=300.0) == 500.0, "its age is more"
