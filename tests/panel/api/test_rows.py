"""Every endpoint of rows, by the surface that they share; and what each has of its own."""

from __future__ import annotations

from typing import Any

import pytest

from panel.models import (
    AccessRule,
    AccessTable,
    Alias,
    ApiToken,
    Domain,
    DomainAlias,
    Entry,
    Mailbox,
    Parameter,
    RestrictionList,
    Service,
    Table,
    Transport,
    VirtualEntry,
)
from tests.panel.api.client import Api, fields_of
from tests.panel.api.conftest import grant
from tests.panel.api.surface import Surface, WrittenSurface


class TestDomains(Surface):
    path, model, record = "domains/", Domain, "domain"
    body = {"name": "example.com", "kind": "relay"}
    shown = {"enabled": True, "description": "", "display_name": "example.com"}
    other = {"name": "example.org", "kind": "virtual_alias"}
    change = {"enabled": False}
    optional = {"enabled": False, "description": "about it"}
    invalid = ({"name": "no spaces.test"}, "name")
    key, other_key, search = "EXAMPLE.com", "example.org", "example.c"

    def test_names_are_folded(self, api: Api) -> None:
        row = api.add("domains/", {"name": "BÜCHER.example", "kind": "local"})
        assert (row["name"], row["display_name"]) == ("xn--bcher-kva.example", "bücher.example")
        assert api.get("domains/by-key/bücher.example/") == row
        assert api.get("domains/?kind=local&enabled=true&name=xn--bcher-kva.example")["count"] == 1
        assert api.get("domains/?kind=relay")["count"] == 0
        assert fields_of(api("GET", "domains/?kind=imaginary")) == ["kind"]

    def test_a_domain_with_mailboxes_keeps_its_kind(self, api: Api) -> None:
        row = api.add("domains/", {"name": "example.com", "kind": "virtual_mailbox"})
        api.add("mailboxes/", {"address": "joe@example.com"})
        response = api("PATCH", f"domains/{row['id']}/", {"kind": "relay"})
        assert (response.status_code, fields_of(response)) == (400, ["kind"])


class TestDomainAliases(Surface):
    path, model, record = "domain-aliases/", DomainAlias, "domainalias"
    body = {"name": "example.org", "domain": "example.com"}
    shown = {"enabled": True, "description": "", "display_name": "example.org"}
    other = {"name": "example.net", "domain": "example.com"}
    change = {"enabled": False}
    optional = {"enabled": False, "description": "about it"}
    invalid = ({"domain": "not-hosted.test"}, "domain")
    key, other_key, search = "EXAMPLE.org", "example.net", "example.o"

    @pytest.fixture
    def at(self, api: Api) -> str:
        api.add("domains/", {"name": "example.com", "kind": "virtual_mailbox"})
        return self.path

    def test_it_is_of_one_domain(self, api: Api, at: str, row: dict) -> None:
        api.add("domains/", {"name": "bücher.example", "kind": "local"})
        moved = api("PATCH", f"{at}{row['id']}/", {"domain": "BÜCHER.example"}).json()
        assert moved["domain"] == "xn--bcher-kva.example"
        assert api.get(f"{at}?domain=bücher.example")["count"] == 1
        assert api.get(f"{at}?domain=example.com")["count"] == 0

    def test_a_name_is_of_a_domain_or_another_name_of_one(
        self, api: Api, at: str, row: dict
    ) -> None:
        response = api("POST", at, {"name": "example.com", "domain": "example.com"})
        assert (response.status_code, fields_of(response)) == (409, ["name"])
        response = api("POST", "domains/", {"name": "example.org", "kind": "relay"})
        assert (response.status_code, fields_of(response)) == (409, ["name"])
        assert "another name of example.com" in response.json()["errors"][0]["message"]

    def test_a_relay_domain_has_none(self, api: Api, at: str, row: dict) -> None:
        api.add("domains/", {"name": "relayed.test", "kind": "relay"})
        response = api("POST", at, {"name": "other.test", "domain": "relayed.test"})
        assert (response.status_code, fields_of(response)) == (400, ["domain"])
        domain = api.get("domains/by-key/example.com/")
        response = api("PATCH", f"domains/{domain['id']}/", {"kind": "relay"})
        assert (response.status_code, fields_of(response)) == (400, ["kind"])


