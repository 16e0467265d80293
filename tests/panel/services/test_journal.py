"""services/journal: every line of a node's journal is stored once."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from panel.constants import JOURNAL_KEPT_DAYS
from panel.models import JournalEvent, JournalPosition, Node
from panel.services import journal

pytestmark = pytest.mark.django_db


@pytest.fixture
def node() -> Node:
    return Node.objects.create(name="here")


@pytest.fixture
def directory(home: Path) -> Path:
    place = home / "journal"
    place.mkdir()
    return place


def line(event: str = "delivered", **values: object) -> str:
    return json.dumps({"time": 1795355792.5, "event": event, **values}) + "\n"


def test_it_works(node: Node, directory: Path) -> None:
    (directory / "2026-11-22-000001.jsonl").write_text(
        line(queue_id="4jX", recipient="joe@ex.test", generation=7, dsn="2.0.0")
    )

    assert journal.ship("here") == 1

    event = JournalEvent.objects.get()
    assert (event.event, event.queue_id, event.recipient) == ("delivered", "4jX", "joe@ex.test")
    assert event.generation == 7
    assert event.details == {"dsn": "2.0.0"}
    assert event.at.isoformat() == "2026-11-22T13:56:32.500000+00:00"


def test_it_stores_a_line_once_and_goes_on_where_it_was(node: Node, directory: Path) -> None:
    file = directory / "2026-11-22-000001.jsonl"
    file.write_text(line(queue_id="1"))
    journal.ship("here")
    with file.open("a") as stream:
        stream.write(line(queue_id="2"))

    assert journal.ship("here") == 1
    assert journal.ship("here") == 0
    assert sorted(JournalEvent.objects.values_list("queue_id", flat=True)) == ["1", "2"]


def test_it_waits_for_the_end_of_a_line(node: Node, directory: Path) -> None:
    file = directory / "2026-11-22-000001.jsonl"
    whole = line(queue_id="1")
    file.write_text(whole + whole[:20])
    assert journal.ship("here") == 1

    file.write_text(whole * 2)

    assert journal.ship("here") == 1


def test_it_removes_a_file_that_the_engine_has_closed(node: Node, directory: Path) -> None:
    first, second = (directory / f"2026-11-22-00000{n}.jsonl" for n in (1, 2))
    first.write_text(line(queue_id="1"))
    second.write_text(line(queue_id="2"))

    journal.ship("here")

    assert not first.exists()
    assert second.exists()
    assert JournalPosition.objects.get().file == second.name


def test_it_ships_a_large_journal_in_batches(
    node: Node, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "JOURNAL_BATCH_BYTES", 1000)
    (directory / "2026-11-22-000001.jsonl").write_text(
        "".join(line(queue_id=str(number)) for number in range(100))
    )

    assert journal.ship("here") == 100
    assert JournalEvent.objects.count() == 100


def test_it_skips_what_is_no_event(node: Node, directory: Path) -> None:
    (directory / "2026-11-22-000001.jsonl").write_text(
        'not json\n[1]\n{"event": "x"}\n{"time": "soon", "event": "x"}\n' + line(sender="a\x00b")
    )

    assert journal.ship("here") == 1
    assert JournalEvent.objects.get().sender == "a\ufffdb"


@pytest.mark.usefixtures("directory")
def test_it_knows_no_disabled_node(node: Node) -> None:
    node.enabled = False
    node.save()
    assert journal.ship("here") == 0
    assert journal.ship("nobody") == 0


def test_it_forgets_old_events(node: Node) -> None:
    now = timezone.now()
    for days in (1, JOURNAL_KEPT_DAYS + 1):
        JournalEvent.objects.create(node=node, event="accepted", at=now - timedelta(days=days))

    assert journal.forget_old() == 1
    assert JournalEvent.objects.count() == 1
