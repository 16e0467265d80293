"""How long a client is waited for."""

from __future__ import annotations

from dataclasses import dataclass

from delivery.runtime.patience import Patience


@dataclass
class Limits:
    smtpd_timeout: float = 300.0
    smtpd_per_request_deadline: bool = False
    smtpd_min_data_rate: int = 500


def test_every_read_counts() -> None:
    patience = Patience(Limits())
    patience.since = 0.0
    for now in (299.0, 598.0):
        patience.heard(now)
        assert patience.deadline == now + 300


def test_a_client_that_trickles_does_not_stay_for_ever() -> None:
    patience = Patience(Limits(smtpd_per_request_deadline=True))
    patience.since = 10.0
    for now in (100.0, 200.0, 309.0):
        patience.heard(now)
    assert patience.deadline == 310.0
    patience.since = 309.0
    assert patience.deadline == 609.0


def test_a_message_earns_time_by_its_octets() -> None:
    patience = Patience(Limits(smtpd_per_request_deadline=True))
    patience.since = 0.0
    patience.heard(100.0)
    patience.took(5000, 100.0)
    assert patience.deadline == 310.0
    patience.took(10_000_000, 200.0)
    assert patience.deadline == 500.0, "never more than smtpd_timeout"
