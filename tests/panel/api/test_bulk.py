"""Bulk edits: many rows, one transaction, errors that point at their operation."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from panel.api.bodies import VALUES_LIMIT
from panel.api.bulk import OPERATIONS_LIMIT
from panel.models import Change, Domain, Table, VirtualEntry
from tests.panel.api.client import Api


def entries(count: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"pattern": f"u{n}@example.com", "destinations": [f"v{n}@example.org"], **more}
        for n in range(count)
    ]


def test_it_works(api: Api) -> None:
    response = api("POST", "virtual-entries/bulk/", entries(3))
    assert response.status_code == 200, response.content
    said = response.json()
    assert (said["count"], said["created"]) == (3, 3)
    ids = list(VirtualEntry.objects.order_by("pk").values_list("pk", flat=True))
    assert said["results"] == [{"op": "create", "id": pk} for pk in ids]
    assert response["Waypost-Revision"] == str(Change.objects.first().revision)


def test_ten_thousand_take_few_statements(api: Api) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert api.add("virtual-entries/bulk/", entries(10_000))["created"] == 10_000
    assert len(queries) < 60
    with CaptureQueriesContext(connection) as queries:
        said = api.add("virtual-entries/bulk/", entries(10_000, op="upsert", comment="new"))
    assert (said["created"], said["updated"]) == (0, 10_000)
    assert len(queries) < 80
    # by their ids alone: a join is quadratic where the planner takes the table to be empty still
    updates = [each["sql"] for each in queries if each["sql"].startswith("UPDATE")]
    assert updates
    assert not [sql for sql in updates if "SELECT" in sql]
    assert VirtualEntry.objects.filter(comment="new").count() == 10_000


def test_operations_count_one_after_the_other(api: Api) -> None:
    api.add("domains/bulk/", [{"name": f"{name}.test", "kind": "relay"} for name in "abc"])
    body = [
        {"op": "delete", "name": "a.test"},
        {"op": "update", "name": "b.test", "description": "was b"},
        {"op": "update", "name": "B.test", "enabled": False},
        {"op": "create", "name": "a.test", "kind": "local"},
        {"op": "upsert", "name": "d.test", "kind": "relay"},
        {"op": "upsert", "name": "d.test", "kind": "local"},
        {"op": "create", "name": "e.test", "kind": "relay"},
        {"op": "delete", "name": "e.test"},
    ]
    said = api.add("domains/bulk/", body)
    assert (said["created"], said["updated"], said["deleted"]) == (2, 1, 1)
    assert [each["op"] for each in said["results"]] == [
        "delete", "update", "update", "create", "create", "update", "create", "delete",
    ]  # fmt: skip
    rows = {row.name: (row.kind, row.enabled, row.description) for row in Domain.objects.all()}
    assert rows == {
        "a.test": ("local", True, ""),
        "b.test": ("relay", False, "was b"),
        "c.test": ("relay", True, ""),
        "d.test": ("local", True, ""),
    }


def test_a_freed_key_may_be_taken(api: Api) -> None:
    api.add("domains/bulk/", [{"name": f"{name}.test", "kind": "relay"} for name in "ab"])
    ids = {row.name: row.pk for row in Domain.objects.all()}
    api.add(
        "domains/bulk/",
        [
            {"op": "update", "id": ids["a.test"], "name": "c.test"},
            {"op": "update", "id": ids["b.test"], "name": "a.test"},
            {"name": "b.test", "kind": "local"},
        ],
    )
    assert Domain.objects.get(name="c.test").pk == ids["a.test"]
    assert Domain.objects.get(name="a.test").pk == ids["b.test"]
    taken = api("POST", "domains/bulk/", [{"op": "update", "name": "a.test"}] * 2)
    assert taken.status_code == 200
    taken = api("POST", "domains/bulk/", [{"op": "update", "id": ids["a.test"], "name": "b.test"}])
    assert taken.status_code == 409, taken.content


def test_an_upsert_is_a_put(api: Api) -> None:
    api.add("virtual-entries/", {**entries(1)[0], "comment": "old", "enabled": False})
    api.add("virtual-entries/bulk/", entries(1, op="upsert"))
    row = VirtualEntry.objects.get()
    assert (row.comment, row.enabled) == ("", True)


def test_what_stays_the_same_is_not_written(api: Api) -> None:
    api.add("virtual-entries/bulk/", entries(5))
    records = Change.objects.count()
    said = api.add("virtual-entries/bulk/", entries(5, op="upsert"))
    assert (said["created"], said["updated"]) == (0, 0)
    assert Change.objects.count() == records


@pytest.mark.parametrize(
    "operation, field",
    [
        (7, ""),
        ({"op": "drop", "name": "a.test"}, "op"),
        ({"op": ["create"]}, "op"),
        ({"op": "update"}, "name"),
        ({"op": "delete", "name": ["a.test"]}, "name"),
        ({"op": "delete", "name": "a b"}, "name"),
        ({"op": "upsert", "name": "a\x00.test", "kind": "relay"}, "name"),
        ({"op": "delete", "id": "1"}, "id"),
        ({"op": "delete", "id": True}, "id"),
        ({"op": "delete", "id": 10**30}, "id"),
        ({"op": "delete", "id": 987654}, ""),
        ({"op": "delete", "name": "b.test"}, ""),
        ({"op": "delete", "name": "a.test", "kind": "relay"}, ""),
        ({"op": "update", "name": "a.test", "nonsense": 1}, "nonsense"),
        ({"name": "new.test", "kind": "imaginary"}, "kind"),
        ({"kind": "relay"}, "name"),
    ],
)
def test_errors_point_at_the_operation(api: Api, operation: Any, field: str) -> None:
    api.add("domains/", {"name": "a.test", "kind": "relay"})
    body = [{"name": "good.test", "kind": "relay"}, operation]
    response = api("POST", "domains/bulk/", body)
    assert response.status_code == 400, response.content
    places = [(error["index"], error["field"]) for error in response.json()["errors"]]
    assert places == [(1, field)]
    assert list(Domain.objects.values_list("name", flat=True)) == ["a.test"]


def test_errors_are_bounded(api: Api) -> None:
    response = api("POST", "domains/bulk/", [{"nonsense": n} for n in range(2000)])
    assert len(response.json()["errors"]) == 100


def test_it_takes_lists_of_bounded_length(api: Api) -> None:
    assert api("POST", "domains/bulk/", [7] * (OPERATIONS_LIMIT + 1)).status_code == 413
    assert api("POST", "domains/bulk/", {"name": "a.test"}).status_code == 400
    assert api.add("domains/bulk/", [])["count"] == 0


@pytest.mark.parametrize(
    ("content_type", "one"),
    [("application/json", b"{},"), ("application/json", b'"ab",'), ("text/csv", b"ab\n")],
)
def test_it_reads_no_body_of_very_many_values(api: Api, content_type: str, one: bytes) -> None:
    """Thirty megabytes of {} are a gigabyte once they are read."""
    raw = one * (VALUES_LIMIT + 1)
    response = api("POST", "domains/bulk/", raw=raw, Content_Type=content_type)
    assert response.status_code == 413
    assert str(VALUES_LIMIT) in response.json()["detail"]


def test_lists_with_members(api: Api) -> None:
    body = [
        {"name": "guests", "is_class": True, "members": [{"name": "reject"}]},
        {
            "op": "upsert",
            "name": "smtpd_helo_restrictions",
            "members": [{"name": "permit_mynetworks"}, {"name": "reject"}],
        },
    ]
    api.add("restriction-lists/bulk/", body)
    rows = api.get("restriction-lists/?ordering=-id")["results"]
    assert [[each["name"] for each in row["members"]] for row in rows] == [
        ["permit_mynetworks", "reject"],
        ["reject"],
    ]


def csv(api: Api, path: str, text: str) -> HttpResponse:
    return api("POST", path, raw=text.encode(), Content_Type="text/csv")


def test_a_hundred_thousand_in_one_call(api: Api) -> None:
    with CaptureQueriesContext(connection) as queries:
        said = api.add("virtual-entries/bulk/", entries(100_000))
    assert (said["count"], said["created"]) == (100_000, 100_000)
    assert len(queries) < 30
    last = VirtualEntry.objects.get(pk=said["results"][-1]["id"])
    assert (last.key, last.lookup_key, last.value) == (
        "u99999@example.com", "u99999@example.com", "v99999@example.org",
    )  # fmt: skip
    assert Change.objects.filter(model="entry", operation="insert").count() == 100_000
    change = Change.objects.filter(row=last.pk).get()
    assert change.after["value"] == last.value
    assert (change.operation, change.source) == ("insert", "api")


PLAIN = {"pattern": "joe@example.com", "destinations": ["ann@example.com"]}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"enabled": False, "comment": "it's a \\ test"},
        {"destinations": ["ann@example.com", "bob@example.com"]},
        {"pattern": "Joe@Example.COM"},
        {"pattern": "joe"},
        {"destinations": ['"a b"@example.com', "@example.org"]},
        {"table": "virtual"},
        {"table": "others"},
        {"op": "upsert"},
    ],
)
def test_plain_entries_are_stored_as_the_forms_store_them(api: Api, more: dict[str, Any]) -> None:
    Table.objects.create(name="others", type="hash", kind="virtual")
    api.add("virtual-entries/bulk/", [{**PLAIN, **more}])
    (columns,) = VirtualEntry.objects.values()
    record = Change.objects.get(model="entry").after
    VirtualEntry.objects.all().delete()
    Change.objects.all().delete()
    api.add("virtual-entries/", {**PLAIN, **{n: v for n, v in more.items() if n != "op"}})
    (wanted,) = VirtualEntry.objects.values()
    assert columns | {"id": 0} == wanted | {"id": 0}
    assert record | {"id": 0} == Change.objects.get(model="entry").after | {"id": 0}


@pytest.mark.parametrize(
    "more, field",
    [
        ({"destinations": ["a@@example.com"]}, "destinations"),
        ({"destinations": ["a@example.com, b@example.com"]}, "destinations"),
        ({"destinations": []}, "destinations"),
        ({"destinations": "a@example.com"}, "destinations"),
        ({"pattern": "joe@example.com\nann@example.com"}, "pattern"),
        ({"comment": "two\nlines"}, "comment"),
        ({"comment": "x" * 501}, "comment"),
        ({"enabled": "yes"}, "enabled"),
        ({"table": "aliases"}, "table"),
        ({"table": ""}, "table"),
        ({"table": ["virtual"]}, "table"),
        ({"nonsense": 1}, "nonsense"),
        ({"pattern": None}, "pattern"),
    ],
)
def test_what_is_not_plain_is_refused_as_ever(api: Api, more: dict[str, Any], field: str) -> None:
    response = api("POST", "virtual-entries/bulk/", [*entries(2), {**PLAIN, **more}])
    assert response.status_code == 400, response.content
    found = {(each["index"], each["field"].split(".")[0]) for each in response.json()["errors"]}
    assert found == {(2, field)}
    assert not VirtualEntry.objects.exists()


def test_forms_look_at_the_few_that_are_not_plain(api: Api) -> None:
    odd = [
        {"pattern": "@Example.com", "destinations": ["@example.org"]},
        {"pattern": "Jane@ex\u00e4mple.com", "destinations": ["joe"]},
    ]
    with CaptureQueriesContext(connection) as queries:
        said = api.add("virtual-entries/bulk/", [*entries(3000), *odd, *entries(3001)[3000:]])
    assert said["created"] == 3003
    assert len(queries) < 30
    found = VirtualEntry.objects.filter(pk__in=[each["id"] for each in said["results"][3000:]])
    assert [(row.key, row.lookup_key, row.value) for row in found.order_by("pk")] == [
        ("@Example.com", "@example.com", "@example.org"),
        ("Jane@ex\u00e4mple.com", "jane@xn--exmple-cua.com", "joe"),
        ("u3000@example.com", "u3000@example.com", "v3000@example.org"),
    ]
    again = api("POST", "virtual-entries/bulk/", [*entries(1, comment="x"), odd[0]])
    assert [each["index"] for each in again.json()["errors"]] == [0, 1]
    said = api.add("virtual-entries/bulk/", [{**odd[0], "op": "upsert", "comment": "again"}])
    assert (said["created"], said["updated"]) == (0, 1)


def test_plain_entries_whose_keys_are_taken(api: Api) -> None:
    api.add("virtual-entries/", entries(2)[1])
    response = api("POST", "virtual-entries/bulk/", [*entries(3), entries(3)[2]])
    assert response.status_code == 409, response.content
    assert [each["index"] for each in response.json()["errors"]] == [1, 3]
    assert VirtualEntry.objects.count() == 1


def test_csv(api: Api) -> None:
    api.add("virtual-entries/", {"pattern": "old@example.com", "destinations": ["x@example.com"]})
    said = csv(
        api,
        "virtual-entries/bulk/",
        "\ufeffop;pattern;destinations;enabled;comment\r\n"
        "upsert;Joe@example.com;ann@example.com, bob@example.com;TRUE;\r\n"
        "\r\n"
        'upsert;ann@example.com;"""a, b""@example.com";false;"two; words"\r\n'
        "delete;old@example.com;;;\r\n",
    ).json()
    assert (said["created"], said["deleted"]) == (2, 1), said
    rows = {
        row.key: (row.destinations, row.enabled, row.comment) for row in VirtualEntry.objects.all()
    }
    assert rows == {
        "Joe@example.com": (["ann@example.com", "bob@example.com"], True, ""),
        "ann@example.com": (['"a, b"@example.com'], False, "two; words"),
    }


