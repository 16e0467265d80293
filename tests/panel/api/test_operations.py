"""Lint and the mail queue."""

from __future__ import annotations

from pathlib import Path

from django.contrib.auth.models import User

from panel.models import Entry, Table
from tests.panel.api.client import Api
from tests.panel.api.conftest import grant
from tests.panel.twins import EngineTwin


def test_it_works(api: Api, home: Path) -> None:
    with EngineTwin(home) as engine:
        assert api.get("queue/?limit=7&after=4fX") == {"messages": [], "more": False}
        assert api("POST", "queue/flush/").json() == {"scheduled": 3}
    assert engine.requests == [
        {"command": "queue", "limit": 7, "after": "4fX"},
        {"command": "flush"},
    ]


def test_an_engine_that_is_away_is_a_problem(api: Api) -> None:
    assert api("GET", "queue/").status_code == 503
    assert api("POST", "queue/flush/").status_code == 503


def test_an_engine_that_refuses_is_a_problem(api: Api, home: Path) -> None:
    with EngineTwin(home) as engine:
        engine.raw_reply = b'{"ok": false, "error": "no spool"}\n'
        response = api("GET", "queue/")
    assert response.status_code == 502
    assert "no spool" in response.json()["detail"]


def test_lint_says_what_a_publish_would(api: Api) -> None:
    assert api.get("lint/")["error_count"] == 0
    table = Table.objects.get(name="virtual")
    Entry.objects.bulk_create([Entry(table=table, key="joe@example.com", value="")])
    report = api.get("lint/")
    assert report["error_count"] == 1
    assert report["errors"][0]["row"] == f"entry:{Entry.objects.get().pk}"


def test_they_need_permissions(as_amy: Api, amy: User, reader: Api) -> None:
    for method, path, codename in (
        ("GET", "lint/", "view_generation"),
        ("GET", "queue/", "view_node"),
        ("POST", "queue/flush/", "change_node"),
        ("POST", "generations/", "add_generation"),
    ):
        assert Api()(method, path).status_code == 401
        refused = as_amy(method, path)
        assert refused.status_code == 403, path
        assert codename in refused.json()["detail"]
        grant(amy, codename)
        assert as_amy(method, path).status_code in (200, 503), path
    assert reader("POST", "queue/flush/").status_code == 403
    assert reader("POST", "generations/").status_code == 403
