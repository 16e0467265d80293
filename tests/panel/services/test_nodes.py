"""Nodes: switch, have the engine look, note what it says; rebuild what is not here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from panel.models import Domain, Node, NodeState
from panel.services import publish
from panel.services.changes import pending_changes
from panel.services.nodes import activate, is_live, wait_until_live
from panel.services.stores import generation_store
from tests.panel.twins import EngineTwin

pytestmark = pytest.mark.usefixtures("committed")


def publish_changes(*args, settle_s: float = 0.0, **kwargs):
    """As the service does, without waiting for a pause in the edits."""
    return publish.publish_changes(*args, settle_s=settle_s, **kwargs)


@pytest.fixture
def node(committed) -> Node:
    return Node.objects.create(name="local")


@pytest.fixture
def engine(home: Path):
    with EngineTwin(home) as twin:
        yield twin


def add_domain(name: str = "example.com") -> int:
    Domain.objects.create(name=name)
    return pending_changes().first().revision


def test_it_works(node: Node, engine: EngineTwin) -> None:
    revision = add_domain()
    generation = publish_changes()
    assert not is_live(revision)
    state = activate("local")
    assert (state.switched, state.generation, state.digest) == (1, 1, generation.digest)
    assert state.engine_reachable
    assert state.acknowledged_at is not None
    assert state.error == ""
    assert [request["command"] for request in engine.requests] == ["status", "reload"]
    assert is_live(revision)


def test_the_publisher_activates_its_own_node(node: Node, engine: EngineTwin) -> None:
    revision = add_domain()
    publish_changes(here="elsewhere")
    assert not is_live(revision)
    revision = add_domain("example.org")
    publish_changes(here="local")
    assert is_live(revision)
    state = NodeState.objects.get()
    assert (state.switched, state.generation) == (2, 2)


def test_a_second_time_it_only_asks(node: Node, engine: EngineTwin) -> None:
    publish_changes()
    first = activate("local").acknowledged_at
    engine.requests.clear()
    assert activate("local").acknowledged_at == first
    assert [request["command"] for request in engine.requests] == ["status"]


def test_an_engine_that_is_away_is_noted_and_takes_the_link_later(node: Node, home: Path) -> None:
    revision = add_domain()
    publish_changes()
    state = activate("local")
    assert (state.switched, state.generation, state.engine_reachable) == (1, None, False)
    assert "does not answer" in state.error
    assert not is_live(revision)
    with EngineTwin(home):
        state = activate("local")
    assert (state.generation, state.error) == (1, "")
    assert is_live(revision)


def test_an_edit_is_not_live_before_its_generation_is(node: Node, engine: EngineTwin) -> None:
    publish_changes()
    activate("local")
    revision = add_domain()
    assert not wait_until_live(revision, 0.1)
    publish_changes()
    assert not is_live(revision)
    activate("local")
    assert wait_until_live(revision, 0.1)


def test_an_edit_that_changes_nothing_is_live_at_once(node: Node, engine: EngineTwin) -> None:
    publish_changes()
    activate("local")
    Domain.objects.create(name="off.example", enabled=False)
    revision = pending_changes().first().revision
    publish_changes()
    assert is_live(revision)


def test_every_enabled_node_counts(node: Node, engine: EngineTwin) -> None:
    other = Node.objects.create(name="other")
    revision = add_domain()
    publish_changes()
    activate("local")
    assert not is_live(revision)
    other.enabled = False
    other.save()
    assert is_live(revision)
    assert activate("other") is None


def test_a_node_without_the_files_builds_them(node: Node, engine: EngineTwin, home: Path) -> None:
    add_domain()
    generation = publish_changes()
    shutil.rmtree(home / "maps")
    state = activate("local")
    assert (state.error, state.generation) == ("", 1)
    assert generation_store().verify(1).digest == generation.digest


def test_a_node_whose_rows_moved_on_waits_for_the_next(node, engine, home: Path) -> None:
    publish_changes()
    shutil.rmtree(home / "maps")
    add_domain()
    assert "moved on" in activate("local").error
    publish_changes()
    assert activate("local").generation == 2


def test_a_damaged_generation_is_not_switched_to(node: Node, engine: EngineTwin, home) -> None:
    publish_changes()
    activate("local")
    add_domain()
    publish_changes()
    (home / "maps" / "generations" / "2" / "manifest.json").write_text("{}")
    state = activate("local")
    assert (state.generation, state.switched) == (1, 1)
    assert "malformed" in state.error


def test_one_of_an_older_format_is_made_anew(node: Node, engine: EngineTwin, home) -> None:
    publish_changes()
    activate("local")
    manifest = home / "maps" / "generations" / "1" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format":', '"format": 0, "was":', 1))
    made = publish_changes()  # as the sweep does
    assert (made.number, made.state) == (2, "published")
    state = activate("local")
    assert (state.generation, state.switched, state.error) == (2, 2, "")
    assert publish_changes() is None


def test_an_engine_that_stays_behind_is_not_called_live(node: Node, engine: EngineTwin) -> None:
    revision = add_domain()
    publish_changes()
    engine.raw_reply = (
        b'{"ok": true, "generation": null, "generation_digest": null,'
        b' "generation_error": "object is torn"}\n'
    )
    state = activate("local")
    assert state.error == "object is torn"
    assert not is_live(revision)


def test_without_any_generation_it_only_looks(node: Node, engine: EngineTwin) -> None:
    state = activate("local")
    assert state.engine_reachable
    assert NodeState.objects.get().generation is None


def test_an_unknown_node_is_nobody() -> None:
    assert activate("nobody") is None
