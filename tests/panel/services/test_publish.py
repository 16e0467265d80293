"""Publish: rows become a generation, once, whole, and never by accident."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from django.db import connection, transaction

from panel.constants import PUBLISH_LOCK
from panel.models import Alias, Change, Domain, Entry, Generation, Mailbox, Parameter, Table
from panel.services import publish
from panel.services.changes import Snapshot, pending_changes, untried_changes
from panel.services.locks import advisory_lock
from panel.services.publish import publish_is_due
from panel.services.stores import generation_store, lint_rows
from tables.errors import StoreBusy
from tables.writing.report import Report

pytestmark = pytest.mark.usefixtures("committed")


def publish_changes(*args, settle_s: float = 0.0, **kwargs):
    """As the service does, without waiting for a pause in the edits."""
    return publish.publish_changes(*args, settle_s=settle_s, **kwargs)


def break_rows() -> Entry:
    """An entry that no form lets through."""
    table = Table.objects.get(name="virtual")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO panel_entry (table_id, key, lookup_key, value) "
            "VALUES (%s, 'joe@example.com', 'joe@example.com', '') RETURNING id",
            [table.pk],
        )
        return Entry.objects.get(pk=cursor.fetchone()[0])


def test_it_works() -> None:
    domain = Domain.objects.create(name="example.com")
    Mailbox.objects.create(domain=domain, local_part="joe")
    generation = publish_changes("test", requested_by="amy")
    assert (generation.number, generation.state) == (1, "published"), generation.report
    assert (generation.reason, generation.requested_by) == ("test", "amy")
    manifest = generation_store().read(1)
    assert manifest.digest == generation.digest
    assert manifest.content.tables["hosting-mailboxes"].count == 1
    assert generation.counts["hosting-mailboxes"] == 1
    assert generation.duration is not None
    assert not pending_changes().exists()
    assert not publish_is_due()
    assert generation_store().current() is None  # switching is the node's business


def test_nothing_due_makes_nothing() -> None:
    publish_changes()
    assert publish_changes() is None
    assert Generation.objects.count() == 1


def test_rows_that_change_nothing_make_no_generation() -> None:
    first = publish_changes()
    Domain.objects.create(name="off.example", enabled=False)
    assert pending_changes().count() == 1
    again = publish_changes()
    assert again.pk == first.pk
    assert Generation.objects.count() == 1
    assert not pending_changes().exists()


def test_a_forced_publish_of_the_same_rows_makes_no_generation() -> None:
    first = publish_changes()
    assert publish_changes(force=True).pk == first.pk


def test_who_changed_is_noted() -> None:
    publish_changes()
    Domain.objects.create(name="example.com")
    Change.objects.filter(model="domain").update(actor="bob")
    assert publish_changes("sweep").requested_by == "bob"


def test_errors_in_the_rows_refuse_it_and_say_which_row() -> None:
    publish_changes()
    entry = break_rows()
    refused = publish_changes()
    assert (refused.number, refused.state, refused.digest) == (2, "refused", "")
    findings = Report.from_dict(refused.report).errors
    assert [finding.row for finding in findings] == [f"entry:{entry.pk}"]
    assert Generation.newest().number == 1
    assert pending_changes().count() == 1  # it is not live
    assert not publish_is_due()  # and not tried again
    assert generation_store().numbers() == [1]


def test_a_refused_one_is_tried_again_when_a_row_changes() -> None:
    publish_changes()
    entry = break_rows()
    publish_changes()
    entry.delete()
    assert untried_changes().count() == 1
    again = publish_changes()
    assert again.number == 1  # as it was: nothing differs
    assert not pending_changes().exists()
    Domain.objects.create(name="example.com")
    assert publish_changes().number == 3


def test_trouble_with_the_disk_fails_it_and_the_sweep_tries_again(home: Path) -> None:
    (home / "maps").write_text("a file where the directory should be")
    failed = publish_changes()
    assert failed.state == "failed"
    assert "NotADirectoryError" in failed.report["errors"][0]["message"]
    assert publish_is_due()
    (home / "maps").unlink()
    good = publish_changes("sweep")
    assert (good.number, good.state, good.pk) == (1, "published", failed.pk)


def test_a_busy_store_leaves_no_trace() -> None:
    with generation_store().begin(), pytest.raises(StoreBusy):
        publish_changes()
    assert not Generation.objects.exists()
    assert publish_changes().number == 1


def test_only_one_publishes() -> None:
    with advisory_lock(PUBLISH_LOCK) as held:
        assert held
        assert publish_changes() is None
    assert publish_changes().number == 1


def test_a_killed_publisher_is_cleared_away() -> None:
    killed = Generation.objects.create(number=1)
    assert publish_is_due()
    made = publish_changes()
    killed.refresh_from_db()
    assert (made.pk, made.state) == (killed.pk, "published")


def test_a_number_that_the_store_has_is_not_used_again() -> None:
    publish_changes()
    Generation.objects.all().delete()  # the database was lost, the maps were not
    Domain.objects.create(name="example.com")
    assert publish_changes().number == 2


def test_a_change_that_commits_late_is_not_forgotten() -> None:
    """Order of commits is not order of numbers: decision 0002."""
    begun, go_on = threading.Event(), threading.Event()

    def edit_slowly() -> None:
        with transaction.atomic():
            Domain.objects.create(name="late.example")
            begun.set()
            go_on.wait(10)
        connection.close()

    late = threading.Thread(target=edit_slowly)
    late.start()
    begun.wait(10)
    Domain.objects.create(name="early.example")
    first = publish_changes()
    go_on.set()
    late.join()
    assert [change.after["name"] for change in pending_changes()] == ["late.example"]
    late_revision = pending_changes().get().revision
    assert late_revision > first.revision  # first.revision promises no more than it holds
    second = publish_changes()
    assert second.number == first.number + 1
    assert Snapshot.parse(second.snapshot).sees(late_revision)


def test_after_a_restore_into_another_cluster_new_changes_count() -> None:
    publish_changes()
    Generation.objects.update(cluster="1", snapshot="900000000:900000000:", revision=899999999)
    Change.objects.update(revision=899999998)
    Domain.objects.create(name="example.com")  # a small number, which the old snapshot "sees"
    assert publish_is_due()
    assert publish_changes().number == 2
    assert not publish_is_due()
    assert not pending_changes().exists()


def test_it_settles() -> None:
    """Edits that come while it waits are in the same generation."""
    publish_changes()

    def edit() -> None:
        for number in range(100):
            Domain.objects.create(name=f"d{number}.example")
        connection.close()

    editor = threading.Thread(target=edit)
    editor.start()
    while editor.is_alive() or publish_is_due():
        publish_changes(settle_s=0.5)
    editor.join()
    made = Generation.objects.count() - 1
    assert 1 <= made <= 5, made
    assert (
        generation_store()
        .read(Generation.newest().number)
        .content.tables["hosting-virtual-mailbox-domains"]
        .count
        == 100
    )


def test_lint_says_the_same_and_publishes_nothing() -> None:
    entry = break_rows()
    report = lint_rows()
    assert [finding.row for finding in report.errors] == [f"entry:{entry.pk}"]
    assert not Generation.objects.exists()
    assert generation_store().numbers() == []


def test_lint_sees_what_the_current_transaction_wrote() -> None:
    with transaction.atomic():
        break_rows()
        assert not lint_rows().is_publishable
        transaction.set_rollback(True)
    assert lint_rows().is_publishable


def test_passwords_are_not_in_a_generation(home: Path) -> None:
    mailbox = Mailbox(domain=Domain.objects.create(name="example.com"), local_part="joe")
    mailbox.set_password("secret")
    mailbox.save()
    Alias.objects.create(key="root", value="joe@example.com")
    Parameter.objects.create(name="myhostname", value="mx.example.com")
    publish_changes()
    for path in (home / "maps").rglob("*"):
        if path.is_file():
            assert b"$argon2" not in path.read_bytes()
