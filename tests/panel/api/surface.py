"""surface - what holds for every endpoint of rows, written once.

SUMMARY      class TestDomains(Surface): path, body, change, key ...
             class TestTokens(WrittenSurface) for rows without a natural key
"""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.db.models import Model

from panel.models import Change
from tests.panel.api.client import Api, fields_of
from tests.panel.api.conftest import grant

WRONG = [None, True, 7, "", [], [{"a": 1}], {"a": {"b": 1}}, "\x00", "a\nb"]


class WrittenSurface:
    """Create, read, replace, change, remove."""

    path: ClassVar[str]
    model: ClassVar[type[Model]]
    record: ClassVar[str] = ""  # what change records call the row
    body: ClassVar[dict[str, Any]]  # the least body
    shown: ClassVar[dict[str, Any]] = {}  # what more the answer says
    other: ClassVar[dict[str, Any]]  # the body of a second row
    change: ClassVar[dict[str, Any]]
    optional: ClassVar[dict[str, Any]] = {}  # left out by the least body, with its default
    invalid: ClassVar[tuple[dict[str, Any], str]]  # changes that are refused, field
    search: ClassVar[str] = ""

    @pytest.fixture
    def at(self, api: Api) -> str:
        """The path of the endpoint."""
        return self.path

    @pytest.fixture
    def row(self, api: Api, at: str) -> dict[str, Any]:
        """A row."""
        return api.add(at, self.body)

    def permission(self, action: str) -> str:
        return f"{action}_{self.model._meta.model_name}"

    def expected(self, body: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name != "password"}

    def test_it_works(self, api: Api, at: str) -> None:
        before = api.get(at)["count"]
        response = api("POST", at, self.body)
        assert response.status_code == 201, response.content
        row = response.json()
        assert row | self.expected(self.body) | self.shown == row
        assert isinstance(row["id"], int)
        assert response["Location"].endswith(f"/api/v1/{at}{row['id']}/")
        assert response["Waypost-Revision"].isdigit()
        one = api("GET", f"{at}{row['id']}/")
        assert (one.json() | {"token": None}) == row | {"token": None}
        assert one["ETag"] == response["ETag"]
        listed = api.get(at)
        assert listed["count"] == before + 1
        assert row["id"] in [each["id"] for each in listed["results"]]

    def test_it_requires_a_token(self, row: dict[str, Any], at: str) -> None:
        for method, path in (
            ("GET", at),
            ("POST", at),
            ("GET", f"{at}{row['id']}/"),
            ("PUT", f"{at}{row['id']}/"),
            ("PATCH", f"{at}{row['id']}/"),
            ("DELETE", f"{at}{row['id']}/"),
        ):
            response = Api()(method, path, None if method == "GET" else {})
            assert response.status_code == 401, (method, path)
            assert response["WWW-Authenticate"].startswith("Bearer")
        assert self.model.objects.filter(pk=row["id"]).exists()

    def test_a_read_token_only_reads(self, reader: Api, row: dict[str, Any], at: str) -> None:
        assert reader.get(f"{at}{row['id']}/")["id"] == row["id"]
        for method, path in (
            ("POST", at),
            ("PUT", f"{at}{row['id']}/"),
            ("PATCH", f"{at}{row['id']}/"),
            ("DELETE", f"{at}{row['id']}/"),
        ):
            assert reader(method, path, self.other).status_code == 403, method
        assert self.model.objects.filter(pk=row["id"]).exists()

    def test_it_requires_the_permission(
        self, as_amy: Api, amy: User, row: dict[str, Any], at: str
    ) -> None:
        one = f"{at}{row['id']}/"
        asked = (
            ("view", "GET", one, None, 200),
            ("change", "PATCH", one, self.change, 200),
            ("add", "POST", at, self.other, 201),
            ("delete", "DELETE", one, None, 204),
        )
        for action, method, path, body, _good in asked:
            refused = as_amy(method, path, body)
            assert refused.status_code == 403, (method, refused.content)
            assert self.permission(action) in refused.json()["detail"]
        for action, method, path, body, good in asked:
            grant(amy, self.permission(action))
            answer = as_amy(method, path, body)
            assert answer.status_code == good, (method, answer.content)

    def test_it_pages_and_orders(self, api: Api, row: dict[str, Any], at: str) -> None:
        second = api.add(at, self.other)
        total = api.get(at)["count"]
        page = api.get(f"{at}?page_size=1&ordering=-id")
        assert page["count"] == total
        assert [each["id"] for each in page["results"]] == [second["id"]]
        assert "page=2" in page["next"]
        names = [each["id"] for each in api.get(f"{at}?ordering=id")["results"]]
        assert names == sorted(names)
        assert api("GET", f"{at}?page=99").status_code == 404

    def test_it_refuses_other_parameters(self, api: Api, at: str) -> None:
        for query, field in (
            ("nonsense=1", "nonsense"),
            ("ordering=password", "ordering"),
            ("ordering=id;DROP TABLE panel_domain", "ordering"),
            ("ordering=user__password", "ordering"),
            ("dry_run=true", "dry_run"),
        ):
            response = api("GET", f"{at}?{quote(query, safe='=')}")
            assert response.status_code == 400, query
            assert fields_of(response) == [field]

    def test_it_searches(self, api: Api, row: dict[str, Any], at: str) -> None:
        if not self.search:
            assert api("GET", f"{at}?search=x").json()["count"] >= 0
            return
        found = api.get(f"{at}?search={quote(self.search.upper())}")["results"]
        assert [each["id"] for each in found] == [row["id"]]
        assert api.get(f"{at}?search=%27%20OR%201%3D1")["count"] == 0
        for wrong in ("%00", "x" * 201, "a%0ab", "a+b+c+d+e+f"):
            assert api("GET", f"{at}?search={wrong}").status_code == 400, wrong

    def test_patch_changes_what_is_given(self, api: Api, row: dict[str, Any], at: str) -> None:
        response = api("PATCH", f"{at}{row['id']}/", self.change)
        assert response.status_code == 200, response.content
        changed = response.json()
        assert changed | self.expected(self.change) == changed
        untouched = set(self.expected(self.body)) - set(self.change)
        assert {n: changed[n] for n in untouched} == {n: row[n] for n in untouched}
        assert api.get(f"{at}{row['id']}/") == changed

    def test_put_replaces(self, api: Api, at: str) -> None:
        row = api.add(at, {**self.body, **self.optional})
        response = api("PUT", f"{at}{row['id']}/", self.other)
        assert response.status_code == 200, response.content
        assert response.json()["id"] == row["id"]
        assert response.json() | self.expected(self.other) == response.json()
        for name, value in self.optional.items():
            if name not in self.other:
                assert response.json()[name] != value, name

    def test_what_was_read_can_be_put_back(self, api: Api, row: dict[str, Any], at: str) -> None:
        one = f"{at}{row['id']}/"
        shown = api.get(one)
        before = Change.objects.count()
        response = api("PUT", one, shown)
        assert response.status_code == 200, response.content
        assert response.json() == shown
        assert Change.objects.count() == before

    def test_it_removes(self, api: Api, row: dict[str, Any], at: str) -> None:
        one = f"{at}{row['id']}/"
        response = api("DELETE", one)
        assert (response.status_code, response.content) == (204, b"")
        assert response["Waypost-Revision"].isdigit()
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            answer = api(method, one, None if method == "GET" else self.body)
            assert answer.status_code == 404, method
        assert not self.model.objects.filter(pk=row["id"]).exists()

    def test_changes_are_recorded(self, api: Api, row: dict[str, Any], at: str) -> None:
        if not self.record:
            assert not Change.objects.filter(model=self.model._meta.model_name).exists()
            return
        change = Change.objects.filter(model=self.record, row=row["id"]).get()
        assert (change.operation, change.actor, change.source) == ("insert", "root", "api")

    def test_bad_input_names_the_field_and_changes_nothing(
        self, api: Api, row: dict[str, Any], at: str
    ) -> None:
        wrong, field = self.invalid
        count = self.model.objects.count()
        for method, path, body in (
            ("POST", at, {**self.other, **wrong}),
            ("PUT", f"{at}{row['id']}/", {**self.body, **wrong}),
            ("PATCH", f"{at}{row['id']}/", wrong),
        ):
            response = api(method, path, body)
            assert response.status_code == 400, (method, response.content)
            assert field in fields_of(response), method
        assert self.model.objects.count() == count
        assert api.get(f"{at}{row['id']}/") | {"token": None} == row | {"token": None}

    def test_it_refuses_unknown_fields(self, api: Api, row: dict[str, Any], at: str) -> None:
        for method, path in (("POST", at), ("PATCH", f"{at}{row['id']}/")):
            response = api(method, path, {**self.other, "is_admin": True, "x" * 500: 1})
            assert response.status_code == 400
            assert fields_of(response) == ["is_admin", "x" * 100]

    def test_ids_are_not_assigned(self, api: Api, row: dict[str, Any], at: str) -> None:
        second = api.add(at, {**self.other, "id": row["id"]})
        assert second["id"] != row["id"]
        moved = api("PATCH", f"{at}{row['id']}/", {"id": 987654})
        assert moved.status_code == 200
        assert moved.json()["id"] == row["id"]

    def test_it_handles_values_of_every_type(self, api: Api, row: dict[str, Any], at: str) -> None:
        for name in row:
            for value in WRONG:
                response = api("PATCH", f"{at}{row['id']}/", {name: value})
                assert response.status_code in (200, 400, 409), (name, value, response.content)
                if response.status_code == 200:
                    shown = response.json()
                    unchanged = shown[name] == row[name]
                    assert unchanged or type(shown[name]) is type(value), (name, value)
                    assert unchanged or value not in ("\x00", "a\nb"), (name, value)
                    api("PUT", f"{at}{row['id']}/", row)
        for body in ([], [{}], "text", 7, None, [[]]):
            assert api("POST", at, body).status_code == 400, body

    def test_versions_have_tags(self, api: Api, row: dict[str, Any], at: str) -> None:
        one = f"{at}{row['id']}/"
        tag = api("GET", one)["ETag"]
        assert api("GET", one, If_None_Match=tag).status_code == 304
        assert api("GET", one, If_None_Match='"other"').status_code == 200
        changed = api("PATCH", one, self.change, If_Match=tag)
        assert changed.status_code == 200
        assert changed["ETag"] != tag
        assert api("GET", one)["ETag"] == changed["ETag"]
        for method in ("PUT", "PATCH", "DELETE"):
            stale = api(method, one, self.other, If_Match=tag)
            assert stale.status_code == 412, method
        assert api("DELETE", one, If_Match=f'"x", {changed["ETag"]}').status_code == 204

    def test_a_dry_run_changes_nothing(self, api: Api, row: dict[str, Any], at: str) -> None:
        one = f"{at}{row['id']}/"
        count, records = self.model.objects.count(), Change.objects.count()
        for method, path, body, status, operation in (
            ("POST", at, self.other, 201, "insert"),
            ("PATCH", one, self.change, 200, "update"),
            ("DELETE", one, None, 204, "delete"),
        ):
            response = api(method, f"{path}?dry_run=true", body)
            assert response.status_code == 200, response.content
            said = response.json()
            assert (said["dry_run"], said["status"]) == (True, status)
            assert said["lint"]["error_count"] == 0, said["lint"]
            assert "Waypost-Revision" not in response
            if self.record:
                operations = {each["operation"] for each in said["changes"]}
                assert operation in operations
                assert said["change_count"] == len(said["changes"])
        assert self.model.objects.count() == count
        assert Change.objects.count() == records
        assert api.get(one) | {"token": None} == row | {"token": None}
        assert api("POST", f"{at}?dry_run=perhaps", self.other).status_code == 400

    def test_a_dry_run_says_what_is_wrong(self, api: Api, at: str) -> None:
        wrong, field = self.invalid
        response = api("POST", f"{at}?dry_run=true", {**self.body, **wrong})
        assert response.status_code == 400
        assert field in fields_of(response)


