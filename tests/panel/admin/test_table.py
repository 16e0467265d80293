"""Pages of all tables, of access tables and of all entries."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from panel.models import AccessTable, Entry, Restriction, RestrictionList, Table
from tests.panel.admin.suite import MARKUP, RowSuite


class TestTable(RowSuite):
    page = "table"
    word = "one-tab"
    has_switch = False
    new = {"name": "partners", "kind": "virtual", "type": "hash"}
    changed = {"description": "Ours"}
    bad = {
        "name": {"name": "two words"},
        "name own": {"name": "hosting-x"},
        "name markup": {"name": MARKUP},
        "kind": {"kind": "imaginary"},
        "type": {"type": "static"},
        "type patterns": {"kind": "header_checks"},
    }
    hostile = {"name": "markup", "description": MARKUP}

    def make(self, number: int) -> Table:
        name = {1: "one-table"}.get(number, f"n{number}")
        return Table.objects.create(name=name, kind="virtual")

    def shown(self, row: Table) -> str:
        return row.reference

    def test_deleting_tells_numbers_not_rows(self, admin: Client) -> None:
        table = self.make(1)
        Entry.objects.bulk_create(
            Entry(table=table, key=f"k{n}@example.com", value="x@example.com") for n in range(500)
        )
        page = admin.get(self.url("delete", table.pk))
        assert "500" in page.text
        assert "k499@" not in page.text
        admin.post(self.url("delete", table.pk), {"post": "yes"})
        assert not Entry.objects.filter(table_id=table.pk).exists()

    def test_a_table_in_use_stays(self, admin: Client) -> None:
        table = Table.objects.create(name="used", kind="access")
        members = RestrictionList.objects.create(name="smtpd_client_restrictions")
        Restriction.objects.create(list=members, name="check_client_access", table=table)
        page = admin.get(self.url("delete", table.pk)).text
        assert "check_client_access hash:used" in page
        admin.post(self.url("delete", table.pk), {"post": "yes"})
        refused = self.act(admin, "delete_selected", [table], confirmed="yes")
        assert "These are still used by" in refused.text
        assert Table.objects.filter(pk=table.pk).exists()


class TestAccessTable(RowSuite):
    page = "accesstable"
    word = "one-tab"
    has_switch = False
    new = {"name": "clients", "type": "cidr"}
    changed = {"description": "Ours"}
    bad = {"name": {"name": ""}, "type": {"type": "imaginary"}}
    hostile = {"name": "markup", "description": MARKUP}

    def make(self, number: int) -> AccessTable:
        name = {1: "one-table"}.get(number, f"n{number}")
        return AccessTable.objects.create(name=name)

    def shown(self, row: AccessTable) -> str:
        return row.reference

    def test_it_makes_tables_of_kind_access(self, admin: Client) -> None:
        admin.post(self.url("add"), self.new)
        table = Table.objects.get(name="clients")
        assert (table.kind, table.type) == ("access", "cidr")
        page = admin.get(self.url("change", table.pk)).text
        assert f"{reverse('admin:panel_accessrule_add')}?table={table.pk}" in page


class TestEntry(RowSuite):
    page = "entry"
    word = "one-key"
    changed = {"value": "another text"}
    bad = {
        "table": {"table": ""},
        "key": {"key": ""},
        "key long": {"key": "x" * 1001},
        "key nul": {"key": "a\x00b"},
        "value": {"value": ""},
    }
    hostile = {"key": "markup", "value": MARKUP, "comment": MARKUP}

    @pytest.fixture(autouse=True)
    def table(self, well_known: None) -> Table:
        made = Table.objects.create(name="texts", kind="text")
        self.new = {"table": made.pk, "key": "k", "value": "text", "position": 0, "enabled": "on"}
        return made

    def make(self, number: int) -> Entry:
        key = {1: "one-key"}.get(number, f"n{number}")
        return Entry.objects.create(table=Table.objects.get(name="texts"), key=key, value="text")

    def test_an_entry_with_a_page_of_its_own_is_edited_there(self, admin: Client) -> None:
        entry = Entry.objects.create(
            table=Table.objects.get(name="aliases"), key="staff", value="joe"
        )
        response = admin.get(self.url("change", entry.pk))
        assert response.status_code == 302
        assert response["Location"] == reverse("admin:panel_alias_change", args=[entry.pk])

    def test_the_kind_of_the_table_says_what_to_write(self, admin: Client) -> None:
        table = Table.objects.get(name="aliases")
        page = admin.get(f"{self.url('add')}?table={table.pk}").text
        assert "A name without a domain, such as postmaster" in page
        assert admin.get(f"{self.url('add')}?table=%00").status_code == 200
        assert admin.get(f"{self.url('add')}?table=x").status_code == 200

    def test_entries_of_two_tables_do_not_move_together(self, admin: Client) -> None:
        other = Entry.objects.create(
            table=Table.objects.create(name="more", kind="text"), key="k", value="text"
        )
        page = self.act(admin, "move", [self.make(1), other], index=0)
        assert "Choose entries of one table" in page.text

    def secret(self) -> Entry:
        table = Table.objects.create(name="secrets", kind="passwords")
        return Entry.objects.create(table=table, key="mx.example.com", value="joe:geheim")

    def test_a_password_is_shown_on_no_page(self, admin: Client, staff: Callable) -> None:
        entry = self.secret()
        looking = staff("view_entry")
        for client in (admin, looking):
            for url in (self.list_url, self.url("change", entry.pk)):
                page = client.get(url).text
                assert "***" in page
                assert "geheim" not in page

    def test_a_search_does_not_find_out_a_password(self, admin: Client) -> None:
        entry = self.secret()
        found = {word: self.found(admin, word) for word in ("geheim", "joe", "mx.example geheim")}
        assert found == {"geheim": [], "joe": [], "mx.example geheim": []}
        assert self.found(admin, "mx example") == [entry.pk]

    def found(self, client: Client, words: str) -> list[int]:
        listed = client.get(self.list_url, {"q": words}).context_data["cl"].result_list
        return [row.pk for row in listed]

    def test_a_password_stays_until_another_is_given(self, admin: Client) -> None:
        entry = self.secret()
        url, filled = self.url("change", entry.pk), self.filled(entry, admin)
        assert filled["value"] == "***"
        admin.post(url, {**filled, "comment": "relay"})
        entry.refresh_from_db()
        assert (entry.value, entry.comment) == ("joe:geheim", "relay")
        admin.post(url, {**filled, "value": "joe:neu"})
        entry.refresh_from_db()
        assert entry.value == "joe:neu"

    def test_a_password_does_not_move_unseen_into_a_table_that_shows_it(
        self, admin: Client
    ) -> None:
        entry, texts = self.secret(), Table.objects.get(name="texts")
        url, filled = self.url("change", entry.pk), self.filled(entry, admin)
        response = admin.post(url, {**filled, "table": texts.pk})
        assert set(self.errors(response)) == {"value"}
        entry.refresh_from_db()
        assert entry.table != texts
