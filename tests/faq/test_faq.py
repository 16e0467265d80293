"""Every example of docs/FAQ.md: its requests are made, the rows go live, its claims hold."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from panel.constants import DEFAULT_NODE
from panel.models import Node
from panel.services.nodes import activate
from panel.services.publish import publish_changes
from panel.services.stores import generation_store
from panel.services.tokens import issue_token
from tests.faq.asking import Engine
from tests.faq.page import ALWAYS, ENTRIES, PAGE, Request
from tests.panel.api.client import Api
from tests.panel.conftest import add_well_known
from tests.panel.conftest import home as home  # a fixture


@pytest.fixture
def api(transactional_db: None) -> Api:
    add_well_known()
    Node.objects.create(name=DEFAULT_NODE)
    return Api(issue_token(User.objects.create_superuser("root"), name="tests")[1])


def make(api: Api, requests: list[Request]) -> None:
    """All requests; {name} in a path is the id of the row that was answered with that name."""
    ids: dict[str, int] = {}
    for request in requests:
        path = re.sub(r"\{(\w+)\}", lambda match: str(ids[match[1]]), request.path)
        response = api(request.method, path, request.body)
        assert response.status_code < 300, (request, response.content)
        row = response.json() if response.content else {}
        if isinstance(row, dict) and "name" in row:
            ids[row["name"]] = row["id"]


@pytest.mark.parametrize("title", ENTRIES)
def test_the_example_is_right(
    api: Api, home: Path, monkeypatch: pytest.MonkeyPatch, title: str
) -> None:
    entry = ENTRIES[title]
    monkeypatch.setenv("WAYPOST_HOME", str(home))  # postmap looks there
    make(api, ALWAYS.requests + entry.requests)
    made = publish_changes(settle_s=0)
    assert made is not None
    assert made.state == "published", made.report
    activate(DEFAULT_NODE)
    engine = Engine(generation_store().root, home)
    found = {claim.question: asyncio.run(engine.ask(claim.question)) for claim in entry.claims}
    assert found == {claim.question: claim.answer for claim in entry.claims}


def test_every_entry_says_what_to_do() -> None:
    text = PAGE.read_text(encoding="utf-8")
    titles = re.findall(r"^### (.+)$", text, re.MULTILINE)
    bodies = dict(zip(titles, re.split(r"^### .+$", text, flags=re.MULTILINE)[1:], strict=True))
    silent = [title for title, body in bodies.items() if "**Panel:**" not in body]
    assert [title for title in silent if "Nothing to set." not in bodies[title]] == []
    assert all(ENTRIES[title].claims for title in ENTRIES)
    assert len(titles) >= 40