class Surface(WrittenSurface):
    """Rows with a natural key."""

    key: ClassVar[str]  # of `body`, as it may be written
    key_field: ClassVar[str] = "name"
    other_key: ClassVar[str]
    taken: ClassVar[int] = 409  # what renaming the second row to the first one's key gives

    def by_key(self, at: str, key: str) -> str:
        return f"{at}by-key/{quote(key, safe='/')}/"

    def without_key(self, body: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name != self.key_field}

    def test_a_second_one_is_a_conflict(self, api: Api, row: dict[str, Any], at: str) -> None:
        response = api("POST", at, self.body)
        assert response.status_code == 409, response.content
        assert fields_of(response) == [self.key_field]
        second = api.add(at, self.other)
        moved = api("PATCH", f"{at}{second['id']}/", {self.key_field: self.body[self.key_field]})
        assert moved.status_code == self.taken

    def test_it_is_found_by_its_key(self, api: Api, row: dict[str, Any], at: str) -> None:
        response = api("GET", self.by_key(at, self.key))
        assert response.json() == row
        assert response["ETag"] == api("GET", f"{at}{row['id']}/")["ETag"]
        for wrong in (self.other_key, "no such thing", "a\x00b", "a\nb", "'; --", "x" * 3000):
            assert api("GET", self.by_key(at, wrong)).status_code == 404, wrong

    def test_put_by_key_makes_or_replaces(self, api: Api, at: str) -> None:
        path = self.by_key(at, self.key)
        body = self.without_key(self.body)
        made = api("PUT", path, body)
        assert made.status_code == 201, made.content
        again = api("PUT", path, body)
        assert (again.status_code, again.json()) == (200, made.json())
        replaced = api("PUT", path, {**body, **self.without_key(self.change)})
        assert (replaced.status_code, replaced.json()["id"]) == (200, made.json()["id"])
        assert api("PUT", path, {**body, "nonsense": 1}).status_code == 400

    def test_put_by_key_refuses_another_key(self, api: Api, row: dict[str, Any], at: str) -> None:
        response = api("PUT", self.by_key(at, self.key), self.other)
        assert response.status_code == 400, response.content
        assert self.key_field in fields_of(response)

    def test_put_by_key_honours_preconditions(self, api: Api, at: str) -> None:
        path, body = self.by_key(at, self.key), self.without_key(self.body)
        assert api("PUT", path, body, If_Match='"some"').status_code == 412
        assert api("PUT", path, body, If_None_Match="*").status_code == 201
        assert api("PUT", path, body, If_None_Match="*").status_code == 412

    def test_put_by_key_needs_the_right_permission(
        self, api: Api, as_amy: Api, amy: User, at: str
    ) -> None:
        path, body = self.by_key(at, self.key), self.without_key(self.body)
        assert as_amy("PUT", path, body).status_code == 403
        grant(amy, self.permission("change"))
        assert as_amy("PUT", path, body).status_code == 403  # it would be made
        api("PUT", path, body)
        assert as_amy("PUT", path, body).status_code == 200

    def test_patch_and_delete_by_key(self, api: Api, row: dict[str, Any], at: str) -> None:
        path = self.by_key(at, self.key)
        change = self.without_key(self.change)
        assert api("PATCH", path, change).json() | self.expected(change) == api.get(path)
        assert api("DELETE", path).status_code == 204
        assert api("DELETE", path).status_code == 404

    def test_bulk_does_it_all(self, api: Api, row: dict[str, Any], at: str) -> None:
        body = [
            {"op": "delete", "id": row["id"]},
            self.body,
            {"op": "create", **self.other},
            {"op": "upsert", **self.body, **self.without_key(self.change)},
        ]
        said = api.add(f"{at}bulk/", body)
        assert (said["count"], said["created"], said["updated"], said["deleted"]) == (4, 2, 0, 1)
        new = self.by_key(at, self.key)
        assert api.get(new)["id"] == said["results"][1]["id"] != row["id"]
        change = self.expected(self.without_key(self.change))
        assert api.get(new) | change == api.get(new)
        key = {name: api.get(new)[name] for name in self.key_names()}
        more = [{"op": "update", **key, **self.without_key(self.optional)}]
        more.append({"op": "delete", **key})
        assert api.add(f"{at}bulk/", more)["deleted"] == 1
        assert api("GET", new).status_code == 404

    def key_names(self) -> tuple[str, ...]:
        return (self.key_field,)

    def test_bulk_is_all_or_nothing(self, api: Api, row: dict[str, Any], at: str) -> None:
        wrong, field = self.invalid
        records = Change.objects.count()
        body = [{"op": "delete", "id": row["id"]}, self.other, {**self.body, **wrong}]
        response = api("POST", f"{at}bulk/", body)
        assert response.status_code == 400, response.content
        places = {(error["index"], error["field"]) for error in response.json()["errors"]}
        assert (2, field) in places, places
        assert Change.objects.count() == records
        assert api.get(f"{at}{row['id']}/") == row

    def test_bulk_finds_conflicts(self, api: Api, row: dict[str, Any], at: str) -> None:
        for body, index in (([self.other, self.body], 1), ([self.other, self.other], 1)):
            response = api("POST", f"{at}bulk/", body)
            assert response.status_code == 409, response.content
            errors = response.json()["errors"]
            assert [(each["index"], each["field"]) for each in errors] == [(index, self.key_field)]

    def test_bulk_needs_each_permission(
        self, as_amy: Api, amy: User, row: dict[str, Any], at: str
    ) -> None:
        body = [self.other, {"op": "delete", "id": row["id"]}]
        grant(amy, self.permission("add"))
        refused = as_amy("POST", f"{at}bulk/", body)
        assert refused.status_code == 403, refused.content
        assert self.permission("delete") in refused.json()["detail"]
        grant(amy, self.permission("delete"))
        assert as_amy("POST", f"{at}bulk/", body).status_code == 200

    def test_bulk_dry_run(self, api: Api, row: dict[str, Any], at: str) -> None:
        body = [{"op": "delete", "id": row["id"]}, self.other]
        said = api.add(f"{at}bulk/?dry_run=true", body)
        assert said["result"]["count"] == 2
        assert {"insert", "delete"} <= {each["operation"] for each in said["changes"]}
        assert api.get(f"{at}{row['id']}/") == row