class TestMailboxes(Surface):
    path, model, record = "mailboxes/", Mailbox, "mailbox"
    body = {"address": "joe@example.com", "password": "s3cret-enough"}
    shown = {"domain": "example.com", "local_part": "joe", "quota_bytes": None, "enabled": True}
    other = {"address": "ann@example.com", "password": "s3cret-enough"}
    change = {"full_name": "Joe Example", "quota_bytes": 1000}
    optional = {"full_name": "Joe", "quota_bytes": 7, "enabled": False}
    invalid = ({"address": "joe@not-hosted.test"}, "address")
    key, other_key, key_field = "JOE@Example.com", "ann@example.com", "address"
    search = "joe@example"

    @pytest.fixture
    def at(self, api: Api) -> str:
        api.add("domains/", {"name": "example.com", "kind": "virtual_mailbox"})
        return self.path

    @pytest.mark.parametrize("address", ["nobody", "@example.com", "a b@example.com", "joe@", ""])
    def test_it_refuses_what_is_no_address(self, api: Api, at: str, address: str) -> None:
        response = api("POST", at, {"address": address})
        assert (response.status_code, fields_of(response)) == (400, ["address"])

    def test_it_says_what_to_do_about_the_domain(self, api: Api, at: str) -> None:
        response = api("POST", at, {"address": "joe@elsewhere.test"})
        assert "Add it first" in response.json()["detail"]
        api.add("domains/", {"name": "forwarded.test", "kind": "virtual_alias"})
        response = api("POST", at, {"address": "joe@forwarded.test"})
        assert fields_of(response) == ["address"]
        assert "has no mailboxes" in response.json()["detail"]

    def test_a_password_goes_in_and_never_comes_out(self, api: Api, row: dict, at: str) -> None:
        stored = Mailbox.objects.get()
        assert stored.check_password("s3cret-enough")
        one = api("GET", f"{at}{row['id']}/")
        assert "password" not in one.json()
        assert stored.password.encode() not in one.content
        changed = api("PATCH", f"{at}{row['id']}/", {"password": "another"})
        assert changed["ETag"] != one["ETag"]
        assert Mailbox.objects.get().check_password("another")
        kept = api("PUT", f"{at}{row['id']}/", {"address": "joe@example.com"})
        assert kept["ETag"] == changed["ETag"]
        api("PATCH", f"{at}{row['id']}/", {"password": ""})
        assert Mailbox.objects.get().password == ""
        changes = api("GET", "changes/?model=mailbox").content
        assert b"argon2" not in changes
        assert b"another" not in changes

    def test_a_password_is_not_echoed_by_an_error(self, api: Api, at: str) -> None:
        response = api("POST", at, {"address": "joe", "password": "s3cret\nenough"})
        assert response.status_code == 400
        assert b"s3cret" not in response.content
        assert api("POST", at, {**self.body, "password": "x" * 1001}).status_code == 400

    def test_it_moves(self, api: Api, row: dict, at: str) -> None:
        api.add("domains/", {"name": "example.org", "kind": "local"})
        moved = api("PATCH", f"{at}{row['id']}/", {"address": "Joe.New@example.org"}).json()
        assert (moved["address"], moved["domain"]) == ("joe.new@example.org", "example.org")
        assert api.get(f"{at}?domain=example.org")["count"] == 1
        assert api.get(f"{at}?address=JOE.new@example.org")["count"] == 1

    def test_bulk_hashes_a_bounded_number_of_passwords(self, api: Api, at: str) -> None:
        body = [{"address": f"u{n}@example.com", "password": "x"} for n in range(101)]
        response = api("POST", f"{at}bulk/", body)
        assert response.status_code == 413
        assert not Mailbox.objects.exists()


