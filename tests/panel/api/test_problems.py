"""Errors are problem documents, and no body makes anything else of them. RFC 9457"""

from __future__ import annotations

import json

import pytest
from django.db import connection

from panel.api.bodies import BODY_LIMIT, BULK_BODY_LIMIT
from panel.models import Domain, Table
from tests.panel.api.client import PROBLEM, Api, fields_of

GOOD = {"name": "example.com", "kind": "relay"}


def test_it_works(api: Api) -> None:
    response = api("POST", "domains/", {"name": "no spaces.test", "kind": "relay"})
    problem = response.json()
    assert response["Content-Type"] == PROBLEM
    assert (problem["type"], problem["title"]) == ("about:blank", "Bad Request")
    assert problem["errors"][0]["field"] == "name"
    assert problem["detail"].startswith("name: ")


@pytest.mark.parametrize(
    "path, body",
    [
        ("settings/", {"name": "smtp_sasl_password_maps", "value": "static:{joe:geheim"}),
        (
            "services/",
            {
                "name": "relay",
                "type": "unix",
                "command": "smtp",
                "overrides": {"smtp_sasl_password_maps": "inline:{ mx=joe:geheim } geheim"},
            },
        ),
        ("entries/", {"key": "/mx/", "value": "joe:$geheim"}),
    ],
)
def test_they_show_no_password(api: Api, path: str, body: dict[str, object]) -> None:
    if path == "entries/":
        table = Table.objects.create(name="secrets", type="pcre", kind="passwords")
        path = f"tables/{table.pk}/entries/"
    response = api("POST", path, body)
    assert response.status_code == 400, response.text
    assert "geheim" not in response.text


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "nothing/", 404),
        ("POST", "nothing/", 404),
        ("GET", "", 404),
        ("GET", "domains", 404),
        ("GET", "domains/x/", 404),
        ("GET", "domains/-1/", 404),
        ("GET", "domains/999999999999999999/", 404),
        ("GET", "domains/9999999999999999999999/", 404),
        ("GET", "domains/%00/", 404),
        ("GET", "domains/%FF%FE/", 404),
        ("GET", "domains/by-key/%FF/", 404),
        ("GET", "domains/../tokens/", 404),
        ("DELETE", "domains/", 405),
        ("OPTIONS", "domains/", 405),
        ("TRACE", "domains/", 405),
        ("POST", "lint/", 405),
        ("PUT", "generations/1/", 405),
        ("DELETE", "changes/1/", 405),
        ("GET", "domains/?page=x", 404),
        ("GET", "domains/?name=%00", 400),
        ("GET", "changes/?row=99999999999999999999999", 200),
        ("GET", "changes/?row=x", 400),
        ("GET", "changes/?since=yesterday", 400),
        ("GET", "mailboxes/?domain=a%20b", 400),
        ("GET", "mailboxes/?address=x", 400),
        ("GET", "generations/7/", 404),
        ("GET", "queue/?limit=0", 400),
        ("GET", "queue/?limit=%C2%B2", 400),
        ("GET", "queue/?after=../x", 400),
    ],
)
def test_every_address_answers(api: Api, method: str, path: str, status: int) -> None:
    response = api(method, path)
    assert response.status_code == status, response.content
    if status == 405:
        assert response["Content-Type"] == PROBLEM


@pytest.mark.parametrize(
    "raw, said",
    [
        (b"{", "not JSON"),
        (b"nonsense", "not JSON"),
        (b'{"name": NaN}', "not a number"),
        (b'{"name": Infinity}', "not a number"),
        (b'{"name": "a", "name": "b"}', "twice"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b"\xff\xfe{\x00}\x00", "UTF-8"),
        (b'{"name": "\\ud800"}', "surrogate"),
        (b'{"\\udc00": 1}', "surrogate"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, "nested"),
        (b'{"name": ' + b"[" * 50 + b"]" * 50 + b"}", "nested"),
        (b'{"name": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[]", ""),
        (b'"text"', ""),
        (b"null", ""),
        (b"", ""),
    ],
)
def test_it_refuses_bodies_that_are_none(api: Api, raw: bytes, said: str) -> None:
    response = api("POST", "domains/", raw=raw)
    assert response.status_code == 400, response.content
    assert said in response.json()["detail"]


def test_it_refuses_other_types(api: Api) -> None:
    for media_type in ("text/plain", "multipart/form-data; boundary=x", "application/xml"):
        response = api("POST", "domains/", GOOD, Content_Type=media_type)
        assert response.status_code == 415, media_type
    assert api("GET", "domains/", Accept="text/html").status_code == 406


def test_it_refuses_large_bodies(api: Api) -> None:
    assert api("POST", "domains/", raw=b" " * (BODY_LIMIT + 1)).status_code == 413
    assert api("POST", "domains/bulk/", raw=b" " * (BODY_LIMIT + 1)).status_code == 400
    assert api("POST", "domains/bulk/", raw=b" " * (BULK_BODY_LIMIT + 1)).status_code == 413


def test_a_body_without_a_length_is_refused(api: Api) -> None:
    assert api("POST", "domains/", raw=b"", Transfer_Encoding="chunked").status_code == 411


def test_a_large_body_of_somebody_unknown_is_not_read(well_known) -> None:
    raw = json.dumps(GOOD).encode() + b" " * BODY_LIMIT
    assert Api()("POST", "domains/", raw=raw).status_code == 401


def test_what_was_sent_comes_back_shortened(api: Api) -> None:
    response = api("POST", "domains/", {"name": "x" * 1_000_000 + ".test", "kind": "y" * 100_000})
    assert response.status_code == 400
    assert len(response.content) < 3000
    assert set(fields_of(response)) == {"name", "kind"}
    many = api("POST", "domains/", {f"field{n}": 1 for n in range(1000)})
    assert len(fields_of(many)) == 20


def test_a_constraint_that_was_not_foreseen_is_a_problem(api: Api) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE panel_domain ADD CONSTRAINT foreseen CHECK (name <> 'example.com')"
        )
    response = api("POST", "domains/", GOOD)
    assert response.status_code == 400
    assert "foreseen" in response.json()["detail"]
    assert not Domain.objects.exists()


def test_sql_is_text(api: Api) -> None:
    evil = "x'; DROP TABLE panel_domain; --"
    assert api("POST", "domains/", {"name": evil, "kind": "relay"}).status_code == 400
    row = api.add("domains/", {**GOOD, "description": evil})
    assert row["description"] == evil
    assert api.get("domains/?search=DROP%20TABLE")["count"] == 0
    assert api.get("changes/?model=domain'%20OR%201=1")["count"] == 0
