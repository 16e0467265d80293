"""Incremental publishes: they read what was edited, and mean what a whole compile means."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from panel.constants import REBUILD_LOCK
from panel.models import Change, Domain, DomainAlias, Entry, Generation, Mailbox, Table
from panel.services import publish
from panel.services.changes import pending_changes
from panel.services.locks import advisory_lock
from panel.services.publish import rebuild, rebuild_is_due, rebuild_when_due
from panel.services.rows import consistent_read
from panel.services.stores import compile_current, generation_store
from tables.errors import StoreBusy
from tables.manifest import TableContent
from tables.reading.snapshot import Snapshot
from tables.writing.layers import SMALL
from tables.writing.notes import Notes
from tables.writing.store import Store

pytestmark = pytest.mark.usefixtures("committed")


def publish_changes(*args, settle_s: float = 0.0, **kwargs) -> Generation:
    """As the service does, without waiting for a pause in the edits."""
    return publish.publish_changes(*args, settle_s=settle_s, **kwargs)


def run(sql: str, *params: object) -> None:
    """A statement that no form has seen."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def add_many(count: int = SMALL + 100, table: str = "virtual") -> None:
    run(
        "INSERT INTO panel_entry (table_id, key, lookup_key, value) "
        "SELECT t.id, 'u' || n || '@example.com', 'u' || n || '@example.com', 'x@example.net' "
        "FROM panel_table AS t, generate_series(1, %s) AS n WHERE t.name = %s",
        count,
        table,
    )


def notes_of(generation: Generation) -> Notes:
    notes = generation_store().notes(generation.number)
    assert notes is not None
    return notes


def table_of(generation: Generation, name: str = "virtual") -> TableContent:
    return generation_store().read(generation.number).content.tables[name]


def value_of(generation: Generation, key: str, table: str = "virtual") -> str | None:
    generation_store().switch(generation.number)
    snapshot = Snapshot.open(generation_store().root)
    return snapshot.table(f"hash:{table}").get(key)


def assert_as_whole(generation: Generation, directory: Path) -> None:
    """A whole compile, in an empty store, has the same digest and the same report."""
    with consistent_read(), Store(directory).begin() as build:
        content, report = compile_current(build, whole=True)
    assert generation.digest == content.digest
    assert generation.counts == report.counts
    for level in ("errors", "warnings"):
        told = sorted(generation.report[level], key=repr)
        assert told == sorted(report.to_dict()[level], key=repr)


def large_generation() -> Generation:
    """One with a `virtual` that is large enough to be layered."""
    add_many()
    made = publish_changes()
    assert len(table_of(made).layers) == 1
    return made


def edit(key: str = "u1@example.com", value: str = "y@example.net") -> Entry:
    entry = Entry.objects.get(table__name="virtual", key=key)
    entry.value = value
    entry.save()
    return entry


def test_it_works() -> None:
    first = large_generation()
    edit()
    second = publish_changes()
    assert [layer.count for layer in table_of(second).layers] == [1, SMALL + 100]
    assert (notes_of(first).edits, notes_of(second).edits) == (0, 1)
    assert second.counts["virtual"] == SMALL + 100
    assert value_of(second, "u1@example.com") == "y@example.net"
    assert value_of(second, "u2@example.com") == "x@example.net"