def test_many_columns_take_no_time(api: Api) -> None:
    began = time.monotonic()
    names = ",".join(map(str, range(100_000)))
    csv(api, "virtual-entries/bulk/", f"{names}\n")
    assert csv(api, "virtual-entries/bulk/", f"{names},7\n").status_code == 400
    assert time.monotonic() - began < 30  # comparing each with each takes minutes


def test_numbers_in_csv(api: Api) -> None:
    table = Table.objects.create(name="rules", type="regexp", kind="access")
    csv(api, f"access-tables/{table.pk}/rules/bulk/", "pattern,action,position\n/a/,REJECT,7\n")
    (row,) = table.entries.all()
    assert (row.key, row.value, row.position) == ("/a/", "REJECT", 7)
    csv(api, f"access-tables/{table.pk}/rules/bulk/", f"op,id,action\nupdate,{row.pk},OK\n")
    row.refresh_from_db()
    assert row.value == "OK"


@pytest.mark.parametrize(
    "lines, line, field",
    [
        ("pattern,destinations\na@example.com,b@example.com\n\na b,c@example.com", 4, "pattern"),
        ("pattern,destinations\na@example.com,b@@example.com", 2, "destinations"),
        ("pattern,destinations\na@example.com,b@example.com,c", 2, ""),
        ("pattern,destinations,nonsense\na@example.com,b@example.com,c", 2, "nonsense"),
        ("pattern,destinations,enabled\na@example.com,b@example.com,yes", 2, "enabled"),
        ('pattern,destinations\na@example.com,"b@example.com', 2, ""),
        ("pattern,pattern\na@example.com,b@example.com", 1, ""),
        ("pattern,\na@example.com,b@example.com", 1, ""),
        ("\n", 1, ""),
    ],
)
def test_errors_in_csv_name_line_and_field(api: Api, lines: str, line: int, field: str) -> None:
    response = csv(api, "virtual-entries/bulk/", lines)
    assert response.status_code == 400, response.content
    places = [(each["line"], each["field"].split(".")[0]) for each in response.json()["errors"]]
    assert places == [(line, field)]
    assert f"ine {line}" in response.json()["detail"]
    assert not VirtualEntry.objects.exists()


def test_csv_is_for_bulk_edits_and_utf_8(api: Api) -> None:
    assert csv(api, "virtual-entries/", "pattern\na@example.com").status_code == 415
    response = api("POST", "domains/bulk/", raw=b"name\n\xff\n", Content_Type="text/csv")
    assert response.status_code == 400
