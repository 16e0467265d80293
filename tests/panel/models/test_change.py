"""Change records: written by the database, whatever writes the row."""

from __future__ import annotations

import importlib
import json

import pytest
from django.apps import apps
from django.db import IntegrityError, connection

from panel.models import (
    PUBLISHED,
    Alias,
    Change,
    Domain,
    Entry,
    Mailbox,
    Parameter,
    Service,
    Table,
)
from panel.services.changes import acting, current_revision

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_changes_yet(db) -> None:
    Change.objects.all().delete()


def test_it_works() -> None:
    with acting("amy", "api"):
        domain = Domain.objects.create(name="example.com")
        revision = current_revision()
    change = Change.objects.get()
    assert (change.model, change.row, change.operation) == ("domain", domain.pk, "insert")
    assert (change.actor, change.source, change.revision) == ("amy", "api", revision)
    assert change.before is None
    assert change.after["name"] == "example.com"


def test_an_update_has_both_sides() -> None:
    domain = Domain.objects.create(name="example.com")
    domain.description = "ours"
    domain.save()
    change = Change.objects.first()
    assert change.operation == "update"
    assert change.differences == {"description": ("", "ours")}


def test_a_write_without_a_difference_leaves_none() -> None:
    domain = Domain.objects.create(name="example.com")
    domain.save()
    assert Change.objects.count() == 1


def test_bulk_writes_are_seen() -> None:
    with acting("amy", "api"):
        table = Alias.well_known_table()
        Entry.objects.bulk_create(
            [Entry(table=table, key=f"user{n}", value="joe") for n in range(50)]
        )
        Entry.objects.filter(key__startswith="user1").update(value="amy")
        Entry.objects.all().delete()
    operations = list(Change.objects.filter(model="entry").values_list("operation", flat=True))
    assert operations.count("insert") == 50
    assert operations.count("update") == 11
    assert operations.count("delete") == 50
    assert set(Change.objects.values_list("actor", flat=True)) == {"amy"}


def test_a_row_with_another_id_is_one_gone_and_one_new() -> None:
    domain = Domain.objects.create(name="example.com")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE panel_domain SET id = 900 WHERE id = %s", [domain.pk])
    found = Change.objects.order_by("pk").values_list("row", "operation", "before__id", "after__id")
    assert list(found)[1:] == [
        (domain.pk, "delete", domain.pk, None),
        (900, "insert", None, 900),
    ]


def test_raw_sql_is_seen_under_the_database_user() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO panel_parameter (name, value) VALUES ('myhostname', 'mx.a.b')")
        cursor.execute("SELECT session_user")
        user = cursor.fetchone()[0]
    change = Change.objects.get()
    assert (change.actor, change.source) == (user, "sql")


def test_truncate_is_seen_row_by_row() -> None:
    Parameter.objects.create(name="myhostname", value="mx.example.com")
    Change.objects.all().delete()
    count = Parameter.objects.count()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE panel_parameter")
    assert Change.objects.filter(operation="delete", model="parameter").count() == count
    record = Change.objects.get(before__name="myhostname")
    assert (record.operation, record.after) == ("delete", None)


def test_passwords_are_in_none_of_it() -> None:
    domain = Domain.objects.create(name="example.com")
    mailbox = Mailbox(domain=domain, local_part="joe")
    hashes = []
    for password in ("first", "second"):
        mailbox.set_password(password)
        mailbox.save()
        hashes.append(mailbox.password)
    mailbox.delete()
    text = json.dumps(list(Change.objects.values_list("before", "after")))
    assert not any(kept in text for kept in hashes)
    assert "$argon2" not in text
    update = Change.objects.get(operation="update")
    assert update.differences == {"password": ("***", "*** (changed)")}


def test_passwords_are_not_in_the_record_of_a_truncate() -> None:
    domain = Domain.objects.create(name="example.com")
    mailbox = Mailbox(domain=domain, local_part="joe")
    mailbox.set_password("first")
    mailbox.save()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("TRUNCATE panel_mailbox")
    assert Change.objects.get(operation="delete").before["password"] == "***"


SECRETS = ("joe:first", "joe:second", "ann:third")


def password_table(kind: str = "passwords") -> Table:
    table = Table.objects.create(name="secrets", type="hash", kind=kind)
    entry = Entry.objects.create(table=table, key="mx.example.com", value=SECRETS[0])
    entry.value = SECRETS[1]
    entry.save()
    Entry.objects.create(table=table, key="gone.example.com", value=SECRETS[2]).delete()
    return table


def recorded_text() -> str:
    return json.dumps(list(Change.objects.values_list("before", "after")))


def masked_values() -> list[tuple[object, object]]:
    found = Change.objects.filter(model="entry").order_by("pk")
    return list(found.values_list("before__value", "after__value"))


MASKED = [(None, "***"), ("***", "*** (changed)"), (None, "***"), ("***", None)]


