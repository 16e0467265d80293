"""Incremental publishes and rebuilds: killed or out of disk at every step, all is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tables.manifest import Manifest
from tables.reading.snapshot import Snapshot
from tables.writing.compiler import Previous, compile_rows
from tables.writing.layers import SMALL
from tables.writing.rows import Edits, EntryKey, EntryRecord, Rows, TableRecord
from tables.writing.store import Store
from tests.tables.twins import FaultyDisk, die, disk_full
from tests.tables.writing.records import rows

BASE = {f"u{n:05}@example.com": "old@example.net" for n in range(SMALL + 1)}
KEY = "u00001@example.com"
NOW = BASE | {KEY: "new@example.net"}


def record(key: str, value: str) -> EntryRecord:
    return EntryRecord.of(key=key, value=value, row=f"entry:{key}", lookup_key=key)


def source(entries: dict[str, str], *, edited: bool = False) -> Rows:
    """All rows; `edited`: and that KEY was edited."""
    edits: Edits[EntryKey, EntryRecord] | None = None
    if edited:
        keys: frozenset[EntryKey] = frozenset([(KEY, KEY)])
        edits = Edits(
            rows=frozenset([f"entry:{KEY}"]), keys=keys, records=lambda: [record(KEY, entries[KEY])]
        )
    table = TableRecord(
        name="virtual",
        type="hash",
        kind="virtual",
        row="table:1",
        entries=lambda: [record(key, value) for key, value in entries.items()],
        edits=edits,
    )
    return rows(tables=[table], values={"virtual_alias_maps": "hash:virtual"})


def previous(store: Store, number: int) -> Previous:
    notes = store.notes(number)
    assert notes is not None
    return Previous(store.read(number).content, notes)


def publish_whole(store: Store, number: int, entries: dict[str, str]) -> None:
    with store.begin() as build:
        content, _ = compile_rows(source(entries), build)
        build.finish(number, number, content)
    store.switch(number)


def publish_edit(store: Store) -> None:
    """Generation 2 is generation 1 with an edit."""
    with store.begin() as build:
        content, _ = compile_rows(source(NOW, edited=True), build, previous(store, 1))
        assert len(content.tables["virtual"].layers) == 2
        build.finish(2, 2, content)
    store.switch(2)


def rebuild(store: Store) -> None:
    """Generation 2 is all of it compiled beside the publisher, and then the edit."""
    with store.begin(aside=True) as aside:
        content, _ = compile_rows(source(BASE), aside)
        assert aside.notes is not None
        start = Previous(content, aside.notes)
        with store.begin() as build:
            content, _ = compile_rows(source(NOW, edited=True), build, start)
            build.finish(2, 2, content)
    store.switch(2)


def keep_notes(store: Store) -> None:
    """Generation 1 covers more changes, of which none has an effect."""
    with store.begin() as build:
        content, _ = compile_rows(source(BASE, edited=False), build)
        build.keep_notes(1, content)


ACTIONS = [publish_edit, rebuild, keep_notes]
Action = Callable[[Store], None]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with generation 1, to be copied."""
    root = tmp_path_factory.mktemp("filled") / "maps"
    publish_whole(Store(root), 1, BASE)
    return root


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of generation 2."""
    with Store(tmp_path_factory.mktemp("wanted")).begin() as build:
        return compile_rows(source(NOW), build)[0].digest


def fill(root: Path, filled: Path) -> None:
    shutil.copytree(filled, root, symlinks=True)


def steps_of(root: Path, filled: Path, action: Action) -> list[str]:
    fill(root, filled)
    disk = FaultyDisk()
    action(Store(root, disk=disk))
    return disk.steps


def assert_whole(root: Path) -> Manifest:
    """The old or the new generation is in force, and answers as it should."""
    store = Store(root)
    current = store.current()
    assert current is not None
    store.verify(current.number)
    table = Snapshot.open(root).table("hash:virtual")
    assert table.get(KEY) == (BASE if current.number == 1 else NOW)[KEY]
    assert table.get("u00002@example.com") == "old@example.net"
    return current


def assert_goes_on(root: Path, wanted: str) -> None:
    """The next publisher goes on from what is there, and nothing is left behind."""
    store = Store(root)
    publish_edit(store)
    rest = store.prune(1)
    assert rest in ([], [1])
    assert sorted(os.listdir(store.generations)) == ["2"]
    assert sorted(os.listdir(store.generations / "2")) == ["manifest.json", "notes.json"]
    layers = store.read(2).content.tables["virtual"].layers
    assert set(os.listdir(store.objects.directory)) == {layer.digest for layer in layers}
    assert store.read(2).content.digest == wanted


def run_killed(root: Path, action: Action, at: int) -> int:
    child = os.fork()
    if child == 0:  # pragma: no cover - the child never comes back
        try:
            action(Store(root, disk=FaultyDisk(at=at, fault=die)))
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("action", ACTIONS)
def test_it_works(tmp_path: Path, filled: Path, wanted: str, action: Action) -> None:
    steps = steps_of(tmp_path / "maps", filled, action)
    assert "sync" in steps
    assert_whole(tmp_path / "maps")
    assert_goes_on(tmp_path / "maps", wanted)


@pytest.mark.parametrize("action", ACTIONS)
def test_it_survives_being_killed_at_every_step(
    tmp_path: Path, filled: Path, wanted: str, action: Action
) -> None:
    steps = steps_of(tmp_path / "count", filled, action)
    for at in range(1, len(steps) + 1):
        root = tmp_path / f"killed-{at}"
        fill(root, filled)
        assert run_killed(root, action, at) == 9, f"step {at} {steps[at - 1]} was not reached"
        assert_whole(root)
        assert_goes_on(root, wanted)


@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("action", ACTIONS)
def test_it_survives_a_full_disk_at_every_step(
    tmp_path: Path, filled: Path, wanted: str, action: Action, for_good: bool
) -> None:
    steps = steps_of(tmp_path / "count", filled, action)
    for at in range(1, len(steps) + 1):
        root = tmp_path / f"full-{at}"
        fill(root, filled)
        with pytest.raises(OSError, match="No space left"):
            action(Store(root, disk=FaultyDisk(at=at, fault=disk_full, after=for_good)))
        assert_whole(root)
        assert_goes_on(root, wanted)


def test_a_reader_of_the_old_generation_is_undisturbed(tmp_path: Path, filled: Path) -> None:
    root = tmp_path / "maps"
    fill(root, filled)
    first = Snapshot.open(root)
    store = Store(root)
    publish_edit(store)
    second = Snapshot.open(root, previous=first)
    publish_whole(store, 3, BASE)
    store.prune(1)
    for _ in range(2):
        assert first.table("hash:virtual").get(KEY) == BASE[KEY]
        assert second.table("hash:virtual").get(KEY) == NOW[KEY]
