"""When two observations are the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from conformance_machine.compare import differences

OBSERVED: dict[str, Any] = {
    "greeting": [{"code": 220, "enhanced": None, "text": ["a ESMTP Postfix"]}],
    "replies": [
        {"code": 250, "enhanced": "2.1.0", "text": ["Ok"]},
        [{"code": 554, "enhanced": "5.7.1", "text": ["no"]}, {"code": None, "enhanced": None}],
    ],
    "deliveries": [
        {
            "stage": 0,
            "queue": "Q1",
            "transport": "smtp",
            "nexthop": "a.example",
            "sender": "x@b.example",
            "recipient": "y@a.example",
            "original_recipient": "y@a.example",
            "relay": "a.example[192.0.2.1]:25",
            "status": "sent",
            "dsn": "2.0.0",
            "reason": "250 Ok",
        }
    ],
    "mailboxes": [
        {
            "path": "{MAIL}/joe",
            "format": "mbox",
            "owner": "joe",
            "from_line": "From x@b.example",
            "headers": [["Received", "from a"], ["Subject", "one\n two"], ["Date", "{DATE}"]],
            "body": "Hello\n",
        }
    ],
    "smtp_out": [
        {
            "address": "192.0.2.1",
            "port": 25,
            "mail_from": "",
            "mail_params": [],
            "rcpt_to": [["x@b.example"]],
            "headers": [["Subject", "Undelivered"], ["X-Kept", "1"]],
            "report": {
                "per_recipient": [{"Action": "failed", "Status": "5.1.1", "Remote-MTA": "x"}],
                "returned_body": True,
            },
        }
    ],
    "left_in_queue": [{"queue": "hold", "sender": "a", "recipients": ["b"], "reasons": ["c"]}],
}


def changed(path: str, value: object) -> dict[str, Any]:
    """The observation with another value at "mailboxes.0.owner"."""
    found = copy.deepcopy(OBSERVED)
    place: Any = found
    *parents, last = [int(word) if word.isdigit() else word for word in path.split(".")]
    for word in parents:
        place = place[word]
    place[last] = value
    return found


def same(actual: dict[str, Any], level: str) -> bool:
    return not list(differences(OBSERVED, actual, level))


@pytest.mark.parametrize("level", ["decision", "exact"])
def test_it_works(level: str) -> None:
    assert same(copy.deepcopy(OBSERVED), level)


@pytest.mark.parametrize(
    ("path", "value", "decision", "exact"),
    [
        ("replies.0.text", ["Fine"], True, True),
        ("replies.0.code", 251, True, False),
        ("replies.0.enhanced", None, True, False),
        ("replies.0.code", 450, False, False),
        ("replies.1.1.code", 421, False, False),
        ("greeting", [], False, False),
        ("deliveries.0.reason", "other", True, True),
        ("deliveries.0.relay", "none", True, True),
        ("deliveries.0.queue", "Q2", True, True),
        ("deliveries.0.sender", "z@b.example", True, False),
        ("deliveries.0.dsn", "2.1.5", True, False),
        ("deliveries.0.nexthop", "[a.example]", False, False),
        ("deliveries.0.status", "deferred", False, False),
        ("deliveries", [], False, False),
        ("mailboxes.0.owner", "root", True, False),
        ("mailboxes.0.body", "Hello.\n", True, False),
        ("mailboxes.0.headers.0.1", "from b", True, True),
        ("mailboxes.0.headers.1.1", "one\n\ttwo", True, True),
        ("mailboxes.0.headers.1.1", "one two three", True, False),
        ("mailboxes.0.headers.2.1", "{DATE} later", True, True),
        ("smtp_out.0.headers.0.1", "Returned", True, True),
        ("smtp_out.0.headers.1.1", "2", True, False),
        ("smtp_out.0.report.per_recipient.0.Remote-MTA", "y", True, True),
        ("smtp_out.0.report.per_recipient.0.Status", "5.1.2", True, False),
        ("smtp_out.0.report.returned_body", False, True, False),
        ("smtp_out.0.tls", {"protocol": "TLSv1.3"}, True, False),
        ("left_in_queue.0.reasons", [], True, True),
        ("left_in_queue.0.queue", "deferred", True, False),
        ("commands", [{"argv": ["x"], "env": {}, "user": "joe", "headers": []}], True, False),
    ],
)
def test_what_counts(path: str, value: object, decision: bool, exact: bool) -> None:
    actual = changed(path, value)
    assert (same(actual, "decision"), same(actual, "exact")) == (decision, exact)


def test_order_means_nothing_among_deliveries() -> None:
    two = copy.deepcopy(OBSERVED)
    two["deliveries"].append({**two["deliveries"][0], "recipient": "z@a.example"})
    turned = copy.deepcopy(two)
    turned["deliveries"].reverse()
    assert not list(differences(two, turned, "exact"))


def test_a_decision_is_a_set_an_exact_observation_counts() -> None:
    twice = changed("deliveries", OBSERVED["deliveries"] * 2)
    assert same(twice, "decision")
    assert [line.split()[:2] for line in differences(OBSERVED, twice, "exact")] == [
        ["deliveries", "unwanted"]
    ]


def test_the_next_hop_of_an_error_is_for_people() -> None:
    first = changed("deliveries.0.transport", "error")
    second = copy.deepcopy(first)
    second["deliveries"][0]["nexthop"] = "closed"
    assert not list(differences(first, second, "exact"))
