"""The queue as operators see it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from delivery.runtime.queuelist import as_text, listed
from delivery.spool import Listing, QueueState
from delivery.spool.records import ListedRecipient

ITEM = Listing(
    queue_id="4c9BsN2rG8z1",
    state=QueueState.DEFERRED,
    sender="ann@example.com",
    size=2048,
    arrived=1_800_000_000.0,
    next_attempt=1_800_000_300.0,
    attempts=1,
    recipients=(ListedRecipient(address="joe@far.example", reason="connection refused"),),
    recipient_count=3,
)


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine west of Greenwich."""
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_it_works() -> None:
    assert list(as_text([listed(ITEM)])) == [
        "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------",
        "4c9BsN2rG8z1      2048 Fri Jan 15 03:00:00  ann@example.com",
        "(connection refused)".rjust(78),
        " " * 41 + "joe@far.example",
        " " * 41 + "... and 2 more",
        "",
        "-- 2 Kbytes in 1 Request.",
    ]


def test_a_reason_is_said_once() -> None:
    told = [("a@x", "busy"), ("b@x", "busy"), ("c@x", ""), ("d@x", "closed"), ("e@x", "busy")]
    recipients = tuple(ListedRecipient(address=name, reason=reason) for name, reason in told)
    item = replace(ITEM, recipients=recipients, recipient_count=5)
    lines = [line.strip() for line in as_text([listed(item)])]
    assert lines[2:-2] == ["c@x", "(busy)", "a@x", "b@x", "(closed)", "d@x", "(busy)", "e@x"]


def test_a_day_has_two_columns() -> None:
    [_, line, *_] = as_text([listed(replace(ITEM, arrived=1_799_000_000.0))])
    assert " Sun Jan  3 13:13:20  ann" in line


def test_an_empty_queue() -> None:
    assert list(as_text([])) == ["Mail queue is empty"]


def test_states_have_marks_and_the_null_sender_a_name() -> None:
    for state, mark in (("active", "*"), ("hold", "!"), ("corrupt", "?"), ("deferred", " ")):
        text = list(as_text([{**listed(ITEM), "state": state, "sender": "", "reason": "why"}]))
        assert text[1].startswith(f"4c9BsN2rG8z1{mark} ")
        assert text[1].endswith("  MAILER-DAEMON")
        assert text[2].strip() == "(why)"


@pytest.mark.parametrize(("state", "mark"), [("deferred", "#"), ("active", "*"), ("hold", "!")])
def test_what_is_to_expire_is_marked(state: str, mark: str) -> None:
    text = list(as_text([{**listed(ITEM), "state": state, "expired": True}]))
    assert text[1].startswith(f"4c9BsN2rG8z1{mark} ")


def test_a_terminal_is_safe_from_other_servers() -> None:
    evil = {"address": "a@b", "status": "", "dsn": "", "reason": "550 \x1b]0;x\x07\u202e"}
    text = "\n".join(as_text([{**listed(ITEM), "recipients": [evil]}]))
    assert "\x1b" not in text
    assert "550 ?]0;x??" in text


@pytest.mark.parametrize("state", [QueueState.ACTIVE, QueueState.HOLD, QueueState.CORRUPT])
def test_what_is_not_deferred_has_no_next_attempt(state: QueueState) -> None:
    assert listed(replace(ITEM, state=state))["next_attempt"] is None


def test_json_has_everything() -> None:
    assert listed(ITEM) == {
        "id": "4c9BsN2rG8z1",
        "state": "deferred",
        "sender": "ann@example.com",
        "size": 2048,
        "arrived": 1_800_000_000.0,
        "next_attempt": 1_800_000_300.0,
        "attempts": 1,
        "reason": "",
        "expired": False,
        "recipient_count": 3,
        "recipients": [
            {
                "address": "joe@far.example",
                "status": "",
                "dsn": "",
                "reason": "connection refused",
            }
        ],
    }