def test_values_of_password_tables_are_in_none_of_it() -> None:
    table = password_table()
    assert masked_values() == MASKED
    table.delete()
    assert masked_values()[4:] == [("***", None)]
    assert not any(secret in recorded_text() for secret in SECRETS)


@pytest.mark.parametrize("statement", ["TRUNCATE panel_entry", "DELETE FROM panel_entry"])
def test_values_of_password_tables_are_not_seen_when_all_goes(statement: str) -> None:
    password_table()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement)
    assert masked_values()[4:] == [("***", None)]


def test_values_of_an_unknown_table_count_as_secret() -> None:
    table = password_table("text")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM panel_table WHERE id = %s", [table.pk])
        cursor.execute("DELETE FROM panel_entry WHERE table_id = %s", [table.pk])
    assert masked_values()[4:] == [("***", None)]


def test_other_values_are_recorded() -> None:
    password_table("text")
    assert masked_values()[1] == (SECRETS[0], SECRETS[1])


def test_a_table_that_becomes_one_of_passwords_has_its_records_masked() -> None:
    table = password_table("text")
    other = Table.objects.create(name="others", type="hash", kind="text")
    Entry.objects.create(table=other, key="a", value="b")
    table.kind = "passwords"
    table.full_clean()
    table.save()
    assert masked_values() == [*MASKED, (None, "b")]
    assert not any(secret in recorded_text() for secret in SECRETS)


@pytest.mark.parametrize("value", ["static:joe:first", "hash:a, inline:{ mx = joe:first }"])
def test_passwords_in_settings_are_in_none_of_it(value: str) -> None:
    name = "smtp_sasl_password_maps"
    row = Parameter.objects.create(name=name, value=value)
    row.value = f"{value} static:joe:second"
    row.save()
    overrides = {name: value, "myhostname": "mx"}
    service = Service.objects.create(name="far", command="smtp", overrides=overrides)
    service.delete()
    assert not any(secret in recorded_text() for secret in SECRETS)
    assert Change.objects.get(model="parameter", operation="update").differences == {
        "value": ("***", "*** (changed)")
    }


def test_other_settings_are_recorded() -> None:
    Parameter.objects.create(name="smtp_sasl_password_maps", value="hash:secrets")
    Parameter.objects.create(name="relocated_maps", value="static:gone")
    recorded = Change.objects.order_by("pk").values_list("after__value", flat=True)
    assert list(recorded) == ["hash:secrets", "static:gone"]


def test_the_migration_turns_tables_that_hold_passwords() -> None:
    password_table("text")
    Table.objects.create(name="others", type="hash", kind="text")
    Parameter.objects.create(name="smtp_sasl_password_maps", value="static:a:b, proxy:hash:secrets")
    importlib.import_module("panel.migrations.0006_passwords").turn(apps, None)
    kinds = dict(Table.objects.values_list("name", "kind"))
    assert (kinds["secrets"], kinds["others"]) == ("passwords", "text")
    assert masked_values() == MASKED


def test_the_migration_masks_what_was_recorded_of_settings() -> None:
    image = {"name": "smtp_sasl_password_maps", "value": f"static:{SECRETS[0]}"}
    other = {"name": "relayhost", "value": "mx.example.com"}
    for before, after in (
        (None, image),
        (image, {**image, "value": "hash:secrets"}),
        (other, other),
    ):
        Change.objects.create(
            model="parameter", row=1, operation="update", before=before, after=after, revision=1
        )
    with connection.cursor() as cursor:
        cursor.execute(importlib.import_module("panel.migrations.0006_passwords").MASK_SETTINGS)
    found = Change.objects.order_by("pk").values_list("before__value", "after__value")
    assert list(found) == [
        (None, "***"), ("***", "hash:secrets"), ("mx.example.com", "mx.example.com")
    ]  # fmt: skip


def test_acting_inside_acting_hands_back_the_name() -> None:
    with acting("amy", "admin"):
        with acting("bob", "api"):
            Domain.objects.create(name="b.example")
        Domain.objects.create(name="a.example")
    actors = dict(Change.objects.values_list("after__name", "actor"))
    assert actors == {"b.example": "bob", "a.example": "amy"}


def test_a_failed_action_leaves_no_record_and_no_name() -> None:
    with pytest.raises(IntegrityError), acting("amy", "admin"):
        Domain.objects.bulk_create([Domain(name="a.example"), Domain(name="a.example")])
    Domain.objects.create(name="b.example")
    assert Change.objects.get().source == "sql"


def test_every_published_model_has_its_triggers() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, count(*) FROM pg_trigger "
            "JOIN pg_proc ON pg_proc.oid = tgfoid "
            "WHERE proname = 'waypost_record_change' AND tgenabled = 'O' GROUP BY 1"
        )
        found = dict(cursor.fetchall())
    assert found == {model._meta.db_table: 4 for model in PUBLISHED}
