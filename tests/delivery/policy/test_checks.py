"""What a check leaves behind: the rule that decided, notes, a trace; and that it does not wait."""

from __future__ import annotations

from typing import Any

import pytest

from delivery.policy.checks import Checks, Policy
from delivery.policy.facts import Facts, Stage
from delivery.policy.verdict import Blame, Decision
from delivery.routing.router import Router
from delivery.values import Client
from tables.addresses import Address
from tables.parameters import Parameters
from tests.delivery.policy.script import BASE
from tests.delivery.twins_policy import Listener, MemoryAsk, MemoryTables

FACTS = Facts(
    stage=Stage.RCPT,
    client=Client(address="192.0.2.1", port=25, name="x.test"),
    helo="x.test",
    sender=Address("a", "b.test"),
    recipient=Address("joe", "my.domain"),
)


def checks(trace: Listener | None = None, **raw: str) -> Checks:
    parameters, tables = Parameters({**BASE, **raw}), MemoryTables()
    tables.add("hash:access", {"b.test": "REJECT no", "c.test": "450 4.2.0 later"})
    return Checks(Policy(parameters, tables, Router(parameters, tables)), MemoryAsk(), trace)


def finish(deciding: Any) -> Any:
    """Run a check that has no reason to wait."""
    if isinstance(deciding, Decision):
        return deciding
    try:
        deciding.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the check waits")


def test_it_works() -> None:
    decision = finish(checks().rcpt(FACTS))
    assert decision == Decision()
    assert not decision.refused


def test_it_names_the_rule_and_the_entry() -> None:
    decision = finish(
        checks(
            smtpd_recipient_restrictions="permit_mynetworks, check_sender_access hash:access"
        ).rcpt(FACTS)
    )
    assert (decision.list_name, decision.restriction, decision.argument) == (
        "smtpd_recipient_restrictions",
        "check_sender_access",
        "hash:access",
    )
    assert (decision.table, decision.key) == ("hash:access", "b.test")


def test_it_names_the_rule_that_nobody_wrote() -> None:
    decision = finish(checks(local_recipient_maps="inline:{jane=x}").rcpt(FACTS))
    assert (decision.code, decision.restriction) == (550, "reject_unlisted_recipient")


def test_it_tells_a_listener_everything() -> None:
    trace = Listener()
    lists = "permit_mynetworks, check_sender_access hash:access, reject"
    finish(checks(trace, smtpd_recipient_restrictions=lists).rcpt(FACTS))
    name = "smtpd_recipient_restrictions"
    assert trace.restrictions == [
        (name, "permit_mynetworks", "", "dunno"),
        (
            name,
            "check_sender_access",
            "hash:access",
            "reject 554 5.7.1 <a@b.test>: Sender address rejected: no",
        ),
    ]
    assert trace.lookups == [
        ("hash:access", "a@b.test", None),
        ("hash:access", "b.test", "REJECT no"),
    ]


def test_it_decides_the_same_with_and_without_a_listener() -> None:
    lists = "check_sender_access hash:access, reject"
    heard = finish(checks(Listener(), smtpd_recipient_restrictions=lists).rcpt(FACTS))
    assert heard == finish(checks(smtpd_recipient_restrictions=lists).rcpt(FACTS))


def test_a_long_or_strange_text_becomes_one_printable_line() -> None:
    strange = "x" * 600 + "\r\n250 OK"
    decision = finish(
        checks(
            smtpd_recipient_restrictions="check_sender_access inline:{{b.test = REJECT "
            + strange.replace("\r\n", "\x01")
            + "}}"
        ).rcpt(FACTS)
    )
    line = f"{decision.code} {decision.enhanced} {decision.text}"
    assert len(line) <= 512
    assert line.isprintable()


@pytest.mark.parametrize(
    "restrictions, code, blame",
    [
        ("check_sender_access fail:away", 451, Blame.DATA),
        ("check_sender_access inline:{b.test=nonsense}", 451, Blame.SOFTWARE),
        ("check_sender_access hash:access", 554, Blame.POLICY),
        ("reject_unlisted_recipient", 0, Blame.POLICY),
    ],
)
def test_it_says_whose_fault_it_is(restrictions: str, code: int, blame: Blame) -> None:
    """postconf(5) notify_classes."""
    decision = finish(checks(smtpd_recipient_restrictions=restrictions).rcpt(FACTS))
    assert (decision.code, decision.blame) == (code, blame)