class TestAliases(Surface):
    path, model, record = "aliases/", Alias, "entry"
    body = {"name": "staff", "destinations": ["joe@example.com", "ann"]}
    shown = {"table": "aliases", "enabled": True}
    other = {"name": "crew", "destinations": ["|/usr/bin/true"]}
    change = {"destinations": ["joe@example.com"]}
    optional = {"comment": "everybody", "enabled": False}
    invalid = ({"destinations": []}, "destinations")
    key, other_key, search = "Staff", "crew", "taff"

    @pytest.mark.parametrize(
        "destinations",
        [
            ["two@@signs"],
            [],
            [""],
            ["a, b"],
            ["a@x.test, b@x.test"],
            "joe",
            [7],
            ["a", " "],
            ["@x"],
        ],
    )
    def test_one_item_is_one_destination(self, api: Api, destinations: Any) -> None:
        response = api("POST", "aliases/", {"name": "crew", "destinations": destinations})
        assert response.status_code == 400, response.content
        assert fields_of(response)[0].split(".")[0] == "destinations"

    def test_every_kind_of_destination_comes_back(self, api: Api) -> None:
        given = ["joe", '"two@"@signs.test', '"|prog with, arguments"', "/var/mail/x"]
        given.append(":include:/etc/list")
        row = api.add("aliases/", {"name": "all", "destinations": given})
        assert row["destinations"] == given


class TestVirtualEntries(Surface):
    path, model, record = "virtual-entries/", VirtualEntry, "entry"
    body = {"pattern": "sales@example.com", "destinations": ["joe@example.com"]}
    shown = {"table": "virtual"}
    other = {"pattern": "@example.com", "destinations": ["joe@example.com", "ann@example.com"]}
    change = {"destinations": ["ann@example.com"], "enabled": False}
    optional = {"comment": "shop", "enabled": False}
    invalid = ({"pattern": "a b@c.test"}, "pattern")
    key, other_key, key_field = "Sales@EXAMPLE.com", "@example.com", "pattern"
    search = "sales@ex"

    def test_another_table_can_be_named(self, api: Api, row: dict) -> None:
        api.add("tables/", {"name": "more", "kind": "virtual"})
        second = api.add(self.path, {**self.body, "table": "more"})
        assert (second["table"], second["pattern"]) == ("more", row["pattern"])
        key = "virtual-entries/by-key/sales@example.com/"
        assert api.get(key)["id"] == row["id"]
        assert api.get(f"{key}?table=more")["id"] == second["id"]
        assert api("PUT", f"{key}?table=more", self.change).json()["id"] == second["id"]
        assert api.get(f"{self.path}?table=more")["count"] == 1
        assert api("GET", f"{key}?table=aliases").status_code == 404
        wrong = api("POST", self.path, {**self.body, "table": "aliases"})
        assert (wrong.status_code, fields_of(wrong)) == (400, ["table"])

    def test_it_is_filtered_by_pattern(self, api: Api, row: dict) -> None:
        assert api.get(f"{self.path}?pattern=SALES@example.com")["count"] == 1
        assert api.get(f"{self.path}?pattern=sale&enabled=true")["count"] == 0


class TestTransports(Surface):
    path, model, record = "transports/", Transport, "entry"
    body = {"pattern": "example.com", "transport": "smtp", "nexthop": "[mx.example.com]:25"}
    shown = {"table": "transport"}
    other = {"pattern": ".example.com", "transport": "error", "nexthop": "5.1.2 closed"}
    change = {"nexthop": "mx.example.org"}
    optional = {"comment": "by contract"}
    invalid = ({"transport": "smtp:x"}, "transport")
    key, other_key, key_field = "Example.COM", ".example.com", "pattern"
    search = "mx.example"


class TestTables(Surface):
    path, model, record = "tables/", Table, "table"
    body = {"name": "partners", "kind": "relocated"}
    shown = {"type": "hash", "reference": "hash:partners"}
    other = {"name": "checks", "kind": "header_checks", "type": "pcre"}
    change = {"description": "Who they are."}
    optional = {"description": "x"}
    invalid = ({"name": "two words"}, "name")
    key, other_key, search = "partners", "checks", "artne"


