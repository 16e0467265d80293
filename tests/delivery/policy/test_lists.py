"""Lists compile once, and a list that cannot be is refused when the generation is loaded."""

from __future__ import annotations

import pytest

from delivery.policy.checks import Policy
from delivery.routing.router import Router
from tables.errors import ParameterError
from tables.parameters import Parameters
from tests.delivery.policy.script import BASE
from tests.delivery.twins_policy import MemoryTables


def policy(**raw: str) -> Policy:
    parameters, tables = Parameters({**BASE, **raw}), MemoryTables()
    tables.add("hash:access", {"a@b.test": "REJECT"})
    return Policy(parameters, tables, Router(parameters, tables))


def test_it_works() -> None:
    compiled = policy(
        smtpd_recipient_restrictions="permit_mynetworks, warn_if_reject "
        "check_sender_access hash:access, hash:access, reject"
    )
    steps = compiled.lists["recipient"]
    assert [(step.name, step.argument, step.warn) for step in steps] == [
        ("permit_mynetworks", "", False),
        ("check_sender_access", "hash:access", True),
        ("", "hash:access", False),
        ("reject", "", False),
    ]


def test_old_names_become_new_ones() -> None:
    compiled = policy(smtpd_helo_restrictions="reject_unknown_hostname")
    assert compiled.lists["helo"][0].name == "reject_unknown_helo_hostname"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reject_unauth_destinaton", "reject_unauth_destination"),
        ("check_sender_access", "a table"),
        ("reject_rbl_client list.test=127.0", "four numbers"),
        ("reject_rbl_client list.test=127.0.0.[1..300]", "0..255"),
        ("check_policy_service { inet:h:1, timeout=soon }", "soon"),
        ("check_policy_service { inet:h:1, colour=red }", "colour"),
        ("sleep long", "number"),
        ("warn_if_reject", "must follow"),
    ],
)
def test_it_rejects_what_it_does_not_understand(text: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said) as caught:
        policy(smtpd_recipient_restrictions=text)
    assert caught.value.name == "smtpd_recipient_restrictions"


def test_it_requires_a_class_to_have_a_definition() -> None:
    with pytest.raises(ParameterError, match="insiders") as caught:
        policy(smtpd_restriction_classes="insiders", insiders="")
    assert caught.value.name == "smtpd_restriction_classes"
