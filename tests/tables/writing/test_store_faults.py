"""Store: killed or out of disk at every single step, the old or the new generation is whole."""

from __future__ import annotations

import errno
import os
import resource
import signal
from pathlib import Path

import pytest

from tables.manifest import Manifest
from tables.writing.store import Store
from tests.tables.twins import FaultyDisk, die, disk_full
from tests.tables.writing.generations import add_content, publish

OLD = {"virtual": {"joe@example.com": "old"}, "same": {"a": "b"}}
NEW = {"virtual": {"joe@example.com": "new"}, "same": {"a": "b"}, "more": {"c": "d"}}
TEXT = {"clients": ("cidr", "192.0.2.0/24 REJECT\n" * 10)}


def publish_new(root: Path, disk: FaultyDisk) -> None:
    publish(Store(root, disk=disk), 2, NEW, texts=TEXT)


def steps_of(tmp_path: Path) -> list[str]:
    """What a publish of the new generation over the old one consists of."""
    root = tmp_path / "count"
    publish(Store(root), 1, OLD)
    disk = FaultyDisk()
    publish_new(root, disk)
    return disk.steps


def assert_whole(root: Path) -> Manifest:
    """The generation in force is the old or the new one, and every byte of it is there."""
    store = Store(root)
    current = store.current()
    assert current is not None
    assert current.number in (1, 2)
    return store.verify(current.number)


def assert_publishable(root: Path) -> None:
    """The next publisher finds a store in which everything works, and sweeps up."""
    made = publish(Store(root), 2, NEW, texts=TEXT)
    store = Store(root)
    assert store.current() == made
    assert sorted(os.listdir(store.generations)) == ["1", "2"]
    store.prune(1)
    used = {layer.digest for table in made.content.tables.values() for layer in table.layers}
    assert set(os.listdir(store.objects.directory)) == used
    assert sorted(os.listdir(root)) == ["current", "generations", "lock", "objects"]


def run_killed(root: Path, at: int) -> int:
    """Publish in a child that is gone at step `at`; its exit status."""
    child = os.fork()
    if child == 0:  # pragma: no cover - the child never comes back
        try:
            publish_new(root, FaultyDisk(at=at, fault=die))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def test_it_works(tmp_path: Path) -> None:
    steps = steps_of(tmp_path)
    order = [steps.index(name) for name in ("sync", "sync_directory objects", "write on")]
    manifest = steps.index("create manifest.json")
    assert order[0] < order[1] < manifest
    assert steps[manifest:] == [
        "create manifest.json",
        "write",
        "write on",
        "sync",
        "sync_directory .2",
        "rename .2 2",
        "sync_directory generations",
        "remove .current",
        "link .current",
        "rename .current current",
        "sync_directory count",
    ]


def test_it_survives_being_killed_at_every_step(tmp_path: Path) -> None:
    steps = steps_of(tmp_path)
    seen = set()
    for at in range(1, len(steps) + 1):
        root = tmp_path / f"killed-{at}"
        publish(Store(root), 1, OLD)
        assert run_killed(root, at) == 9, f"step {at} {steps[at - 1]} was not reached"
        seen.add(assert_whole(root).number)
        assert_publishable(root)
    assert seen == {1, 2}


@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
def test_it_survives_a_full_disk_at_every_step(tmp_path: Path, for_good: bool) -> None:
    steps = steps_of(tmp_path)
    for at in range(1, len(steps) + 1):
        root = tmp_path / f"full-{at}"
        publish(Store(root), 1, OLD)
        with pytest.raises(OSError, match="No space left"):
            publish_new(root, FaultyDisk(at=at, fault=disk_full, after=for_good))
        assert_whole(root)
        assert_publishable(root)


def test_it_survives_being_killed_at_every_step_of_pruning(tmp_path: Path) -> None:
    def fill(root: Path) -> None:
        for number in (1, 2, 3):
            publish(Store(root), number, {"t": {"n": str(number)}})

    fill(tmp_path / "count")
    disk = FaultyDisk()
    Store(tmp_path / "count", disk=disk).prune(1)
    for at in range(1, len(disk.steps) + 1):
        root = tmp_path / f"killed-{at}"
        fill(root)
        child = os.fork()
        if child == 0:  # pragma: no cover - the child never comes back
            try:
                Store(root, disk=FaultyDisk(at=at, fault=die)).prune(1)
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        store = Store(root)
        assert store.verify(3) == store.current()
        publish(store, 4, {"t": {"n": "4"}})
        store.prune(1)
        assert os.listdir(store.generations) == ["4"]
        assert len(os.listdir(store.objects.directory)) == 1


def test_it_keeps_the_old_one_when_a_map_does_not_fit_on_the_disk(tmp_path: Path) -> None:
    """The map builder writes by itself: a real limit of the system stops it in the middle."""
    root = tmp_path / "maps"
    publish(Store(root), 1, OLD)
    large = {"virtual": {f"{n}@example.com": "x" * 100 for n in range(1000)}}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        with Store(root).begin() as build, pytest.raises(OSError, match="too large") as caught:
            add_content(build, large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.errno == errno.EFBIG
    assert assert_whole(root).number == 1
    assert not [name for name in os.listdir(root / "objects") if name.startswith(".")]
    assert_publishable(root)