class TestPasswords:
    """Values of a secret kind go in and never come out."""

    @pytest.fixture
    def path(self, api: Api) -> str:
        table = api.add("tables/", {"name": "secrets", "kind": "passwords"})
        return f"tables/{table['id']}/entries/"

    def test_a_value_never_comes_out(self, api: Api, path: str) -> None:
        body = {"key": "mx.example.com", "value": "joe:geheim"}
        preview = api("POST", f"{path}?dry_run=true", body)
        made = api("POST", path, body)
        row = made.json()
        asked = [api("GET", f"{path}{row['id']}/"), api("GET", path)]
        for answer in (preview, made, *asked):
            assert answer.status_code < 300
            assert "***" in answer.text
            assert "geheim" not in answer.text

    def test_what_was_read_can_be_sent_back(self, api: Api, path: str) -> None:
        row = api.add(path, {"key": "mx.example.com", "value": "joe:geheim"})
        url = f"{path}{row['id']}/"
        before = api("GET", url)["ETag"]
        assert api("PUT", url, row).status_code == 200
        assert Entry.objects.get(pk=row["id"]).value == "joe:geheim"
        assert api("GET", url)["ETag"] == before
        assert api("PATCH", url, {"value": "joe:neu"}).status_code == 200
        assert Entry.objects.get(pk=row["id"]).value == "joe:neu"
        assert api("GET", url)["ETag"] != before

    def test_the_mask_is_no_password(self, api: Api, path: str) -> None:
        refused = api("POST", path, {"key": "mx.example.com", "value": "***"})
        assert (refused.status_code, fields_of(refused)) == (400, ["value"])

    def test_a_search_does_not_find_it_out(self, api: Api, path: str) -> None:
        api.add(path, {"key": "mx.example.com", "value": "joe:geheim"})
        assert api.get(f"{path}?search=geheim")["count"] == 0
        assert api.get(f"{path}?search=mx.example")["count"] == 1


class TestTableEntries(Surface):
    model, record = Entry, "entry"
    body = {"key": "joe@example.com", "value": "joe@example.org"}
    other = {"key": "@example.com", "value": "@example.org"}
    change = {"value": "ann@example.org"}
    optional = {"comment": "moved", "enabled": False}
    invalid = ({"value": "not one @ address"}, "value")
    key, other_key, key_field = "JOE@example.com", "@example.com", "key"
    search = "joe@example.org"

    @pytest.fixture
    def at(self, api: Api) -> str:
        table = api.add("tables/", {"name": "renamed", "kind": "canonical"})
        return f"tables/{table['id']}/entries/"

    def test_it_stays_in_its_table(self, api: Api, row: dict, at: str) -> None:
        second = api.add("tables/", {"name": "second", "kind": "canonical"})
        elsewhere = f"tables/{second['id']}/entries/{row['id']}/"
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            assert api(method, elsewhere, self.body).status_code == 404, method
        moved = api("PATCH", f"{at}{row['id']}/", {"table": "second"})
        assert moved.json()["table"] == "renamed"
        removal = [{"op": "delete", "id": row["id"]}]
        said = api("POST", f"tables/{second['id']}/entries/bulk/", removal)
        assert said.status_code == 400
        assert api("GET", "tables/999999/entries/").status_code == 404
        assert api("POST", "tables/999999/entries/", self.body).status_code == 404


class TestAccessTables(Surface):
    path, model, record = "access-tables/", AccessTable, "table"
    body = {"name": "partners"}
    shown = {"type": "hash"}
    other = {"name": "networks", "type": "cidr"}
    change = {"description": "Who they are."}
    optional = {"description": "x"}
    invalid = ({"type": "imaginary"}, "type")
    key, other_key, search = "partners", "networks", "artne"

    def test_other_tables_are_not_here(self, api: Api) -> None:
        virtual = Table.objects.get(name="virtual")
        assert api("GET", f"access-tables/{virtual.pk}/").status_code == 404
        assert api("DELETE", "access-tables/by-key/virtual/").status_code == 404
        assert api("GET", f"access-tables/{virtual.pk}/rules/").status_code == 404

    def test_one_in_use_stays(self, api: Api, row: dict) -> None:
        members = [{"name": "check_sender_access", "table": "partners"}]
        api.add("restriction-lists/", {"name": "smtpd_sender_restrictions", "members": members})
        response = api("DELETE", f"access-tables/{row['id']}/")
        assert response.status_code == 409
        assert "check_sender_access" in response.json()["detail"]


