"""The status line, and how far an edit has come."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from panel.models import Change, Domain, Generation, Node, NodeState
from tests.panel.admin.test_generation import published

FAR = "999999999:999999999:"  # a snapshot that sees every revision


def status(client: Client, *edits: object) -> dict[str, Any]:
    response = client.get(reverse("admin:panel_status"), {"edit": edits})
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    return dict(response.json())


def texts(client: Client) -> list[str]:
    return [part["text"] for part in status(client)["parts"]]


def node(name: str = "north", **state: Any) -> Node:
    made = Node.objects.create(name=name)
    fields = {"engine_reachable": True, "checked_at": timezone.now(), **state}
    NodeState.objects.create(node=made, **fields)
    return made


@pytest.fixture
def live(well_known: None) -> Generation:
    generation = published(1)
    Generation.objects.update(snapshot=FAR)
    node(generation=1, digest=generation.digest)
    return generation


def test_it_works(admin: Client, live: Generation) -> None:
    assert texts(admin) == ["All changes are published", "Generation 1 is live"]
    assert "Generation 1 is live" in admin.get(reverse("admin:index")).text


def test_it_counts_what_waits(admin: Client, live: Generation) -> None:
    Generation.objects.update(snapshot="1:1:")
    Change.objects.all().delete()
    Domain.objects.create(name="one.example")
    assert texts(admin)[0] == "1 change is not published yet"
    Domain.objects.create(name="two.example")
    assert texts(admin)[0] == "2 changes are not published yet"


def test_it_tells_of_a_publish_at_work(admin: Client, live: Generation) -> None:
    Generation.objects.create(number=2, state="building", started=timezone.now())
    part = status(admin)["parts"][0]
    assert part["text"] == "Publishing generation 2 for 0 s …"
    assert part["level"] == "busy"


def test_it_tells_of_a_refused_publish(admin: Client, live: Generation) -> None:
    Generation.objects.update(snapshot="1:1:")
    row = Generation.objects.create(
        number=2, state="refused", snapshot=FAR, report={"error_count": 2}
    )
    part = status(admin)["parts"][0]
    assert part["text"] == "Generation 2 was refused: 2 errors"
    assert part["url"] == reverse("admin:panel_generation_change", args=[row.pk])


def test_a_refused_publish_is_over_when_the_rows_are_as_they_were(
    admin: Client, live: Generation
) -> None:
    Generation.objects.create(number=2, state="refused", snapshot=FAR)
    assert texts(admin)[0] == "All changes are published"
    assert "stays live until this is mended" not in admin.get(reverse("admin:index")).text


def test_it_tells_of_a_failed_publish(admin: Client, live: Generation) -> None:
    Generation.objects.create(number=2, state="failed")
    assert texts(admin)[0] == "Generation 2 could not be written"


def test_it_tells_of_nodes_that_lag_or_are_silent(admin: Client, live: Generation) -> None:
    node("lagging", generation=0)
    node("silent", engine_reachable=False, generation=1)
    Node.objects.create(name="new")
    Node.objects.create(name="off", enabled=False)
    assert texts(admin)[1:] == [
        "lagging still runs generation 0",
        "new has not answered yet",
        "The engine of silent does not answer",
    ]


def test_without_a_node_it_says_so(admin: Client) -> None:
    assert "There is no node" in texts(admin)


def test_an_edit_is_followed_until_it_is_live(admin: Client, live: Generation) -> None:
    Generation.objects.update(snapshot="100:100:")
    assert status(admin, 500)["edits"]["500"]["text"] == "Not live yet …"
    assert status(admin, 99)["edits"]["99"]["text"] == "Live in generation 1."
    NodeState.objects.update(generation=0)
    waiting = status(admin, 99)["edits"]["99"]
    assert (waiting["level"], waiting["text"]) == (
        "busy",
        "In generation 1; waiting for the nodes …",
    )
    Generation.objects.create(number=2, state="refused", snapshot=FAR)
    refused = status(admin, 500)["edits"]["500"]
    assert (refused["level"], refused["text"]) == (
        "bad",
        "Not live: generation 2 was refused, see why.",
    )


@pytest.mark.parametrize("edit", ["", "x", "-1", "9" * 30, "1'", "\x00", "٣"])
def test_it_bears_odd_questions(admin: Client, edit: str) -> None:
    assert status(admin, edit)["edits"] == {}


def test_it_answers_a_few_questions_at_once(admin: Client) -> None:
    assert len(status(admin, *range(1, 100))["edits"]) == 10


def test_it_requires_a_login(client: Client, well_known: None) -> None:
    response = client.get(reverse("admin:panel_status"))
    assert response.status_code == 302
    assert client.get(reverse("admin:login")).status_code == 200


def test_it_asks_a_handful_of_queries(
    admin: Client, live: Generation, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(14):
        status(admin, 5)
