"""Rows as records: one consistent read, streamed, without what is switched off."""

from __future__ import annotations

import threading
import tracemalloc

import pytest
from django.db import connection, transaction

from panel.models import (
    AccessTable,
    Alias,
    Domain,
    Entry,
    Mailbox,
    Restriction,
    RestrictionList,
    Service,
    Table,
)
from panel.services.rows import consistent_read, read_rows
from tables.addresses import Address
from tables.services import STANDARD
from tables.writing.rows import DomainKind, EntryRecord, MailboxRecord, Rows

pytestmark = pytest.mark.usefixtures("committed")


def test_it_works() -> None:
    domain = Domain.objects.create(name="example.com")
    mailbox = Mailbox.objects.create(domain=domain, local_part="joe", quota_bytes=5)
    alias = Alias.objects.create(key="Röot", value="joé")
    table = AccessTable.objects.create(name="protected")
    each = RestrictionList.objects.create(name="smtpd_recipient_restrictions")
    Restriction.objects.create(list=each, name="check_recipient_access", table=table)
    Service.objects.create(name="smtp", type="inet", command="smtpd")
    with consistent_read():
        rows = read_rows()
        assert [record.name for record in rows.domains()] == ["example.com"]
        assert list(rows.mailboxes()) == [
            MailboxRecord(
                address=Address("joe", "example.com"),
                domain_kind=DomainKind.VIRTUAL_MAILBOX,
                row=f"mailbox:{mailbox.pk}",
                quota_bytes=5,
            )
        ]
        tables = {record.name: record for record in rows.tables}
        assert list(tables["aliases"].entries()) == [
            EntryRecord.of(key="Röot", value="joé", row=f"entry:{alias.pk}", lookup_key="röot")
        ]
    assert {record.name for record in rows.parameters} >= {"alias_maps", "transport_maps"}
    assert rows.restriction_lists[0].members[0].text == "check_recipient_access hash:protected"
    assert rows.services[0].service.daemon == "smtpd"


def test_what_is_switched_off_is_left_out() -> None:
    off = Domain.objects.create(name="off.example", enabled=False)
    on = Domain.objects.create(name="on.example")
    for domain in (off, on):
        Mailbox.objects.create(domain=domain, local_part="joe")
    Mailbox.objects.create(domain=on, local_part="amy", enabled=False)
    Alias.objects.create(key="root", value="joe", enabled=False)
    Service.objects.create(name="smtp", type="inet", command="smtpd", enabled=False)
    with consistent_read():
        rows = read_rows()
        assert [record.name for record in rows.domains()] == ["on.example"]
        found = [(record.address.text, record.enabled) for record in rows.mailboxes()]
        assert not any(list(table.entries()) for table in rows.tables)
    assert found == [("amy@on.example", False), ("joe@on.example", True)]
    assert ("smtp", "inet") not in services_of(rows)


def services_of(rows: Rows) -> set[tuple[str, str]]:
    return {(record.service.name, record.service.type) for record in rows.services}


def test_one_service_more_leaves_the_standard_ones_running() -> None:
    Service.objects.create(name="fax", type="unix", command="pipe argv=/usr/bin/fax")
    Service.objects.create(name="lmtp", type="unix", command="lmtp", enabled=False)
    Service.objects.create(name="relay", type="unix", command="smtp", overrides={"a": "b"})
    with consistent_read():
        rows = read_rows()
    standard = {(service.name, service.type) for service in STANDARD}
    assert services_of(rows) == (standard | {("fax", "unix")}) - {("lmtp", "unix")}
    [relay] = [each for each in rows.services if each.service.name == "relay"]
    assert relay.service.overrides == {"a": "b"}


def test_without_a_row_the_engine_knows_its_services() -> None:
    with consistent_read():
        assert read_rows().services == ()


def test_patterns_come_by_position_and_keys_by_id() -> None:
    patterns = Table.objects.create(name="patterns", type="regexp", kind="access")
    exact = Table.objects.create(name="keys", type="hash", kind="text")
    for position, key in ((3, "/a/"), (1, "/b/"), (2, "/a/")):
        Entry.objects.create(table=patterns, key=key, value="OK", position=position)
    for key in ("b", "a_", "a.", "ä", "Z"):
        Entry.objects.create(table=exact, key=key, value="x")
    with consistent_read():
        tables = {record.name: record for record in read_rows().tables}
        assert [key for key, *_ in tables["patterns"].entries()] == [b"/b/", b"/a/", b"/a/"]
        assert [key for key, *_ in tables["keys"].entries()] == [
            b"b",
            b"a_",
            b"a.",
            "ä".encode(),
            b"Z",
        ]


def test_all_passes_see_the_same_rows() -> None:
    Domain.objects.create(name="a.example")
    with consistent_read() as snapshot:
        rows = read_rows()
        before = [record.name for record in rows.domains()]
        other = threading.Thread(target=_add_elsewhere, args=["b.example"])
        other.start()
        other.join()
        assert [record.name for record in rows.domains()] == before == ["a.example"]
    assert [change.after["name"] for change in snapshot.unseen()] == ["b.example"]


def _add_elsewhere(name: str) -> None:
    Domain.objects.create(name=name)
    connection.close()


def test_nothing_can_be_written_in_it() -> None:
    with pytest.raises(Exception, match="read-only"), consistent_read():
        Domain.objects.create(name="a.example")


def test_it_refuses_to_begin_inside_a_transaction() -> None:
    with pytest.raises(RuntimeError), transaction.atomic(), consistent_read():
        pass


def test_memory_does_not_grow_with_the_entries() -> None:
    table = Table.objects.get(name="virtual")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO panel_entry (table_id, key, lookup_key, value) "
            "SELECT %s, 'user' || n, 'user' || n, 'joe@example.com' "
            "FROM generate_series(1, 30000) AS n",
            [table.pk],
        )
    with consistent_read():
        record = next(each for each in read_rows().tables if each.name == "virtual")
        tracemalloc.start()
        count = sum(1 for _ in record.entries())
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 30_000
    assert peak < 8_000_000, f"{peak} bytes for {count} rows"