class TestAccessRules(Surface):
    model, record = AccessRule, "entry"
    body = {"pattern": "example.com", "action": "REJECT go away"}
    shown = {"table": "partners"}
    other = {"pattern": "192.0.2", "action": "OK"}
    change = {"action": "DUNNO"}
    optional = {"comment": "moved", "enabled": False}
    invalid = ({"action": ""}, "action")
    key, other_key, key_field = "EXAMPLE.com", "192.0.2", "pattern"
    search = "go"

    @pytest.fixture
    def at(self, api: Api) -> str:
        table = api.add("access-tables/", {"name": "partners"})
        return f"access-tables/{table['id']}/rules/"


class TestOrderedRules:
    """Networks and patterns: tried in order, and a key may come again."""

    @pytest.fixture
    def at(self, api: Api) -> str:
        table = api.add("access-tables/", {"name": "networks", "type": "cidr"})
        return f"access-tables/{table['id']}/rules/"

    def test_new_ones_come_last(self, api: Api, at: str) -> None:
        first = api.add(at, {"pattern": "192.0.2.0/24", "action": "OK", "position": 5})
        second = api.add(at, {"pattern": "192.0.2.0/24", "action": "REJECT"})
        assert (first["position"], second["position"]) == (5, 6)
        more = [{"pattern": f"10.0.{n}.0/24", "action": "OK"} for n in range(3)]
        api.add(f"{at}bulk/", more)
        assert [each["position"] for each in api.get(at)["results"]] == [5, 6, 7, 8, 9]

    def test_a_key_that_comes_again_is_not_one_row(self, api: Api, at: str) -> None:
        rule = {"pattern": "192.0.2.0/24", "action": "OK"}
        row = api.add(at, rule)
        assert api.get(f"{at}by-key/192.0.2.0/24/") == row
        api.add(at, rule)
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            assert api(method, f"{at}by-key/192.0.2.0/24/", rule).status_code == 409, method
        said = api("POST", f"{at}bulk/", [{"op": "delete", "pattern": "192.0.2.0/24"}])
        assert said.status_code == 409

    def test_networks_are_checked(self, api: Api, at: str) -> None:
        response = api("POST", at, {"pattern": "192.0.2.0/33", "action": "OK"})
        assert (response.status_code, fields_of(response)) == (400, ["pattern"])


class TestRestrictionLists(Surface):
    path, model, record = "restriction-lists/", RestrictionList, "restrictionlist"
    body = {
        "name": "smtpd_helo_restrictions",
        "members": [
            {"name": "permit_mynetworks", "argument": "", "table": None, "warn_if_reject": False},
            {
                "name": "reject_rhsbl_helo",
                "argument": "dbl.example.org",
                "table": None,
                "warn_if_reject": True,
            },
        ],
    }
    other = {"name": "guests", "is_class": True, "members": []}
    change = {"members": [], "description": "No members."}
    optional = {"description": "x"}
    invalid = ({"members": [{"name": "permit_mynetwork"}]}, "members.0.name")
    key, other_key, search = "smtpd_helo_restrictions", "guests", "helo_restr"
    taken = 400  # a class cannot have the name of a list

    def test_members_are_kept_in_order(self, api: Api, row: dict) -> None:
        api.add("access-tables/", {"name": "hosts"})
        members = [{"name": "check_helo_access", "table": "hosts"}, *self.body["members"]]
        one = f"{self.path}{row['id']}/"
        changed = api("PATCH", one, {"members": members}).json()
        assert [each["name"] for each in changed["members"]] == [
            "check_helo_access",
            "permit_mynetworks",
            "reject_rhsbl_helo",
        ]
        assert changed["members"][0]["table"] == "hosts"
        kept = api("PATCH", one, {"description": "x"}).json()
        assert kept["members"] == changed["members"]

    @pytest.mark.parametrize(
        "member, field",
        [
            ({"name": "check_helo_access", "table": "nowhere"}, "table"),
            ({"name": "permit_mynetworks", "list": 1}, "list"),
            ({"name": "check_helo_access", "table": ["hosts"]}, "table"),
            ({"argument": "x"}, "name"),
            ({"name": "permit reject"}, "argument"),
            ("permit_mynetworks", ""),
        ],
    )
    def test_errors_name_the_member(self, api: Api, member: Any, field: str) -> None:
        body = {**self.body, "members": [self.body["members"][0], member]}
        response = api("POST", self.path, body)
        assert response.status_code == 400, response.content
        assert fields_of(response)[0] == f"members.1.{field}".rstrip(".")


