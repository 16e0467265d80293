"""Tokens: one's own, shown once, no way to more rights or a longer life."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from panel.models import ApiToken
from panel.services.tokens import issue_token
from tests.panel.api.client import Api, fields_of
from tests.panel.api.conftest import grant

ALL = ("view_apitoken", "add_apitoken", "change_apitoken", "delete_apitoken")


def test_it_works(api: Api) -> None:
    row = api.add("tokens/", {"name": "backup", "scope": "read"})
    assert Api(row["token"])("GET", "domains/").status_code == 200
    assert Api(row["token"])("POST", "domains/", {}).status_code == 403
    assert api.get(f"tokens/{row['id']}/")["token"] is None
    assert api("GET", f"tokens/{row['id']}/")["Cache-Control"] == "no-store"
    assert row["token"] not in str(api.get("tokens/"))
    assert api("DELETE", f"tokens/{row['id']}/").status_code == 204
    assert Api(row["token"])("GET", "domains/").status_code == 401


def test_others_tokens_are_not_there(api: Api, root: User, amy: User, as_amy: Api) -> None:
    grant(amy, *ALL)
    roots = ApiToken.objects.get(user=root)
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = as_amy(method, f"tokens/{roots.pk}/", {"name": "mine"})
        assert answer.status_code == 404, method
    assert {each["user"] for each in as_amy.get("tokens/")["results"]} == {"amy"}
    assert as_amy.get(f"tokens/?search={roots.prefix}")["count"] == 0
    assert {each["user"] for each in api.get("tokens/")["results"]} == {"root", "amy"}


def test_a_token_is_for_the_one_who_asks(root: User, amy: User, as_amy: Api) -> None:
    grant(amy, *ALL)
    row = as_amy.add("tokens/", {"name": "x", "user": "root", "prefix": "12345678"})
    assert row["user"] == "amy"
    assert row["prefix"] != "12345678"
    for wrong in ({"digest": "0" * 64}, {"user_id": root.pk}):
        assert as_amy("POST", "tokens/", {"name": "x", **wrong}).status_code == 400
    as_amy("PATCH", f"tokens/{row['id']}/", {"user": "root", "created": "1999-01-01T00:00:00Z"})
    assert ApiToken.objects.get(pk=row["id"]).user == amy


def test_no_token_outlives_the_one_it_was_made_with(root: User) -> None:
    token, text = issue_token(root, name="short", days=1)
    short = Api(text)
    later = (timezone.now() + timedelta(days=2)).isoformat()
    sooner = (timezone.now() + timedelta(hours=2)).isoformat()
    for body in ({"name": "x"}, {"name": "x", "expires": None}, {"name": "x", "expires": later}):
        refused = short("POST", "tokens/", body)
        assert (refused.status_code, fields_of(refused)) == (400, ["expires"])
    assert short.add("tokens/", {"name": "x", "expires": sooner})
    for expires in (None, later):
        refused = short("PATCH", f"tokens/{token.pk}/", {"expires": expires})
        assert (refused.status_code, fields_of(refused)) == (400, ["expires"])
    refused = short("PUT", f"tokens/{token.pk}/", {"name": "x"})  # would take the time away
    assert refused.status_code == 400
    assert short("PATCH", f"tokens/{token.pk}/", {"name": "y"}).status_code == 200


@pytest.mark.parametrize("expires", ["1999-01-01T00:00:00Z", "soon", 7, "0001-01-01T00:00:00Z"])
def test_times_are_in_the_future(api: Api, expires: object) -> None:
    response = api("POST", "tokens/", {"name": "x", "expires": expires})
    assert (response.status_code, fields_of(response)) == (400, ["expires"])


def test_a_read_token_makes_no_token(reader: Api) -> None:
    assert reader("POST", "tokens/", {"name": "x"}).status_code == 403


def test_use_does_not_change_the_version(api: Api) -> None:
    row = api.add("tokens/", {"name": "x"})
    tag = api("GET", f"tokens/{row['id']}/")["ETag"]
    Api(row["token"])("GET", "domains/")
    assert api("GET", f"tokens/{row['id']}/")["ETag"] == tag
