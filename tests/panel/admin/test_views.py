"""Pages of aliases, virtual entries, transports and access rules."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from panel.models import AccessRule, Alias, Entry, Table, Transport, VirtualEntry
from tests.panel.admin.suite import MARKUP, RowSuite


def fresh(name: str, kind: str, type_: str = "hash") -> Table:
    return Table.objects.get_or_create(name=name, defaults={"type": type_, "kind": kind})[0]


class TestAlias(RowSuite):
    page = "alias"
    word = "name-one"
    new = {"key": "staff", "value": "joe\namy@example.com,\n\n", "enabled": "on"}
    changed = {"value": "amy"}
    bad = {
        "key": {"key": ""},
        "key address": {"key": "staff@example.com"},
        "key long": {"key": "x" * 1001},
        "key nul": {"key": "a\x00b"},
        "value": {"value": ""},
        "value two": {"value": "two@@signs"},
        "value blank": {"value": " \n , \n"},
    }
    hostile = {"key": "markup", "comment": MARKUP}

    def make(self, number: int) -> Alias:
        name = {1: "name-one"}.get(number, f"n{number}")
        return Alias.objects.create(
            table=Table.objects.get(name="aliases"), key=name, value=f"person{number}, other"
        )

    def test_one_destination_stands_in_each_line(self, admin: Client) -> None:
        admin.post(self.url("add"), self.new)
        alias = Alias.objects.get(key="staff")
        assert alias.table.name == "aliases"
        assert alias.destinations == ["joe", "amy@example.com"]
        assert self.filled(alias, admin)["value"] == "joe\namy@example.com"

    def test_a_thousand_destinations_come_back_as_they_were(self, admin: Client) -> None:
        lines = [f"user{n}@example.com" for n in range(1000)]
        admin.post(self.url("add"), {**self.new, "value": "\r\n".join(lines)})
        assert Alias.objects.get(key="staff").destinations == lines

    def test_it_moves_to_a_table_of_its_kind(self, admin: Client) -> None:
        rows = [self.make(1), self.make(2)]
        assert "no other table of kind aliases" in self.act(admin, "move", rows, index=0).text
        other = fresh("other", "aliases")
        wrong = fresh("wrong", "virtual")
        refused = self.act(admin, "move", rows, confirmed="yes", table=wrong.pk)
        assert "Select a valid choice" in refused.text
        done = self.act(admin, "move", rows, confirmed="yes", table=other.pk)
        assert "2 moved to hash:other." in done.text
        assert set(Alias.objects.values_list("table__name", flat=True)) == {"other"}

    def test_it_does_not_move_onto_a_key_that_is_there(self, admin: Client) -> None:
        row = self.make(1)
        other = fresh("other", "aliases")
        Entry.objects.create(table=other, key="Name-One", value="x")
        refused = self.act(admin, "move", [row], confirmed="yes", table=other.pk)
        assert "has name-one already" in refused.text
        row.refresh_from_db()
        assert row.table.name == "aliases"

    def test_it_takes_another_table_of_its_kind_only(self, admin: Client) -> None:
        other, wrong = fresh("other", "aliases"), fresh("wrong", "virtual")
        response = admin.post(self.url("add"), {**self.new, "table": wrong.pk})
        assert "table" in self.errors(response)
        assert admin.post(self.url("add"), {**self.new, "table": other.pk}).status_code == 302
        assert Alias.objects.get(key="staff").table == other


class TestVirtualEntry(RowSuite):
    page = "virtualentry"
    word = "one@exam"
    new = {"key": "sales@example.com", "value": "joe@example.com", "enabled": "on"}
    changed = {"value": "joe@example.com\namy@example.com"}
    bad = {
        "key": {"key": "a b@c.test"},
        "value": {"value": "not an address at all @"},
        "value empty": {"value": ""},
    }
    hostile = {"key": "m@example.com", "comment": MARKUP}

    def make(self, number: int) -> VirtualEntry:
        name = {1: "one"}.get(number, f"n{number}")
        return VirtualEntry.objects.create(
            table=Table.objects.get(name="virtual"),
            key=f"{name}@example.com",
            value="joe@example.com",
        )


class TestTransport(RowSuite):
    page = "transport"
    word = "one.ex"
    new = {"key": "far.example", "transport": "smtp", "nexthop": "[mx.example]:2525"}
    changed = {"nexthop": "[other.example]"}
    bad = {
        "key": {"key": ""},
        "nexthop": {"nexthop": "[unclosed"},
        "nexthop space": {"nexthop": "two words"},
        "nexthop control": {"nexthop": "a\x01b"},
        "nexthop name": {"transport": "sm tp"},
    }
    hostile = {"key": "m.example", "transport": "error", "nexthop": MARKUP}

    def make(self, number: int) -> Transport:
        name = {1: "one"}.get(number, f"n{number}")
        table = Table.objects.get(name="transport")
        return Transport.objects.create(table=table, key=f"{name}.example", value="smtp:[mx.test]")

    def test_it_puts_both_parts_together(self, admin: Client) -> None:
        admin.post(self.url("add"), self.new)
        entry = Transport.objects.get(key="far.example")
        assert entry.value == "smtp:[mx.example]:2525"
        filled = self.filled(entry, admin)
        assert (filled["transport"], filled["nexthop"]) == ("smtp", "[mx.example]:2525")


class TestAccessRule(RowSuite):
    page = "accessrule"
    word = "one.ex"
    changed = {"value": "OK"}
    bad: dict[str, dict[str, Any]] = {
        "table": {"table": ""},
        "key": {"key": ""},
        "value": {"value": "999 no such code"},
        "value colon": {"value": "hash:other"},
        "position": {"position": "-1"},
        "position big": {"position": "99999999999"},
    }
    hostile = {"key": "m.example", "value": f"REJECT {MARKUP}"}

    @pytest.fixture(autouse=True)
    def table(self, well_known: None) -> Table:
        made = fresh("clients", "access")
        self.new = {
            "table": made.pk,
            "key": "bad.example",
            "value": "REJECT no",
            "position": "0",
            "enabled": "on",
        }
        return made

    def make(self, number: int) -> AccessRule:
        name = {1: "one"}.get(number, f"n{number}")
        return AccessRule.objects.create(
            table=fresh("clients", "access"), key=f"{name}.example", value="REJECT"
        )

    def test_networks_are_read_as_the_engine_reads_them(self, admin: Client) -> None:
        nets = fresh("nets", "access", "cidr")
        form = {**self.new, "table": nets.pk}
        response = admin.post(self.url("add"), {**form, "key": "192.0.2.1/24"})
        assert "key" in self.errors(response)
        assert admin.post(self.url("add"), {**form, "key": "192.0.2.0/24"}).status_code == 302

    def test_a_table_of_another_kind_is_refused(self, admin: Client) -> None:
        other = Table.objects.get(name="virtual")
        response = admin.post(self.url("add"), {**self.new, "table": other.pk})
        assert "table" in self.errors(response)
