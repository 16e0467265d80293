"""Who is told what became of a message; RFC 3461, postconf(5) notify_classes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.addressees import (
    BounceSettings,
    ReportKind,
    addressees,
    is_told,
    report_envelope,
    reportable,
)
from delivery.values import Status
from tables.addresses import NULL, Address
from tests.delivery.test_bounce import ENVELOPE, FAILED, SETTINGS, person

ALICE = ENVELOPE.sender
ALL = ("bounce", "2bounce", "delay")


def who(kind: ReportKind, sender: Address, *classes: str) -> list[str]:
    settings = BounceSettings(
        myhostname="mx.example.net",
        notify_classes=classes,
        bounce_notice_recipient="b",
        double_bounce_recipient="2b@far.example",
        delay_notice_recipient="d",
    )
    return [
        f"{item.address.text}{'' if item.gets_message else ' headers'}"
        for item in addressees(kind, sender, settings)
    ]


def test_the_sender_is_told() -> None:
    assert who(ReportKind.FAILURE, ALICE) == ["alice@outside.example"]
    assert who(ReportKind.DELAY, ALICE) == ["alice@outside.example headers"]
    assert who(ReportKind.SUCCESS, ALICE, *ALL) == ["alice@outside.example headers"]
    assert who(ReportKind.FAILURE, NULL) == []


def test_the_postmaster_is_told_as_it_wants() -> None:
    assert who(ReportKind.FAILURE, ALICE, *ALL)[1:] == ["b headers"]
    assert who(ReportKind.FAILURE, ALICE, "2bounce", "delay")[1:] == []
    assert who(ReportKind.FAILURE, NULL, "bounce") == ["2b@far.example"]
    assert who(ReportKind.FAILURE, NULL, "2bounce") == ["2b@far.example"]
    assert who(ReportKind.DELAY, ALICE, *ALL)[1:] == ["d headers"]
    assert who(ReportKind.DELAY, NULL, "delay") == ["d"]
    assert who(ReportKind.DELAY, NULL, "bounce") == []


@pytest.mark.parametrize(
    "kind, status, notify, expected",
    [
        (ReportKind.FAILURE, Status.BOUNCED, (), True),
        (ReportKind.FAILURE, Status.EXPIRED, (), True),
        (ReportKind.FAILURE, Status.BOUNCED, ("FAILURE", "DELAY"), True),
        (ReportKind.FAILURE, Status.BOUNCED, ("NEVER",), False),
        (ReportKind.FAILURE, Status.BOUNCED, ("SUCCESS",), False),
        (ReportKind.FAILURE, Status.SENT, (), False),
        (ReportKind.FAILURE, Status.DEFERRED, (), False),
        (ReportKind.DELAY, Status.DEFERRED, (), True),
        (ReportKind.DELAY, Status.DEFERRED, ("FAILURE",), False),
        (ReportKind.DELAY, Status.DEFERRED, ("DELAY",), True),
        (ReportKind.DELAY, Status.DEFERRED, ("NEVER",), False),
        (ReportKind.SUCCESS, Status.SENT, (), False),
        (ReportKind.SUCCESS, Status.SENT, ("SUCCESS",), True),
        (ReportKind.SUCCESS, Status.BOUNCED, ("SUCCESS",), False),
        (ReportKind.CLEARED, Status.SENT, (), True),
        (ReportKind.CLEARED, Status.SENT, ("FAILURE", "DELAY"), True),
        (ReportKind.CLEARED, Status.SENT, ("FAILURE",), False),
        (ReportKind.CLEARED, Status.SENT, ("NEVER",), False),
        (ReportKind.CLEARED, Status.SENT, ("DELAY", "SUCCESS"), False),  # that is one report
        (ReportKind.CLEARED, Status.DEFERRED, (), False),
    ],
)
def test_notify_decides(
    kind: ReportKind, status: Status, notify: tuple[str, ...], expected: bool
) -> None:
    outcome = replace(FAILED, status=status, recipient=person("joe@far.example", *notify))
    assert reportable(kind, [outcome]) == ((outcome,) if expected else ())


def test_success_is_the_next_servers_duty_when_it_takes_it() -> None:
    told = person("joe@far.example", "SUCCESS")
    outcome = replace(FAILED, status=Status.SENT, recipient=told)
    assert reportable(ReportKind.SUCCESS, [outcome], passed_on={told}) == ()


@pytest.mark.parametrize(
    "sender, expected",
    [
        (Address("double-bounce", "mx.example.net"), False),
        (Address("Double-Bounce", "MX.example.net"), False),
        (Address("double-bounce", "other.example"), True),
        (Address("joe", "mx.example.net"), True),
    ],
)
def test_nobody_is_told_about_a_lost_report(sender: Address, expected: bool) -> None:
    assert bool(addressees(ReportKind.FAILURE, sender, SETTINGS)) is expected


def test_the_postmaster_hears_of_every_recipient() -> None:
    silent = replace(FAILED, recipient=person("joe@far.example", "NEVER"))
    kinds = [ReportKind.FAILURE]
    assert not is_told(kinds, silent, ALICE, SETTINGS)
    assert is_told(kinds, silent, ALICE, replace(SETTINGS, notify_classes=("bounce",)))


def test_the_reports_own_envelope() -> None:
    [sender, postmaster] = addressees(
        ReportKind.FAILURE, ALICE, replace(SETTINGS, notify_classes=("bounce",))
    )
    own = report_envelope(ENVELOPE, sender, SETTINGS)
    assert own.sender == Address("", "")
    copy = report_envelope(ENVELOPE, postmaster, SETTINGS)
    assert copy.sender == Address("double-bounce", "mx.example.net")
    assert [item.address for item in own.recipients] == [ENVELOPE.sender]
    assert own.client is None
