"""Store: what a publish leaves on disk, when it works."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tables.errors import GenerationError, StoreBusy
from tables.manifest import Content
from tables.writing.store import Store
from tests.tables.writing.generations import add_content, publish

JOE = {"virtual": {"joe@example.com": "joe@example.net"}}
ANN = {"virtual": {"ann@example.com": "ann@example.net"}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "maps", now=lambda: datetime(2026, 11, 22, 13, 0, tzinfo=UTC))


def objects(store: Store) -> set[str]:
    return set(os.listdir(store.objects.directory))


def test_it_works(store: Store) -> None:
    assert store.current() is None
    made = publish(store, 7, JOE, {"virtual_alias_maps": "hash:virtual"})
    assert os.readlink(store.root / "current") == "generations/7"
    assert store.current() == made == store.read(7) == store.verify(7)
    assert (made.number, made.revision, made.created) == (7, 70, "2026-11-22T13:00:00Z")
    assert made.content.tables["virtual"].count == 1
    assert store.numbers() == [7]
    assert store.latest() == 7


def test_it_writes_the_manifest_in_the_agreed_form(store: Store) -> None:
    made = publish(store, 7, JOE, {"virtual_alias_maps": "hash:virtual"})
    data = (store.root / "generations/7/manifest.json").read_bytes()
    document = json.loads(data)
    assert data == json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
    layer = made.content.tables["virtual"].layers[0]
    assert document == {
        "format": 2,
        "number": 7,
        "created": "2026-11-22T13:00:00Z",
        "revision": 70,
        "digest": made.content.digest,
        "seal": document["seal"],
        "content": {
            "parameters": {"virtual_alias_maps": "hash:virtual"},
            "services": [],
            "tables": {
                "virtual": {
                    "type": "hash",
                    "kind": "virtual",
                    "count": 1,
                    "digest": layer.digest,
                    "layers": [{"digest": layer.digest, "size": layer.size, "count": 1}],
                }
            },
        },
    }


def test_it_keeps_everything_to_itself(store: Store) -> None:
    publish(store, 1, JOE)
    for directory, _, files in os.walk(store.root):
        assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700, directory
        for name in files:
            status = os.lstat(os.path.join(directory, name))
            if not stat.S_ISLNK(status.st_mode):
                assert stat.S_IMODE(status.st_mode) == 0o600, name


def test_it_gives_the_same_digest_to_the_same_content(store: Store) -> None:
    first = publish(store, 1, JOE)
    with store.begin() as build:
        again = add_content(build, JOE)
    assert again.digest == first.digest
    assert add_content_digest(store, ANN) != first.digest


def add_content_digest(store: Store, tables: dict[str, dict[str, str]]) -> str:
    with store.begin() as build:
        return add_content(build, tables).digest


def test_it_uses_an_unchanged_object_again(store: Store) -> None:
    publish(store, 1, JOE)
    (name,) = objects(store)
    before = os.stat(store.objects.directory / name)
    publish(store, 2, {**JOE, "other": ANN["virtual"]})
    after = os.stat(store.objects.directory / name)
    assert (before.st_ino, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_ino,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )
    assert len(objects(store)) == 2


def test_it_repairs_a_damaged_object_that_is_made_again(store: Store) -> None:
    made = publish(store, 1, JOE)
    layer = made.content.tables["virtual"].layers[0]
    path = store.objects.path(layer.digest)
    path.write_bytes(b"x" * layer.size)
    with pytest.raises(GenerationError, match="does not have the content its name says"):
        store.verify(1)
    publish(store, 2, JOE)
    assert store.verify(1).digest == store.verify(2).digest


def test_it_lets_one_publisher_build_at_a_time(store: Store) -> None:
    rival = Store(store.root)
    with store.begin():
        with pytest.raises(StoreBusy):
            rival.begin()
        with pytest.raises(StoreBusy):
            rival.prune(1)
    with rival.begin():
        pass


def test_it_lets_go_of_the_store_when_a_build_fails(store: Store) -> None:
    with pytest.raises(RuntimeError), store.begin():
        raise RuntimeError
    with store.begin():
        pass


def test_it_switches_and_reads_while_another_builds(store: Store) -> None:
    publish(store, 1, JOE)
    publish(store, 2, ANN)
    with store.begin():
        assert Store(store.root).switch(1).number == 1
        assert Store(store.root).switch(1).number == 1
    current = store.current()
    assert current is not None
    assert current.number == 1


def test_it_rejects_a_switch_to_what_is_not_whole(store: Store) -> None:
    with pytest.raises(GenerationError, match="no generation was ever published"):
        store.switch(1)
    publish(store, 1, JOE)
    made = publish(store, 2, ANN)
    store.switch(1)
    with pytest.raises(GenerationError, match="generation 3 does not exist"):
        store.switch(3)
    store.objects.path(made.content.tables["virtual"].layers[0].digest).unlink()
    with pytest.raises(GenerationError, match="is missing; publish again"):
        store.switch(2)
    assert os.readlink(store.root / "current") == "generations/1"


def test_it_takes_a_finished_number_as_done_only_with_the_same_content(store: Store) -> None:
    first = publish(store, 1, JOE)
    with store.begin() as build:
        assert build.finish(1, 99, add_content(build, JOE)) == first
        with pytest.raises(GenerationError, match="exists already, with other content"):
            build.finish(1, 99, add_content(build, ANN))
    assert store.current() == first


def test_it_prunes_to_the_newest_and_the_one_in_force(store: Store) -> None:
    for number in range(1, 7):
        publish(store, number, {"t": {"n": str(number)}, "same": {"a": "b"}})
    store.switch(2)
    assert store.prune(2) == [1, 3, 4]
    assert store.numbers() == [2, 5, 6]
    assert len(objects(store)) == 4  # one for each kept generation and the one they share
    for number in (2, 5, 6):
        store.verify(number)
    assert store.prune(2) == []


def test_it_prunes_what_nobody_can_use(store: Store) -> None:
    for number in (1, 2, 3):
        publish(store, number, {"t": {"n": str(number)}})
    (store.root / "generations/2/manifest.json").write_bytes(b'{"format"')
    assert store.prune(3) == [2]
    store.verify(1)
    (store.root / "generations/3/manifest.json").write_bytes(b"")
    with pytest.raises(GenerationError, match="generation 3 is torn"):
        store.prune(1)
    store.verify(1)


def test_it_has_nothing_to_prune_before_the_first_publish(store: Store) -> None:
    assert store.prune(3) == []
    with pytest.raises(ValueError, match="at least one"):
        store.prune(0)


def test_it_refuses_a_link_that_leads_elsewhere(store: Store) -> None:
    publish(store, 1, JOE)
    (store.root / "current").unlink()
    (store.root / "current").symlink_to("../elsewhere")
    with pytest.raises(GenerationError, match=r"points to '\.\./elsewhere'"):
        store.current()
    (store.root / "current").unlink()
    (store.root / "current").write_text("generations/1")
    with pytest.raises(GenerationError, match="cannot be read as a link"):
        store.current()
    assert store.switch(1).number == 1


def test_it_counts_an_empty_table(store: Store) -> None:
    made = publish(store, 1, {"virtual": {}})
    assert made.content.tables["virtual"].count == 0
    assert isinstance(made.content, Content)
