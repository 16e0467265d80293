"""/messages/: where a message went."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from panel.models import JournalEvent, Node
from panel.services.tokens import issue_token
from tests.panel.api.client import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Api:
    return Api(issue_token(User.objects.create_superuser("root"), name="tests")[1])


@pytest.fixture
def events() -> list[JournalEvent]:
    node = Node.objects.create(name="here")
    return [
        JournalEvent.objects.create(node=node, at=timezone.now(), **values)
        for values in (
            {"event": "accepted", "queue_id": "4jX", "sender": "ann@sender.test"},
            {"event": "delivered", "queue_id": "4jX", "recipient": "joe@ex.test", "generation": 7},
            {"event": "rejected", "recipient": "zoe@ex.test", "details": {"reply": "550 5.1.1"}},
        )
    ]


def test_it_works(api: Api, events: list[JournalEvent]) -> None:
    found = api.get("messages/?queue_id=4jX")["results"]
    assert [each["event"] for each in found] == ["delivered", "accepted"]
    assert (found[0]["node"], found[0]["generation"]) == ("here", 7)
    assert api.get(f"messages/{found[0]['id']}/") == found[0]


@pytest.mark.parametrize(
    "query, count",
    [
        ("recipient=joe@", 1),
        ("sender=ann@sender.test", 1),
        ("event=rejected", 1),
        ("generation=7", 1),
        ("until=2020-01-01T00:00:00Z", 0),
        ("", 3),
    ],
)
def test_it_filters(api: Api, events: list[JournalEvent], query: str, count: int) -> None:
    assert api.get(f"messages/?{query}")["count"] == count


def test_it_asks_for_the_permission_to_look(events: list[JournalEvent]) -> None:
    clerk = Api(issue_token(User.objects.create_user("clerk"), name="tests")[1])
    assert clerk("GET", "messages/").status_code == 403
