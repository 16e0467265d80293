"""Edits: a compile that goes on from the generation before means what a whole compile means."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tables.formats.layered import open_layers
from tables.manifest import Content, TableContent
from tables.specs import TYPES
from tables.writing.compiler import Previous, compile_rows
from tables.writing.layers import LAYERS_MOST, SMALL, extend, needs_base
from tables.writing.notes import Notes
from tables.writing.report import Report
from tables.writing.rows import Edits, EntryKey, EntryRecord, MailboxRecord, Rows, TableRecord
from tables.writing.store import Build, Store
from tables.writing.tally import Tally
from tests.tables.writing.records import domain, mailbox, rows
from tests.tables.writing.world import World


@pytest.fixture
def build(tmp_path: Path) -> Any:
    with Store(tmp_path / "maps").begin() as build:
        yield build


def compile_with_notes(
    source: Rows, build: Build, previous: Previous | None = None
) -> tuple[Content, Report, Notes]:
    """The notes as the store would give them back."""
    content, report = compile_rows(source, build, previous)
    assert build.notes is not None
    notes = Notes.from_bytes(build.notes.to_bytes())
    assert notes is not None
    return content, report, notes


def entries_of(table: TableContent, build: Build) -> dict[str, str]:
    """All that can be found in a hash table, looked up one by one."""
    opened = open_layers([build.path(layer.digest) for layer in table.layers])
    found = dict(opened.entries())
    assert all(opened.get(key) == value for key, value in found.items())
    return found


def findings(report: Report) -> dict[str, Any]:
    """A report without its order."""
    values = report.to_dict()
    for level in ("errors", "warnings"):
        values[level] = sorted(values[level], key=repr)
    return values


def assert_same(made: tuple[Content, Report], whole: tuple[Content, Report], build: Build) -> None:
    """The two mean the same, key by key."""
    assert made[0].tables.keys() == whole[0].tables.keys()
    for name, table in made[0].tables.items():
        wanted = whole[0].tables[name]
        assert table.meaning == wanted.meaning, name
        if not TYPES[table.type].indexed:
            assert table.layers == wanted.layers
            continue
        entries = entries_of(table, build)
        assert entries == entries_of(wanted, build), name
        tally = Tally()
        for key, value in entries.items():
            tally.add(key.encode(), value.encode())
        assert (tally.count, tally.digest) == (table.count, table.digest), name
    assert made[0].digest == whole[0].digest
    assert findings(made[1]) == findings(whole[1])


@pytest.mark.parametrize("seed", range(6))
def test_it_means_what_a_whole_compile_means(build: Build, seed: int) -> None:
    chance = random.Random(seed)
    world = World(chance)
    for _ in range(chance.randrange(80)):
        world.edit()
    content, report, notes = compile_with_notes(world.rows(), build)
    layered = 0
    for _ in range(8):
        if report.is_publishable:
            previous = Previous(content, notes)
            world.publish()
        for _ in range(chance.choice([0, 1, 1, 3, 30])):
            world.edit()
        content, report, notes = compile_with_notes(world.rows(edits=True), build, previous)
        assert_same((content, report), compile_rows(world.rows(), build), build)
        layered += len(content.tables["virtual"].layers) > 1
    assert layered, f"seed {seed} never made a layer"


def records(entries: dict[str, str], first: int = 1) -> list[EntryRecord]:
    return [
        EntryRecord.of(key=key, value=value, row=f"entry:{n}", lookup_key=key)
        for n, (key, value) in enumerate(sorted(entries.items()), first)
    ]


def table(base: list[EntryRecord], edits: Any = None) -> Rows:
    record = TableRecord(
        name="virtual",
        type="hash",
        kind="virtual",
        row="table:1",
        entries=lambda: base,
        edits=edits,
    )
    return rows(tables=[record], values={"virtual_alias_maps": "hash:virtual"})


LARGE = {f"u{n:05}@example.com": "x@example.net" for n in range(SMALL + 1)}


def nothing_is_read() -> list[EntryRecord]:
    raise AssertionError("the whole table is read")


def edit(key: str, value: str | None, row: str = "entry:9") -> Rows:
    """One row of `virtual` was edited; reading all of it fails."""
    now = [] if value is None else [EntryRecord.of(key=key, value=value, row=row, lookup_key=key)]
    keys: frozenset[EntryKey] = frozenset([(key, key)])
    edits = Edits(rows=frozenset([row]), keys=keys, records=lambda: now)
    record = TableRecord(
        name="virtual",
        type="hash",
        kind="virtual",
        row="table:1",
        entries=nothing_is_read,
        edits=edits,
    )
    base = table([])
    return rows(
        tables=[record],
        values={parameter.name: parameter.value for parameter in base.parameters},
        guard=False,
    )


@pytest.fixture
def large(build: Build) -> Previous:
    content, _, notes = compile_with_notes(table(records(LARGE)), build)
    return Previous(content, notes)


def test_an_edit_writes_what_was_edited(build: Build, large: Previous) -> None:
    content, report = compile_rows(edit("u00001@example.com", "y@example.net"), build, large)
    layer, base = content.tables["virtual"].layers
    assert base == large.content.tables["virtual"].layers[0]
    assert layer.count == 1
    assert report.counts["virtual"] == SMALL + 1
    whole = compile_rows(table(records(LARGE | {"u00001@example.com": "y@example.net"})), build)
    assert content.digest == whole[0].digest


def test_edits_gather_in_one_layer(build: Build, large: Previous) -> None:
    previous = large
    for n in range(5):
        source = edit(f"u0000{n}@example.com", None if n % 2 else "y@example.net")
        content, _, notes = compile_with_notes(source, build, previous)
        previous = Previous(content, notes)
        assert [layer.count for layer in content.tables["virtual"].layers] == [n + 1, SMALL + 1]
    assert content.tables["virtual"].count == SMALL + 1 - 2
    assert notes.edits == 5


def test_an_edit_that_is_taken_back_leaves_the_base_alone(build: Build, large: Previous) -> None:
    content, _, notes = compile_with_notes(edit("u00001@example.com", None), build, large)
    back, _ = compile_rows(
        edit("u00001@example.com", "x@example.net"), build, Previous(content, notes)
    )
    assert back == large.content


def test_an_edit_without_effect_is_the_same_content(build: Build, large: Previous) -> None:
    content, _ = compile_rows(edit("u00001@example.com", "x@example.net"), build, large)
    assert content == large.content


def test_a_small_table_is_written_out(build: Build) -> None:
    content, _, notes = compile_with_notes(
        table(records({"a@example.com": "x@example.net"})), build
    )
    made, _ = compile_rows(edit("b@example.com", "y@example.net"), build, Previous(content, notes))
    both = {"a@example.com": "x@example.net", "b@example.com": "y@example.net"}
    assert made == compile_rows(table(records(both)), build)[0]  # to the byte


def test_a_table_edited_beyond_half_is_written_out(build: Build, large: Previous) -> None:
    edits: dict[str, str | None] = dict.fromkeys(list(LARGE)[: SMALL // 2 + 10])
    made = extend(large.content.tables["virtual"], edits, build)
    assert len(made.layers) == 1
    left = {key: value for key, value in LARGE.items() if key not in edits}
    assert made == compile_rows(table(records(left)), build)[0].tables["virtual"]


def test_an_edit_after_a_bulk_edit_does_not_write_that_again(build: Build) -> None:
    entries = {f"u{n:05}@example.com": "x@example.net" for n in range(20000)}
    content, _ = compile_rows(table(records(entries)), build)
    bulk = dict.fromkeys(list(entries)[:5000], "y@example.net")
    first = extend(content.tables["virtual"], bulk, build)
    made, now = first, entries | bulk
    for n in range(3):
        made = extend(made, {f"u0000{n}@example.com": "z@example.net"}, build)
        now[f"u0000{n}@example.com"] = "z@example.net"
        assert [layer.count for layer in made.layers] == [n + 1, 5000, 20000]
    assert made.layers[1:] == first.layers
    again = dict.fromkeys(list(entries)[10:5000:5], "x@example.net")
    made, now = extend(made, again, build), now | again
    assert entries_of(made, build) == now
    whole = compile_rows(table(records(now)), build)[0].tables["virtual"]
    assert made.meaning == whole.meaning


def test_there_are_never_many_layers(build: Build) -> None:
    entries = {f"u{n:05}@example.com": "x@example.net" for n in range(80_000)}
    made = compile_rows(table(records(entries)), build)[0].tables["virtual"]
    now = dict(entries)
    for n in range(LAYERS_MOST + 2):
        bulk = dict.fromkeys(list(entries)[n * 4000 : n * 4000 + 4200], f"{n}@example.net")
        made, now = extend(made, bulk, build), now | bulk
        assert len(made.layers) <= LAYERS_MOST + 1
    assert any(20_000 < layer.count < 80_000 for layer in made.layers)
    assert dict(entries_of(made, build)) == now


def test_a_large_layer_wants_a_new_base(build: Build) -> None:
    entries = {f"u{n:05}@example.com": "x@example.net" for n in range(9000)}
    content, _ = compile_rows(table(records(entries)), build)
    before = content.tables["virtual"]
    few: dict[str, str | None] = dict.fromkeys(list(entries)[:4096])
    assert not needs_base(before)
    assert not needs_base(extend(before, few, build))
    assert needs_base(extend(before, few | {"new@example.com": "x@example.net"}, build))


def test_a_table_with_keys_written_by_hand_is_compiled_whole(build: Build) -> None:
    """Two rows have one key, which the database did not see: removing one must not remove both."""
    twins = [
        EntryRecord.of(key="Joe@example.com", value="x@a.example", row="entry:1", lookup_key="1"),
        EntryRecord.of(key="joe@example.com", value="x@a.example", row="entry:2", lookup_key="2"),
    ]
    content, _, notes = compile_with_notes(table(twins), build)
    assert notes.tables["virtual"].irregular
    edits: Edits[EntryKey, EntryRecord] = Edits(
        rows=frozenset(["entry:2"]), keys=frozenset([("joe@example.com", "joe@example.com")])
    )
    made, _ = compile_rows(table(twins[:1], edits), build, Previous(content, notes))
    assert entries_of(made.tables["virtual"], build) == {"joe@example.com": "x@a.example"}


@pytest.mark.parametrize("count", [SMALL, SMALL + 1])
def test_unique_entries_may_come_in_any_order(build: Build, count: int) -> None:
    few = records(dict(list(LARGE.items())[:count]))
    content, report = compile_rows(table(few), build)
    turned, _ = compile_rows(table(few[::-1]), build)
    assert report.is_publishable
    assert turned.digest == content.digest
    assert entries_of(turned.tables["virtual"], build) == dict(list(LARGE.items())[:count])
    # a small table is written as an edit would write it
    assert (turned.tables == content.tables) == (count <= SMALL)


def test_capitals_do_not_matter_to_a_block(build: Build) -> None:
    """Entries with capitals are read together, as they would be one by one."""
    pairs = [("Joe@Example.com", "Ann@Example.net, b@c.test"), ("amy@example.com", "X@y.test")]
    some = [EntryRecord.of(k, v, f"entry:{n}", k.lower()) for n, (k, v) in enumerate(pairs)]
    own = EntryRecord.of("Own@example.com", "own@Example.com", "entry:9", "own@example.com")
    content, report, notes = compile_with_notes(table([*some, own]), build)
    assert report.warnings == []
    assert not notes.tables["virtual"].irregular
    assert notes.tables["virtual"].own_aliases == {"entry:9": "own@example.com"}
    wanted = {key.lower(): value for key, value in pairs}
    assert entries_of(content.tables["virtual"], build) == wanted | {
        "own@example.com": "own@Example.com"
    }
    content, _, notes = compile_with_notes(table(some), build)
    assert not notes.tables["virtual"].irregular
    assert entries_of(content.tables["virtual"], build) == wanted


def test_keys_that_come_again_are_found_however_late(build: Build) -> None:
    twin = EntryRecord.of(
        key="u00001@example.com", value="y@a.example", row="entry:0", lookup_key="1"
    )
    _, report = compile_rows(table([*records(LARGE)[::-1], twin]), build)
    assert [finding.check for finding in report.errors] == ["conflict"]


def test_a_state_in_between_that_was_written_by_hand_counts_too(build: Build) -> None:
    good = records({"joe@example.com": "x@a.example"})
    content, _, notes = compile_with_notes(table(good), build)
    edits: Edits[EntryKey, EntryRecord] = Edits(
        rows=frozenset(["entry:5"]), keys=frozenset([("joe@example.com", "something else")])
    )
    made, _ = compile_rows(table(good, edits), build, Previous(content, notes))
    assert made == content


def test_a_warning_stays_until_its_row_is_edited(build: Build) -> None:
    bad = EntryRecord.of(
        key="joe x@example.com", value="x@a.example", row="entry:7", lookup_key="joe"
    )
    content, report, notes = compile_with_notes(table([bad]), build)
    assert [finding.row for finding in report.warnings] == ["entry:7"]
    content, report, notes = compile_with_notes(
        edit("b@example.com", "y@example.net"), build, Previous(content, notes)
    )
    assert [finding.row for finding in report.warnings] == ["entry:7"]
    _, report = compile_rows(
        edit("c@example.com", "y@example.net", row="entry:7"), build, Previous(content, notes)
    )
    assert report.warnings == []


def test_a_table_of_another_kind_is_compiled_whole(build: Build, large: Previous) -> None:
    source = edit("a@example.com", "b@example.com")
    other = replace(source, tables=(replace(source.tables[0], kind="canonical"),))
    with pytest.raises(AssertionError, match="whole table is read"):
        compile_rows(other, build, large)


def test_lint_looks_at_edited_domains(build: Build) -> None:
    values = {"mydestination": "a.example"}
    content, report, notes = compile_with_notes(rows(values=values), build)
    assert report.is_publishable
    found = domain("a.example", "virtual_mailbox")
    edits = Edits(
        rows=frozenset([found.row]), keys=frozenset(["a.example"]), records=lambda: [found]
    )
    source = replace(rows(values=values), domain_edits=edits, mailbox_edits=Edits())
    _, report = compile_rows(source, build, Previous(content, notes))
    assert [finding.check for finding in report.errors] == ["domain-class"]


def test_lint_looks_at_all_domains_when_a_list_of_domains_changed(build: Build) -> None:
    hosted = [domain("a.example", "virtual_mailbox")]
    content, _, notes = compile_with_notes(rows(domains=hosted), build)
    source = rows(domains=hosted, values={"relay_domains": "a.example"})
    source = replace(source, domain_edits=Edits(), mailbox_edits=Edits())
    _, report = compile_rows(source, build, Previous(content, notes))
    assert [finding.check for finding in report.errors] == ["domain-class"]


def test_a_local_part_stays_while_another_domain_has_it(build: Build) -> None:
    domains = [domain("a.example", "local"), domain("b.example", "local")]
    both = [mailbox("joe@a.example", "local"), mailbox("joe@b.example", "local")]
    content, _, notes = compile_with_notes(rows(domains=domains, mailboxes=both), build)
    cases: list[tuple[list[MailboxRecord], int | None]] = [(both[1:], 1), ([], None)]
    for left, count in cases:
        edits: Edits[str, MailboxRecord] = Edits(
            rows=frozenset(["mailbox:joe@a.example"]),
            keys=frozenset(["joe@a.example", *([] if left else ["joe@b.example"])]),
            records=partial(list, left),
        )
        source = rows(domains=domains, mailboxes=left)
        source = replace(source, domain_edits=Edits(), mailbox_edits=edits)
        made, _ = compile_rows(source, build, Previous(content, notes))
        found = made.tables.get("hosting-local-mailboxes")
        assert (None if found is None else found.count) == count
        assert made.digest == compile_rows(rows(domains=domains, mailboxes=left), build)[0].digest


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b'{"format": 1}', b'{"format": 9}', bytes(range(150, 200))]
)
def test_notes_that_cannot_be_read_are_no_notes(data: bytes) -> None:
    assert Notes.from_bytes(data) is None
