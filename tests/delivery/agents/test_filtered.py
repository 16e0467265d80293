"""Outcomes in other words: postconf(5) default_delivery_status_filter."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from delivery.agents.base import Delivery, Part, Result
from delivery.agents.filtered import FilteredAgent
from delivery.values import Outcome, Route, Status
from tables.formats.base import FailMap
from tables.reading.lookup import Maps
from tests.delivery.agents.remotes import letter, maps
from tests.delivery.spool.messages import asynchronous, recipient

JOE, ANN = recipient("joe@far.example"), recipient("ann@far.example")
_CLASSES = {"2": Status.SENT, "4": Status.DEFERRED, "5": Status.BOUNCED}


@dataclass
class Told:
    """An agent that has been somewhere already."""

    result: Result

    async def deliver(self, delivery: Delivery) -> Result:
        return self.result


def told(text: str, who: object = JOE) -> Outcome:
    dsn, _, reason = text.partition(" ")
    return Outcome(recipient=who, status=_CLASSES[dsn[0]], dsn=dsn, reason=reason)  # type: ignore[arg-type]


def said(outcome: Outcome) -> str:
    assert outcome.status is _CLASSES[outcome.dsn[0]]
    return f"{outcome.dsn} {outcome.reason}"


def filtered(result: Result, tables: Maps) -> Result:
    found: list[Result] = []

    @asynchronous
    async def run() -> None:
        agent = FilteredAgent(Told(result), tables, "smtp_delivery_status_filter")
        found.append(await agent.deliver(letter(JOE)))

    run()
    return found[0]


@pytest.mark.parametrize(
    ("given", "answer", "expected"),
    [
        ("5.1.1 no such user", "4.2.1 try again", "4.2.1 try again"),
        ("4.4.1 timed out", "5.4.1 it never answers", "5.4.1 it never answers"),
        ("2.0.0 250 ok", "2.6.0 gone", "2.6.0 gone"),
        ("5.1.1 no such user", "2.0.0 fine", "5.1.1 no such user"),
        ("2.0.0 250 ok", "5.0.0 lost", "2.0.0 250 ok"),
        ("5.1.1 no such user", "nonsense", "5.1.1 no such user"),
        ("5.1.1 no such user", "5.1.1", "5.1.1 no such user"),
    ],
)
def test_it_works(given: str, answer: str, expected: str) -> None:
    result = Result(outcomes=(told(given),), passed_on=frozenset({JOE}))
    found = filtered(result, maps({given: answer}))
    assert [said(each) for each in found.outcomes] == [expected]
    assert found.passed_on == {JOE}
    assert filtered(result, maps({"something else": answer})) == result


@pytest.mark.parametrize(
    ("given", "expected"),
    [("5.1.1 no", "4.1.1 no"), ("4.1.1 no", "4.1.1 no"), ("2.0.0 ok", "2.0.0 ok")],
)
def test_a_table_that_cannot_be_asked_returns_nothing(given: str, expected: str) -> None:
    found = filtered(Result(outcomes=(told(given),)), Maps([("memory:broken", FailMap("down"))]))
    assert [said(each) for each in found.outcomes] == [expected]


@pytest.mark.parametrize(
    ("part", "answer", "whole", "expected"),
    [
        ("4.2.2 full", "5.2.2 full for ever", "4.2.2 full", Status.SENT),
        ("5.2.2 full", "4.2.2 wait", "2.0.0 aliased", Status.DEFERRED),
        ("5.2.2 full", "5.7.1 other words", "2.0.0 aliased", Status.SENT),
    ],
)
def test_one_that_stands_for_others(part: str, answer: str, whole: str, expected: Status) -> None:
    far = Part(outcome=told(part, ANN), route=Route("smtp", "far.example"))
    near = Part(outcome=told(part, ANN))
    both = Result(outcomes=(told(whole),), parts={JOE: (near,)})
    found = filtered(both, maps({part: answer}))
    assert said(found.parts[JOE][0].outcome) == answer
    assert [each.status for each in found.outcomes] == [expected]
    elsewhere = Result(outcomes=(told(whole),), parts={JOE: (far,)})
    assert filtered(elsewhere, maps({part: answer})) == elsewhere
