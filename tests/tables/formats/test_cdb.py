"""CDB files: building, asking, damage; against a dict with random contents."""

from __future__ import annotations

import random
from pathlib import Path

import cdbx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables.errors import TableUnavailable
from tables.formats.base import fold_key
from tables.formats.cdb import AHEAD, CdbBuilder, CdbMap
from tests.tables.formats.oracles import Postmap, needs_postmap


def build(path: Path, *entries: tuple[str, str]) -> CdbMap:
    with CdbBuilder(path) as builder:
        for key, value in entries:
            builder.add(key, value)
        assert builder.finish() == len(entries)
    return CdbMap(path)


def test_it_works(tmp_path: Path) -> None:
    table = build(tmp_path / "map", ("joe@example.com", "joe"), ("@example.com", "all"))
    assert table.get("joe@example.com") == "joe"
    assert table.get("jane@example.com") is None
    assert not table.is_pattern


def test_it_folds_keys_when_writing_and_when_asked(tmp_path: Path) -> None:
    table = build(tmp_path / "map", ("Éclair@Example.COM", "Value"))
    assert table.get("éCLAIR@example.com") == "Value"
    assert list(table.entries()) == [("éclair@example.com", "Value")]


def test_the_first_of_equal_keys_counts(tmp_path: Path) -> None:
    table = build(tmp_path / "map", ("a", "first"), ("A", "second"))
    assert table.get("a") == "first"
    assert [value for _, value in table.entries()] == ["first", "second"]


def test_it_has_no_key_that_is_not_utf_8(tmp_path: Path) -> None:
    assert build(tmp_path / "map", ("a", "b")).get("\udcff") is None


def test_an_empty_table_answers(tmp_path: Path) -> None:
    assert build(tmp_path / "map").get("a") is None


def test_files_are_private_and_never_overwritten(tmp_path: Path) -> None:
    build(tmp_path / "map", ("a", "b"))
    assert (tmp_path / "map").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        CdbBuilder(tmp_path / "map")


def test_an_unfinished_file_is_removed(tmp_path: Path) -> None:
    with CdbBuilder(tmp_path / "map") as builder:
        builder.add("a", "b")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_keeps_a_file_that_was_replaced(tmp_path: Path) -> None:
    old = build(tmp_path / "map", ("a", "old"))
    new = build(tmp_path / "new", ("a", "new"))
    (tmp_path / "new").replace(tmp_path / "map")
    assert (old.get("a"), new.get("a")) == ("old", "new")


def test_it_reads_files_with_a_nul_behind_keys_and_values(tmp_path: Path) -> None:
    maker = cdbx.CDB.make(str(tmp_path / "map"))
    maker.add(b"joe\0", b"value\0")
    maker.commit().close()
    table = CdbMap(tmp_path / "map")
    assert table.get("Joe") == "value"
    assert list(table.entries()) == [("joe", "value")]


@pytest.mark.parametrize(
    "content", [b"", b"x" * 100, b"\xff" * 4000], ids=["empty", "short", "wild"]
)
def test_what_is_no_cdb_file_is_unavailable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "map"
    path.write_bytes(content)
    with pytest.raises(TableUnavailable):
        CdbMap(path).get("a")


def test_a_missing_file_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(TableUnavailable):
        CdbMap(tmp_path / "map")


def test_a_value_that_is_not_utf_8_is_unavailable(tmp_path: Path) -> None:
    maker = cdbx.CDB.make(str(tmp_path / "map"))
    maker.add(b"joe", b"\xff")
    maker.commit().close()
    with pytest.raises(TableUnavailable):
        CdbMap(tmp_path / "map").get("joe")


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(entries=st.lists(st.tuples(texts, texts), max_size=60), others=st.lists(texts, max_size=20))
def test_it_equals_a_dict(
    tmp_path_factory: pytest.TempPathFactory,
    entries: list[tuple[str, str]],
    others: list[str],
) -> None:
    table = build(tmp_path_factory.mktemp("cdb") / "map", *entries)
    expected: dict[str, str] = {}
    for key, value in entries:
        expected.setdefault(fold_key(key), value)
    for key in [*(key for key, _ in entries), *others]:
        assert table.get(key) == expected.get(fold_key(key)), key


def test_a_large_table_equals_a_dict(tmp_path: Path) -> None:
    generator = random.Random(20261122)
    names = [f"user{generator.randrange(10**9)}@example{n % 50}.com" for n in range(20_000)]
    expected = {name: f"box {n}" for n, name in enumerate(names)}
    table = build(tmp_path / "map", *expected.items())
    assert all(table.get(name) == value for name, value in expected.items())
    assert not any(table.get(f"x{name}") for name in names)


def test_a_table_that_is_written_out_meanwhile_is_whole(tmp_path: Path) -> None:
    keys, value = [b"key %d" % number for number in range(64)], b"v" * (AHEAD // 100)
    with CdbBuilder(tmp_path / "map") as builder:
        for _ in range(3):
            builder.add_all(keys, [value + key for key in keys])
        assert builder.finish() == 3 * len(keys)
    assert (tmp_path / "map").stat().st_size > AHEAD
    table = CdbMap(tmp_path / "map")
    assert list(table.entries()) == 3 * [(k.decode(), (value + k).decode()) for k in keys]


@needs_postmap
def test_postmap_reads_our_file_and_we_read_postmaps(tmp_path: Path) -> None:
    entries = [("joe@example.com", "Joe"), ("éclair@example.com", "é"), ("a b", "c")]
    build(tmp_path / "ours.cdb", *entries)
    postmap = Postmap(tmp_path)
    keys = [key for key, _ in entries] + ["JOE@example.com", "nobody"]
    found, _ = postmap.answers(f"cdb:{tmp_path}/ours", keys)
    assert found == dict(entries) | {"JOE@example.com": "Joe"}
    (tmp_path / "theirs").write_text("Joe@Example.com Joe\n")
    postmap.run(f"cdb:{tmp_path}/theirs")
    assert CdbMap(tmp_path / "theirs.cdb").get("joe@example.com") == "Joe"