class Editor:
    """Random edits, by the forms' models and past them."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.tables = list(Table.objects.order_by("name"))
        self.number = 0

    def edit(self) -> None:
        """One transaction; what the database refuses has not happened."""
        often = [self.add, self.change, self.move, self.remove, self.switch, self.mailbox]
        action = self.chance.choice([*often, *often, self.by_hand, self.domain, self.table])
        try:
            with transaction.atomic():
                for _ in range(self.chance.choice([1, 1, 3])):
                    action()
                if self.chance.random() < 0.1:
                    transaction.set_rollback(True)
        except DatabaseError:
            return

    def key(self) -> str:
        return f"u{self.chance.randrange(1, SMALL)}@example.com"

    def entry(self) -> Entry | None:
        found = Entry.objects.filter(key=self.key())
        return found.order_by("?").first() or Entry.objects.order_by("?").first()

    def add(self) -> None:
        table = self.chance.choice(self.tables)
        key = self.chance.choice([self.key(), self.key().upper(), f"new{self.number}", "a b@c"])
        self.number += 1
        if table.is_ordered:
            key = f"10.0.0.{self.number % 256}/32"
        value = self.chance.choice(["x@example.net", "OK", "hash:virtual", "no reason"])
        run(
            "INSERT INTO panel_entry (table_id, key, lookup_key, value, position) "
            "VALUES (%s, %s, %s, %s, %s)",
            table.pk,
            key,
            None if table.is_ordered else key.lower(),
            value,
            self.number,
        )

    def change(self) -> None:
        if entry := self.entry():
            Entry.objects.filter(pk=entry.pk).update(value=f"v{self.number}@example.net")
            self.number += 1

    def move(self) -> None:
        entry, table = self.entry(), self.chance.choice(self.tables)
        if entry and table.is_ordered == entry.table.is_ordered:
            run("UPDATE panel_entry SET table_id = %s WHERE id = %s", table.pk, entry.pk)

    def remove(self) -> None:
        if entry := self.entry():
            entry.delete()

    def switch(self) -> None:
        if entry := self.entry():
            Entry.objects.filter(pk=entry.pk).update(enabled=not entry.enabled)

    def by_hand(self) -> None:
        """Keys that the database cannot compare: a table with them is compiled whole."""
        if self.chance.random() < 0.2 and (entry := self.entry()):
            lookup_key = self.chance.choice([None, f"other{self.number}"])
            run("UPDATE panel_entry SET lookup_key = %s WHERE id = %s", lookup_key, entry.pk)
            self.number += 1

    def domain(self) -> None:
        name = f"d{self.chance.randrange(4)}.example"
        found = Domain.objects.filter(name=name)
        match self.chance.randrange(5):
            case 0:
                found.delete()
            case 1:
                found.update(enabled=self.chance.random() < 0.5)
            case 2:
                found.update(kind=self.chance.choice(["local", "virtual_mailbox", "relay"]))
            case 3:
                found.update(name=f"d{self.chance.randrange(4)}.example")
            case _:
                Domain.objects.create(name=name, kind=self.chance.choice(["local", "relay"]))

    def mailbox(self) -> None:
        local_part = self.chance.choice(["joe", "amy", "o'neil"])
        domain = Domain.objects.order_by("?").first()
        found = Mailbox.objects.filter(local_part=local_part)
        match self.chance.randrange(4):
            case 0:
                found.delete()
            case 1:
                found.update(enabled=False)
            case 2 if domain:
                found.filter(pk=getattr(found.first(), "pk", 0)).update(domain=domain)
            case _ if domain:
                Mailbox.objects.create(domain=domain, local_part=local_part, quota_bytes=7)

    def table(self) -> None:
        if self.chance.random() < 0.3:
            table = self.chance.choice([t for t in self.tables if t.name.startswith("more")])
            Table.objects.filter(pk=table.pk).update(
                name=f"more{self.chance.randrange(3)}", kind=self.chance.choice(["text", "access"])
            )


@pytest.mark.parametrize("seed", range(5))
def test_it_means_what_a_whole_compile_means(seed: int, tmp_path: Path) -> None:
    add_many()
    for name, type_, kind in (
        ("more0", "hash", "text"),
        ("more1", "hash", "access"),
        ("clients", "cidr", "access"),
    ):
        Table.objects.create(name=name, type=type_, kind=kind)
    publish_changes()
    editor = Editor(random.Random(seed))
    incremental = 0
    for number in range(12):
        for _ in range(editor.chance.choice([1, 2, 8])):
            editor.edit()
        made = publish_changes()
        if made is None:  # all of it was refused by the database
            continue
        if made.state == "refused":
            with consistent_read(), Store(tmp_path / str(number)).begin() as build:
                _content, report = compile_current(build, whole=True)
            assert made.report["error_count"] == report.error_count
            Entry.objects.filter(value="").delete()
            continue
        assert made.state == "published", made.report
        incremental += notes_of(made).edits > 0
        assert_as_whole(made, tmp_path / str(number))
    assert incremental, f"seed {seed} compiled everything whole each time"


def test_truncated_tables_are_seen() -> None:
    large_generation()
    run("TRUNCATE panel_entry")
    made = publish_changes()
    assert table_of(made).count == 0
    assert value_of(made, "u1@example.com") is None


def test_a_key_that_goes_from_row_to_row_ends_where_it_is() -> None:
    large_generation()
    first, second = edit("u1@example.com", "one@example.net"), edit("u2@example.com")
    Entry.objects.filter(pk=first.pk).update(
        key="spare@example.com", lookup_key="spare@example.com"
    )
    Entry.objects.filter(pk=second.pk).update(key="u1@example.com", lookup_key="u1@example.com")
    made = publish_changes()
    assert len(table_of(made).layers) == 2
    assert value_of(made, "u1@example.com") == "y@example.net"
    assert value_of(made, "u2@example.com") is None
    assert value_of(made, "spare@example.com") == "one@example.net"


def test_a_domain_takes_its_mailboxes_along(tmp_path: Path) -> None:
    domain = Domain.objects.create(name="example.com")
    for name in ("joe", "amy"):
        Mailbox.objects.create(domain=domain, local_part=name, quota_bytes=5)
    assert publish_changes().counts["hosting-mailboxes"] == 2
    for number, change in enumerate(
        ({"kind": "local"}, {"name": "example.org"}, {"enabled": False}, {"enabled": True})
    ):
        Domain.objects.filter(pk=domain.pk).update(**change)
        made = publish_changes()
        assert notes_of(made).edits == number + 1
        assert_as_whole(made, tmp_path / str(number))
    assert value_of(made, "joe@example.org", "hosting-local-recipients") is not None


def test_two_mailboxes_of_one_folded_address_are_not_mistaken(tmp_path: Path) -> None:
    """No form makes them; one of them may go, and the address stays."""
    domain = Domain.objects.create(name="example.com")
    for name in ("stra\u00dfe", "strasse"):
        run("INSERT INTO panel_mailbox (domain_id, local_part) VALUES (%s, %s)", domain.pk, name)
    publish_changes()
    Mailbox.objects.filter(local_part="stra\u00dfe").delete()
    made = publish_changes()
    assert_as_whole(made, tmp_path / "whole")
    assert value_of(made, "strasse@example.com", "hosting-mailboxes") is not None


def no_notes(number: int) -> None:
    (generation_store().generations / str(number) / "notes.json").unlink()


def torn_notes(number: int) -> None:
    path = generation_store().generations / str(number) / "notes.json"
    path.write_bytes(path.read_bytes()[:-20])


def damaged_base(number: int) -> None:
    store = generation_store()
    layer = store.read(number).content.tables["virtual"].layers[-1]
    path = store.objects.path(layer.digest)
    path.write_bytes(b"x" * layer.size)


def other_circumstances(number: int) -> None:
    """Another database, or another timeline of the cluster: numbers of transactions went back."""
    path = generation_store().generations / str(number) / "notes.json"
    path.write_bytes(path.read_bytes().replace(b'"start": "', b'"start": "9'))


def forgotten_changes(number: int) -> None:
    """Whoever forgets changes by age forgets those last that were not published yet."""
    Change.objects.all().delete()


def lost_row(number: int) -> None:
    """The database does not know the generation: it was restored from an older dump."""
    Generation.objects.filter(number=number).delete()


@pytest.mark.parametrize(
    "spoil",
    [no_notes, torn_notes, damaged_base, other_circumstances, forgotten_changes, lost_row],
)
def test_with_nothing_to_go_on_from_everything_is_compiled(spoil, tmp_path: Path) -> None:
    number = large_generation().number
    edit()
    spoil(number)
    made = publish_changes(force=not pending_changes().exists())
    assert notes_of(made).edits == 0
    assert len(table_of(made).layers) == 1
    assert value_of(made, "u1@example.com") == "y@example.net"
    edit("u2@example.com")
    again = publish_changes()
    assert notes_of(again).edits == (0 if spoil is forgotten_changes else 1)
    assert_as_whole(again, tmp_path / "whole")


def test_a_change_without_effect_is_noted_all_the_same() -> None:
    """A twin of a key, written by hand, changes nothing until one of the two is removed."""
    large_generation()
    table = Table.objects.get(name="virtual")
    run(
        "INSERT INTO panel_entry (table_id, key, lookup_key, value) "
        "VALUES (%s, 'U1@example.com', 'by hand', 'x@example.net')",
        table.pk,
    )
    assert publish_changes().number == 1
    Entry.objects.get(key="u1@example.com").delete()
    made = publish_changes()
    assert made.number == 1
    assert value_of(made, "u1@example.com") == "x@example.net"


def test_rebuilding_makes_one_file_again(tmp_path: Path) -> None:
    large_generation()
    edit()
    layered = publish_changes()
    made = rebuild()
    assert (made.number, made.digest) == (layered.number + 1, layered.digest)
    assert made.reason == "rebuild"
    assert len(table_of(made).layers) == 1
    assert value_of(made, "u1@example.com") == "y@example.net"
    assert_as_whole(made, tmp_path / "whole")
    assert rebuild().number == made.number  # there is nothing to gain


def test_it_is_due_when_the_layer_is_large_or_a_day_has_gone() -> None:
    add_many(9000)
    publish_changes()
    assert not rebuild_is_due()
    Entry.objects.filter(pk__in=Entry.objects.order_by("pk")[:4097]).update(value="y@example.net")
    made = publish_changes()
    assert len(table_of(made).layers) == 2
    assert rebuild_is_due()
    made = rebuild_when_due()
    assert len(table_of(made).layers) == 1
    assert not rebuild_is_due()
    assert rebuild_when_due() is None
    path = generation_store().generations / str(made.number) / "notes.json"
    notes = notes_of(made)
    notes.whole = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    path.write_bytes(notes.to_bytes())
    assert rebuild_is_due()
    assert rebuild_when_due().number == made.number
    assert not rebuild_is_due()


def test_edits_go_live_while_everything_is_compiled(tmp_path: Path) -> None:
    """The rebuilder has no lock that a publisher wants, and takes in what came meanwhile."""
    large_generation()
    edit()
    publish_changes()
    with generation_store().begin(aside=True) as build:
        with consistent_read():
            compile_current(build, whole=True)
        edit("u2@example.com", "meanwhile@example.net")
        made = publish_changes()
        assert value_of(made, "u2@example.com") == "meanwhile@example.net"
        with pytest.raises(StoreBusy):
            generation_store().prune(1)  # what it made is in no manifest yet
    rebuilt = rebuild()
    assert value_of(rebuilt, "u2@example.com") == "meanwhile@example.net"
    assert_as_whole(rebuilt, tmp_path / "whole")


def test_publisher_and_rebuilder_side_by_side(tmp_path: Path) -> None:
    large_generation()
    errors: list[BaseException] = []

    def rebuild_often() -> None:
        try:
            for _ in range(6):
                rebuild()
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)
        finally:
            connection.close()

    other = threading.Thread(target=rebuild_often)
    other.start()
    numbers = []
    while other.is_alive() or len(numbers) < 5:
        edit(f"u{len(numbers) + 1}@example.com", f"v{len(numbers)}@example.net")
        made = publish_changes()
        numbers.append(made.number if made else None)
    other.join()
    assert errors == []
    publish_changes()
    newest = Generation.newest()
    assert not pending_changes().exists()
    assert not Generation.objects.exclude(state="published").exists()
    for number in range(len(numbers)):
        assert value_of(newest, f"u{number + 1}@example.com") == f"v{number}@example.net"
    assert_as_whole(newest, tmp_path / "whole")


def test_only_one_rebuilds() -> None:
    large_generation()
    with advisory_lock(REBUILD_LOCK) as held:
        assert held
        assert rebuild() is None


def test_errors_are_told_by_a_refused_generation_and_not_again() -> None:
    large_generation()
    edit()
    publish_changes()
    run("UPDATE panel_entry SET value = '' WHERE key = 'u3@example.com'")
    assert rebuild().state == "refused"
    assert not rebuild_is_due()


def test_a_node_goes_on_from_the_generation_that_it_has(home: Path) -> None:
    """It need not read a whole table to have what the publisher made."""
    large_generation()
    edit()
    second = publish_changes()
    store = generation_store()
    store.remove_generation(store.generations / str(second.number))
    with consistent_read(), store.begin() as build:
        content, _report = compile_current(build)
        assert content.digest == second.digest
        assert build.notes.edits == 1
        build.finish(second.number, 1, content)
    edit("u2@example.com")
    assert notes_of(publish_changes()).edits == 2


def test_other_names_of_domains_follow_what_is_known(tmp_path: Path) -> None:
    domain = Domain.objects.create(name="example.com")
    Mailbox.objects.create(domain=domain, local_part="joe")
    add_many(3)
    large = publish_changes("test")
    alias = DomainAlias.objects.create(name="example.org", domain=domain)
    made = publish_changes("test")
    assert_as_whole(made, tmp_path / "1")
    names = "hosting-domain-aliases"
    assert value_of(made, "joe@example.org", names) == "joe@example.com"
    assert value_of(made, "u2@example.org", names) == "u2@example.com"
    assert value_of(made, "nobody@example.org", names) is None
    assert value_of(made, "example.org", "hosting-virtual-alias-domains") == "virtual_alias"
    Mailbox.objects.create(domain=domain, local_part="ann")
    Entry.objects.filter(key="u2@example.com").delete()
    made = publish_changes("test")
    assert_as_whole(made, tmp_path / "2")
    assert value_of(made, "ann@example.org", names) == "ann@example.com"
    assert value_of(made, "u2@example.org", names) is None
    domain.kind = "local"
    domain.save()
    made = publish_changes("test")
    assert_as_whole(made, tmp_path / "3")
    assert value_of(made, "example.org", "hosting-local-domains") == "local"
    Domain.objects.update(enabled=False)
    assert_as_whole(publish_changes("test"), tmp_path / "4")
    Domain.objects.update(enabled=True)
    alias.delete()
    made = publish_changes("test")
    assert_as_whole(made, tmp_path / "5")
    assert names not in made.counts
    assert large.digest != made.digest  # it has another mailbox, and is local
