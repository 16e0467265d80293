"""Counts per client: windows, connections, and that strangers cannot fill the memory."""

from __future__ import annotations

from delivery.runtime.rates import Rate, Rates
from tests.delivery.runtime.rig import Clock


def test_events_are_counted_in_windows() -> None:
    clock = Clock(0.0)
    rates = Rates(clock)
    assert [rates.count(Rate.MESSAGE, "smtp", "192.0.2.1", 60) for _ in range(3)] == [1, 2, 3]
    clock.now = 60.0
    assert rates.count(Rate.MESSAGE, "smtp", "192.0.2.1", 60) == 4
    clock.now = 60.5
    assert rates.count(Rate.MESSAGE, "smtp", "192.0.2.1", 60) == 1


def test_services_clients_and_kinds_are_counted_apart() -> None:
    rates = Rates(Clock(0.0))
    rates.count(Rate.MESSAGE, "smtp", "192.0.2.1", 60)
    assert rates.count(Rate.RECIPIENT, "smtp", "192.0.2.1", 60) == 1
    assert rates.count(Rate.MESSAGE, "smtp", "192.0.2.2", 60) == 1
    assert rates.count(Rate.MESSAGE, "submission", "192.0.2.1", 60) == 1
    assert rates.count(Rate.MESSAGE, "smtp", "192.0.2.1", 60) == 2


def test_connections_end_and_rates_do_not() -> None:
    clock = Clock(0.0)
    rates = Rates(clock)
    assert rates.connect("smtp", "192.0.2.1", 60) == (1, 1)
    assert rates.connect("smtp", "192.0.2.1", 60) == (2, 2)
    rates.disconnect("smtp", "192.0.2.1")
    assert rates.connect("smtp", "192.0.2.1", 60) == (2, 3)
    clock.now = 100.0
    assert rates.connect("smtp", "192.0.2.1", 60) == (3, 1)


def test_the_oldest_unconnected_client_is_forgotten_first() -> None:
    rates = Rates(Clock(0.0), clients=3)
    rates.connect("smtp", "192.0.2.1", 60)
    for number in range(2, 200):
        rates.count(Rate.MESSAGE, "smtp", f"192.0.2.{number}", 60)
    assert len(rates) == 3
    assert rates.connect("smtp", "192.0.2.1", 60) == (2, 2)
