"""Watcher: follows the link, refuses what is not whole, keeps what it has."""

from __future__ import annotations

import gc
import os
import weakref
from pathlib import Path

import pytest

from tables.manifest import Manifest
from tables.reading.watch import LONGEST_PAUSE, Watcher
from tables.writing.store import Store
from tests.tables.writing.generations import publish


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "maps")


def put(store: Store, number: int, value: str = "") -> Manifest:
    return publish(store, number, {"t": {"key": value or f"value{number}"}})


def answer(watcher: Watcher) -> str | None:
    assert watcher.snapshot is not None
    return watcher.snapshot.maps("hash:t").get("key")


def damage(store: Store, made: Manifest) -> bytes:
    """Change one byte in the middle of the generation's map; what was there before."""
    path = store.objects.path(made.content.tables["t"].layers[0].digest)
    data = path.read_bytes()
    path.write_bytes(data[:2050] + bytes([data[2050] ^ 1]) + data[2051:])
    return data


def test_it_works(store: Store) -> None:
    watcher = Watcher(store.root)
    assert watcher.poll() is None
    assert watcher.snapshot is None
    assert watcher.error is None
    put(store, 1)
    first = watcher.poll()
    assert first is watcher.snapshot is not None
    assert answer(watcher) == "value1"
    assert watcher.poll() is None
    put(store, 2)
    assert watcher.poll() is watcher.snapshot
    assert answer(watcher) == "value2"
    assert first is not None
    assert first.maps("hash:t").get("key") == "value1"


def test_it_follows_a_rollback(store: Store) -> None:
    put(store, 1)
    put(store, 2)
    watcher = Watcher(store.root)
    watcher.poll()
    store.switch(1)
    watcher.poll()
    assert answer(watcher) == "value1"


def test_it_keeps_the_old_one_when_the_new_one_is_bad(store: Store) -> None:
    put(store, 1)
    watcher = Watcher(store.root)
    watcher.poll()
    made = put(store, 2)
    whole = damage(store, made)
    assert watcher.poll() is None
    assert watcher.error is not None
    assert "does not have the content its name says" in watcher.error
    assert watcher.error.endswith("generation 1 stays in force")
    assert answer(watcher) == "value1"
    store.objects.path(made.content.tables["t"].layers[0].digest).write_bytes(whole)
    assert watcher.poll(again=True) is not None
    assert watcher.error is None
    assert answer(watcher) == "value2"


def test_it_tries_a_bad_one_again_ever_more_rarely(store: Store) -> None:
    put(store, 1)
    watcher = Watcher(store.root)
    watcher.poll()
    manifest = store.root / "generations/2/manifest.json"
    put(store, 2)
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:-20])
    for _ in range(300):
        watcher.poll()
    manifest.write_bytes(whole)
    polls = next(n for n in range(1, 300) if watcher.poll() is not None)
    assert 1 < polls <= LONGEST_PAUSE + 1
    assert answer(watcher) == "value2"


def test_it_tries_the_next_generation_at_once(store: Store) -> None:
    put(store, 1)
    watcher = Watcher(store.root)
    watcher.poll()
    damage(store, put(store, 2))
    for _ in range(20):
        watcher.poll()
    put(store, 3)
    assert watcher.poll() is not None
    assert answer(watcher) == "value3"
    assert watcher.error is None


def test_it_starts_with_an_older_whole_one_when_the_newest_is_bad(store: Store) -> None:
    put(store, 1)
    damage(store, put(store, 2))
    made = put(store, 3)
    put(store, 4)
    store.switch(3)
    damage(store, made)
    watcher = Watcher(store.root)
    assert watcher.poll() is watcher.snapshot is not None
    assert answer(watcher) == "value1"
    assert watcher.error is not None
    assert watcher.error.endswith("generation 1 stays in force")
    store.switch(4)
    watcher.poll()
    assert answer(watcher) == "value4"
    assert watcher.error is None


def test_it_has_nothing_when_nothing_is_whole(store: Store) -> None:
    damage(store, put(store, 1))
    watcher = Watcher(store.root)
    assert watcher.poll() is None
    assert watcher.snapshot is None
    assert watcher.error is not None
    assert watcher.error.endswith("no generation is in force")


def test_it_keeps_what_it_has_when_the_link_goes(store: Store) -> None:
    put(store, 1)
    watcher = Watcher(store.root)
    watcher.poll()
    (store.root / "current").unlink()
    assert watcher.poll() is None
    assert watcher.error == "maps/current is gone; generation 1 stays in force"
    (store.root / "current").symlink_to("/etc")
    watcher.poll()
    assert watcher.error is not None
    assert "points to '/etc', which is no generation" in watcher.error
    assert answer(watcher) == "value1"
    store.switch(1)
    assert watcher.poll() is None
    assert watcher.error is None


def test_it_leaves_readers_of_an_old_generation_alone(store: Store) -> None:
    """Pruned under them: they go on reading, and what they hold is freed when they are done."""
    put(store, 1)
    watcher = Watcher(store.root)
    held = watcher.poll()
    assert held is not None
    for number in range(2, 5):
        put(store, number)
    assert store.prune(1) == [1, 2, 3]
    assert len(os.listdir(store.objects.directory)) == 1
    watcher.poll()
    assert held.maps("hash:t").get("key") == "value1"
    assert answer(watcher) == "value4"
    gone = weakref.ref(held)
    descriptors = len(os.listdir("/proc/self/fd"))
    del held
    gc.collect()
    assert gone() is None
    assert len(os.listdir("/proc/self/fd")) <= descriptors
