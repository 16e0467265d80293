"""Waiting until an edit is live, publishing by request, and what generations say of themselves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection

from panel.api import generations, writes
from panel.constants import DEFAULT_NODE
from panel.models import Entry, Generation, Node, Table
from panel.services.live import answer_to, is_refused, running_nodes, wait_until_live
from panel.services.nodes import activate
from panel.services.publish import publish_changes
from panel.services.tokens import issue_token
from tests.panel.api.client import Api
from tests.panel.twins import EngineTwin

pytestmark = pytest.mark.usefixtures("committed")
BODY = {"name": "example.com", "kind": "relay"}


@pytest.fixture
def api() -> Api:
    return Api(issue_token(User.objects.create_superuser("root"), name="tests")[1])


@pytest.fixture
def engine(home: Path) -> Iterator[EngineTwin]:
    Node.objects.create(name=DEFAULT_NODE)
    with EngineTwin(home) as running:
        yield running


def publish_and_activate() -> None:
    """What the worker does."""
    publish_changes(settle_s=0)
    activate(DEFAULT_NODE)


@contextmanager
def a_worker() -> Iterator[None]:
    """Publishes what is due, until the end of the block."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.02):
            publish_and_activate()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_it_works(api: Api, engine: EngineTwin) -> None:
    with a_worker():
        response = api("POST", "domains/", BODY, Prefer="wait=live, timeout=20")
    assert response.status_code == 201
    assert response["Preference-Applied"] == "wait=live"
    assert "Waypost-Live" not in response
    generation = api.get("generations/")["results"][0]
    assert generation["state"] == "published"
    assert (generation["live"], generation["is_live"]) == ([DEFAULT_NODE], True)
    assert engine.generation == generation["number"] == generation["id"]
    assert api.get(f"generations/{generation['id']}/") == generation


def test_not_in_time_is_said(api: Api, engine: EngineTwin) -> None:
    response = api("POST", "domains/", BODY, Prefer="wait=live; timeout=0")
    assert response.status_code == 201
    assert response["Waypost-Live"] == "false"
    assert "Preference-Applied" not in response


def test_nobody_waits_unasked(api: Api, engine: EngineTwin) -> None:
    for prefer in ("", "wait=10", "respond-async", "return=minimal, handling=strict"):
        response = api("PUT", "domains/by-key/example.com/", {"kind": "relay"}, Prefer=prefer)
        assert "Waypost-Live" not in response
        assert "Preference-Applied" not in response


def test_a_refused_edit_is_not_waited_for(api: Api, engine: EngineTwin) -> None:
    table = Table.objects.get(name="virtual")
    Entry.objects.bulk_create([Entry(table=table, key="joe@example.com", value="")])
    with a_worker():
        response = api("POST", "domains/", BODY, Prefer="wait=live, timeout=60")
    assert response["Waypost-Live"] == "false"
    revision = int(response["Waypost-Revision"])
    assert is_refused(revision)
    newest = api.get("generations/?state=refused")["results"][0]
    assert newest["report"]["error_count"] == 1
    assert newest["live"] == []


def test_a_write_that_alters_nothing_waits_for_what_is_pending(
    api: Api, engine: EngineTwin
) -> None:
    made = api("POST", "domains/", BODY)
    again = api("PUT", "domains/by-key/example.com/", BODY, Prefer="wait=live,timeout=0")
    assert again["Waypost-Revision"] == made["Waypost-Revision"]
    assert again["Waypost-Live"] == "false"
    publish_and_activate()
    again = api("PUT", "domains/by-key/example.com/", BODY, Prefer="wait=live,timeout=0")
    assert again["Preference-Applied"] == "wait=live"


def test_a_repeated_request_waits_too(api: Api, engine: EngineTwin) -> None:
    headers = {"Idempotency_Key": "one", "Prefer": "wait=live, timeout=0"}
    assert api("POST", "domains/", BODY, **headers)["Waypost-Live"] == "false"
    publish_and_activate()
    again = api("POST", "domains/", BODY, **headers)
    assert again["Idempotency-Replayed"] == "true"
    assert again["Preference-Applied"] == "wait=live"


def test_an_edit_is_live_when_the_engine_says_so(api: Api, engine: EngineTwin) -> None:
    revision = int(api("POST", "domains/", BODY)["Waypost-Revision"])
    publish_changes(settle_s=0)
    assert not wait_until_live([revision], 0)
    assert running_nodes() == {}
    activate(DEFAULT_NODE)
    assert wait_until_live([revision], 0)
    assert running_nodes() == {1: [DEFAULT_NODE]}
    Node.objects.create(name="second")
    assert not wait_until_live([revision], 0)
    assert api.get("generations/1/")["is_live"] is False
    Node.objects.filter(name="second").update(enabled=False)
    assert wait_until_live([revision], 0)


def test_only_some_wait_at_a_time(api: Api, engine: EngineTwin) -> None:
    for _ in range(writes.WAITERS):
        assert writes._waiting.acquire(blocking=False)
    try:
        response = api("POST", "domains/", BODY, Prefer="wait=live, timeout=60")
    finally:
        for _ in range(writes.WAITERS):
            writes._waiting.release()
    assert response.status_code == 201
    assert response["Waypost-Live"] == "false"


def test_publishing_needs_the_broker(api: Api, engine: EngineTwin) -> None:
    response = api("POST", "generations/")
    assert response.status_code == 503
    assert not Generation.objects.exists()


def test_the_answer_to_a_publish_is_the_attempt_that_saw_it(api: Api, engine: EngineTwin) -> None:
    revision = int(api("POST", "domains/", BODY)["Waypost-Revision"])
    assert answer_to(revision, 0) is None
    made = publish_changes(settle_s=0)
    assert made is not None
    found = answer_to(revision, generations.ANSWER_S)
    assert found is not None
    assert found.number == made.number


def test_nodes_and_changes_can_be_read(api: Api, engine: EngineTwin) -> None:
    api.add("domains/", BODY)
    assert api.get("changes/?pending=true&model=domain")["count"] == 1
    publish_and_activate()
    assert api.get("changes/?pending=true")["count"] == 0
    assert api.get("changes/?pending=false&model=domain&operation=insert")["count"] == 1
    change = api.get("changes/?model=domain")["results"][0]
    assert (change["actor"], change["source"], change["before"]) == ("root", "api", None)
    assert api.get(f"changes/{change['id']}/") == change
    (node,) = api.get("nodes/")["results"]
    assert (node["name"], node["state"]["generation"]) == (DEFAULT_NODE, 1)
    assert node["state"]["engine_reachable"] is True