class TestSettings(Surface):
    path, model, record = "settings/", Parameter, "parameter"
    body = {"name": "myhostname", "value": "mx.example.com"}
    shown = {"type": "text", "default": "localhost.localdomain"}
    other = {"name": "message_size_limit", "value": "20480000"}
    change = {"value": "mail.example.com"}
    invalid = ({"name": "myhostnam"}, "name")
    key, other_key, search = "myhostname", "message_size_limit", "mx.exa"

    def test_one_that_is_not_set_says_its_default(self, api: Api) -> None:
        response = api("GET", "settings/by-key/myorigin/")
        assert response.status_code == 404
        assert "$myhostname" in response.json()["detail"]

    def test_values_are_checked(self, api: Api) -> None:
        response = api("PUT", "settings/by-key/message_size_limit/", {"value": "much"})
        assert (response.status_code, fields_of(response)) == (400, ["value"])


class TestServices(Surface):
    path, model, record = "services/", Service, "service"
    body = {"name": "2525", "type": "inet", "command": "smtpd"}
    shown = {"overrides": {}, "maxproc": None, "wakeup": "never", "enabled": True}
    other = {"name": "2526", "type": "inet", "command": "smtpd"}
    change = {"overrides": {"smtpd_tls_security_level": "may"}, "maxproc": 0}
    optional = {"maxproc": 7, "enabled": False}
    invalid = ({"overrides": {"nonsense": "1"}}, "overrides")
    key, other_key, search = "2525/inet", "2526/inet", "2525"

    def without_key(self, body: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name not in ("name", "type")}

    def key_names(self) -> tuple[str, ...]:
        return ("name", "type")

    def test_a_second_one_is_a_conflict(self, api: Api, row: dict, at: str) -> None:
        response = api("POST", at, self.body)
        assert (response.status_code, fields_of(response)) == (409, ["type"])


class TestTokens(WrittenSurface):
    path, model = "tokens/", ApiToken
    body = {"name": "backup"}
    shown = {"user": "root", "scope": "write", "last_used": None}
    other = {"name": "provisioning", "scope": "read"}
    change = {"name": "restore"}
    optional = {"expires": "2099-01-01T00:00:00Z"}
    invalid = ({"scope": "root"}, "scope")
    search = "backu"

    @pytest.fixture
    def row(self, api: Api, at: str) -> dict[str, Any]:
        """As it is shown ever after."""
        return {**api.add(at, self.body), "token": None}

    def test_it_requires_the_permission(self, as_amy: Api, amy: Any, at: str) -> None:
        assert as_amy("POST", at, self.body).status_code == 403
        grant(amy, "add_apitoken", "view_apitoken", "change_apitoken", "delete_apitoken")
        row = as_amy.add(at, self.body)
        assert row["user"] == "amy"
        assert as_amy("PATCH", f"{at}{row['id']}/", self.change).status_code == 200
        assert as_amy("DELETE", f"{at}{row['id']}/").status_code == 204
