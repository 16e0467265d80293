"""Tables and entries: the parsers of the kind, uniqueness by folded key, order of patterns."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from panel.models import AccessTable, Entry, Table

pytestmark = pytest.mark.django_db


def make_table(**fields: str) -> Table:
    table = Table(**{"name": "insiders", "type": "hash", "kind": "access"} | fields)
    table.full_clean()
    table.save()
    return table


def make_entry(table: Table, key: str, value: str, **fields: object) -> Entry:
    entry = Entry(table=table, key=key, value=value, **fields)
    entry.full_clean()
    entry.save()
    return entry


def test_it_works() -> None:
    table = make_table()
    entry = make_entry(table, " Example.COM ", "REJECT go away")
    assert (table.reference, entry.key, entry.lookup_key) == (
        "hash:insiders",
        "Example.COM",
        "example.com",
    )


@pytest.mark.parametrize("name", ["", "a b", "hosting-mailboxes", "/etc/x", "x" * 101])
def test_it_rejects_a_name(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make_table(name=name)
    assert "name" in caught.value.message_dict


@pytest.mark.parametrize(
    "fields",
    [{"type": "static"}, {"type": "odd"}, {"kind": "odd"}, {"kind": "header_checks"}],
)
def test_it_rejects_a_type_or_kind(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        make_table(**fields)


def test_it_rejects_a_second_entry_for_a_key_in_other_case() -> None:
    table = make_table()
    make_entry(table, "example.com", "OK")
    with pytest.raises(ValidationError, match="already"):
        make_entry(table, "EXAMPLE.com", "REJECT")
    with pytest.raises(IntegrityError), transaction.atomic():
        Entry.objects.bulk_create([Entry(table=table, key="Example.com", value="REJECT")])


@pytest.mark.parametrize(
    ("kind", "key", "value", "field"),
    [
        ("access", "10.0.0.0/8", "OK", "key"),
        ("access", "example.com", "", "value"),
        ("aliases", "joe@example.com", "amy", "key"),
        ("aliases", "joe", "|", "value"),
        ("virtual", "joe@example.com", "", "value"),
        ("virtual", "@", "amy@example.com", "key"),
        ("transport", "@example.com", "smtp:", "key"),
        ("transport", "example.com", "smtp:a b", "value"),
    ],
)
def test_it_rejects_what_the_kind_cannot_mean(kind: str, key: str, value: str, field: str) -> None:
    table = make_table(kind=kind)
    with pytest.raises(ValidationError) as caught:
        make_entry(table, key, value)
    assert field in caught.value.message_dict, caught.value


def test_patterns_may_come_again_and_keep_their_order() -> None:
    table = make_table(type="regexp")
    make_entry(table, "/^b/", "OK", position=2)
    make_entry(table, "/^a/", "REJECT", position=1)
    make_entry(table, "/^b/", "REJECT", position=3)
    assert [entry.key for entry in table.entries.all()] == ["/^a/", "/^b/", "/^b/"]
    assert not table.entries.exclude(lookup_key=None).exists()


@pytest.mark.parametrize(
    ("type_", "key", "value"),
    [
        ("regexp", "/^(.*)@example/i", "REJECT no $1"),
        ("regexp", "!/a b/", "OK"),
        ("regexp", "if !/x/", ""),
        ("regexp", "endif", ""),
        ("pcre", "/(?=a)b/", "OK"),
        ("cidr", "if 10.0.0.0/8", ""),
        ("cidr", "endif", ""),
        ("cidr", "!2001:db8::/32", "OK"),
    ],
)
def test_it_takes_a_rule(type_: str, key: str, value: str) -> None:
    make_entry(make_table(type=type_), key, value)


@pytest.mark.parametrize(
    ("type_", "key", "value", "field"),
    [
        ("regexp", "/a(b/", "OK", "key"),
        ("regexp", "a", "OK", "key"),
        ("regexp", "/a/", "REJECT $1", "key"),
        ("regexp", "/a/", "", "value"),
        ("regexp", "#a#", "OK", "key"),
        ("regexp", "if /x", "", "key"),
        ("regexp", "endif", "x", "key"),
        ("regexp", "/a/", "499 odd code is fine\nsecond line", "__all__"),
        ("regexp", "/a/", "600 no such code", "value"),
        ("pcre", "/(?<n>a/", "OK", "key"),
        ("cidr", "10.0.0.1/8", "OK", "key"),
        ("cidr", "example.com", "OK", "key"),
    ],
)
def test_it_rejects_a_rule(type_: str, key: str, value: str, field: str) -> None:
    table = make_table(type=type_)
    with pytest.raises(ValidationError) as caught:
        make_entry(table, key, value)
    assert field in caught.value.message_dict, caught.value


def test_a_table_with_entries_keeps_its_way_of_searching() -> None:
    table = make_table()
    make_entry(table, "example.com", "OK")
    table.type = "lmdb"
    table.full_clean()
    table.type = "regexp"
    with pytest.raises(ValidationError, match="entries"):
        table.full_clean()


def test_the_database_bounds_keys() -> None:
    table = make_table()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO panel_entry (table_id, key, lookup_key, value) VALUES (%s, 'k', %s, 'v')",
            [table.pk, "ü" * 501],
        )


def test_an_access_table_is_a_table_of_kind_access() -> None:
    make_table(name="other", kind="virtual")
    table = AccessTable(name="insiders")
    table.full_clean()
    table.save()
    assert list(AccessTable.objects.values_list("name", flat=True)) == ["insiders"]


def test_the_kind_stays_once_there_are_entries() -> None:
    table = make_table(kind="virtual")
    table.kind = "canonical"
    table.full_clean()
    Entry.objects.create(table=table, key="a@example.com", value="b@example.com")
    with pytest.raises(ValidationError) as error:
        table.full_clean()
    assert set(error.value.message_dict) == {"kind"}


def test_a_table_of_text_may_become_one_of_passwords() -> None:
    table = make_table(kind="text")
    Entry.objects.create(table=table, key="mx.example.com", value="joe:geheim")
    table.kind = "passwords"
    table.full_clean()
    table.save()
    table.kind = "text"
    with pytest.raises(ValidationError):
        table.full_clean()
