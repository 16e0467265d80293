"""Aliases, virtual entries, transports, access rules: views of one table of entries."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from panel.models import AccessRule, AccessTable, Alias, Entry, Table, Transport, VirtualEntry

pytestmark = pytest.mark.django_db


def make(model, **fields):
    row = model(**fields)
    row.full_clean()
    row.save()
    return model.objects.get(pk=row.pk)


def test_it_works() -> None:
    alias = make(Alias, name="Postmaster", destinations=["joe", "amy@example.com"])
    assert alias.table == Table.objects.get(name="aliases")
    assert alias.destinations == ["joe", "amy@example.com"]
    assert list(Entry.objects.values_list("lookup_key", "value")) == [
        ("postmaster", "joe, amy@example.com")
    ]


def test_an_alias_may_be_a_command() -> None:
    alias = make(Alias, name="list", destinations=['"|/usr/bin/list -x a"', "/var/log/mail"])
    assert alias.destinations == ['"|/usr/bin/list -x a"', "/var/log/mail"]


def test_a_virtual_entry() -> None:
    entry = make(VirtualEntry, pattern="@Example.com", destinations=["@example.net", "joe@b.c"])
    assert entry.lookup_key == "@example.com"
    assert entry.destinations == ["@example.net", "joe@b.c"]


def test_a_transport() -> None:
    entry = make(Transport, pattern="example.com", transport="smtp", nexthop="[gw.example]:2525")
    assert entry.value == "smtp:[gw.example]:2525"
    assert (entry.transport, entry.nexthop) == ("smtp", "[gw.example]:2525")


def test_an_access_rule_needs_a_table() -> None:
    with pytest.raises(ValidationError) as caught:
        make(AccessRule, pattern="example.com", action="REJECT")
    assert "table" in caught.value.message_dict
    table = AccessTable.objects.create(name="insiders")
    rule = make(AccessRule, table=table, pattern="example.com", action="REJECT no")
    assert rule.action == "REJECT no"


def test_views_do_not_see_each_other() -> None:
    make(Alias, name="joe", destinations=["amy"])
    make(VirtualEntry, pattern="joe@example.com", destinations=["amy@example.com"])
    assert Alias.objects.count() == VirtualEntry.objects.count() == 1
    assert Transport.objects.count() == 0


@pytest.mark.parametrize("texts", [[], [""], ["a@b.example, "], ["joe smith"]])
def test_destinations_that_are_none_are_refused_or_read(texts: list[str]) -> None:
    entry = VirtualEntry(pattern="joe@example.com", destinations=texts)
    if "".join(texts).strip():
        entry.full_clean()
    else:
        with pytest.raises(ValidationError):
            entry.full_clean()


def test_a_missing_well_known_table_is_made() -> None:
    Table.objects.filter(name="aliases").delete()
    alias = make(Alias, name="joe", destinations=["amy"])
    assert alias.table.reference == "hash:aliases"
