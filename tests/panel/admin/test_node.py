"""Pages of nodes, and of the queue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from panel.admin.queue import counts_in_words
from panel.models import Node, NodeState
from tests.panel.admin.suite import MARKUP, ReadSuite
from tests.panel.twins import EngineTwin

QUEUE, FLUSH = "/admin/panel/node/queue/", "/admin/panel/node/queue/flush/"


class TestNode(ReadSuite):
    page = "node"
    word = "one"

    def make(self, number: int) -> Node:
        name = {1: "one"}.get(number, f"n{number}")
        node = Node.objects.create(name=name)
        NodeState.objects.create(
            node=node,
            engine={
                "queue": {"hold": 2, "active": number, "corrupt": 0},
                "version": MARKUP,
                "started": 1e9,
            },
            error=MARKUP,
            checked_at=timezone.now(),
        )
        return node

    def test_it_tells_what_the_engine_said(self, admin: Client) -> None:
        page = admin.get(self.url("change", self.make(7).pk)).text
        assert "<dd>active 7, hold 2</dd>" in page
        assert "2001-09-09 01:46:40" in page
        assert MARKUP not in page

    def test_a_node_is_added_and_disabled(self, admin: Client) -> None:
        assert admin.post(self.url("add"), {"name": "Not Good"}).status_code == 200
        assert admin.post(self.url("add"), {"name": "north", "enabled": "on"}).status_code == 302
        node = Node.objects.get(name="north")
        admin.post(self.url("change", node.pk), {"name": "other"})
        node.refresh_from_db()
        assert (node.name, node.enabled) == ("north", False)


@pytest.mark.parametrize(
    "counts, said",
    [
        ({"hold": 1, "incoming": 2, "odd": 3, "deferred": 4, "active": 5, "corrupt": 0},
         "incoming 2, active 5, deferred 4, hold 1, odd 3"),
        ({"active": 0, "hold": 0}, "empty"),
        ({}, ""),
        (None, ""),
        ("nonsense", ""),
    ],
)  # fmt: skip
def test_the_queue_in_words(counts: object, said: str) -> None:
    assert counts_in_words(counts) == said


def message(number: int) -> dict[str, object]:
    return {
        "id": f"Q{number}",
        "sender": f"{MARKUP}@x.test",
        "size": 1234,
        "arrived": 1e9,
        "state": "deferred",
        "attempts": 3,
        "reason": f"{MARKUP} busy",
        "next_attempt": 1e9 + 60,
        "recipients": [
            {
                "address": "amy@far.test",
                "status": "deferred",
                "reason": f"host said: 451 {MARKUP}\r\n\x1b[31m",
            }
        ],
    }


@pytest.fixture
def engine(home: Path):
    with EngineTwin(home) as twin:
        yield twin


def test_the_queue_is_shown_with_reasons(admin: Client, engine: EngineTwin) -> None:
    reply = {"ok": True, "messages": [message(1), message(2)], "more": True}
    engine.raw_reply = json.dumps(reply).encode() + b"\n"
    page = admin.get(QUEUE).text
    assert "amy@far.test" in page
    assert "host said: 451" in page
    assert "deferred, tried 3 times" in page
    assert "next try 2001-09-09 01:47:40" in page
    assert MARKUP not in page
    assert "\x1b" not in page
    assert "?after=Q2" in page


def test_an_empty_queue_says_so(admin: Client, engine: EngineTwin) -> None:
    assert "The queue is empty" in admin.get(QUEUE).text


def test_a_silent_engine_is_told(admin: Client) -> None:
    assert "does not answer" in admin.get(QUEUE).text
    assert "does not answer" in admin.post(FLUSH, follow=True).text


@pytest.mark.parametrize(
    "reply",
    [
        b'{"ok": true}',
        b'{"ok": true, "messages": [1, null, {}]}',
        b'{"ok": true, "messages": "x", "more": 1}',
        b'{"ok": true, "messages": [{"recipients": 3, "arrived": 1e300, "size": "x"}]}',
        b'{"ok": true, "messages": [{"next_attempt": "soon"}], "more": true}',
        b'{"ok": false, "error": "<script>alert(1)</script>"}',
        b"nonsense",
        b"[]",
    ],
)
def test_a_strange_answer_breaks_no_page(admin: Client, engine: EngineTwin, reply: bytes) -> None:
    engine.raw_reply = reply + b"\n"
    response = admin.get(QUEUE)
    assert response.status_code == 200
    assert MARKUP not in response.text


def test_flushing_tells_how_many(admin: Client, engine: EngineTwin) -> None:
    assert "3 messages will be tried now." in admin.post(FLUSH, follow=True).text
    assert {"command": "flush"} in engine.requests


def test_flushing_takes_post_the_token_and_permission(
    admin: Client, staff, engine: EngineTwin
) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = admin.cookies
    looker = staff("view_node")
    assert admin.get(FLUSH).status_code == 405
    assert strict.post(FLUSH).status_code == 403
    assert looker.get(QUEUE).status_code == 200
    assert "Try all now" not in looker.get(QUEUE).text
    assert looker.post(FLUSH).status_code == 403
    assert staff(name="nobody").get(QUEUE).status_code == 403
    assert {"command": "flush"} not in engine.requests


def test_the_queue_requires_a_login(client: Client, well_known: None) -> None:
    for url in (QUEUE, FLUSH):
        assert reverse("admin:login") in client.get(url)["Location"]
