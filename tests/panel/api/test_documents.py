"""The API's description of itself."""

from __future__ import annotations

import io
import re

import pytest
import yaml
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS

from delivery.runtime.queuelist import listed
from delivery.spool.records import ListedRecipient, Listing, QueueState
from panel.api.urls import VIEWS
from tests.panel.api.client import Api


@pytest.fixture
def schema(db) -> dict:
    out = io.StringIO()
    GENERATOR_STATS.reset()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    return yaml.safe_load(out.getvalue())


def test_it_works(schema: dict) -> None:
    for prefix in VIEWS:
        path = "/api/v1/" + re.sub(r"\(\?P<(\w+)>.*?\)", r"{\1}", prefix) + "/"
        assert path in schema["paths"], path


def test_every_operation_may_answer_a_problem(schema: dict) -> None:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"]
            assert "application/problem+json" in answers["default"]["content"], (path, method)


def test_writes_say_what_they_take(schema: dict) -> None:
    parameters = {
        each["name"] for each in schema["paths"]["/api/v1/domains/"]["post"]["parameters"]
    }
    assert {"dry_run", "Prefer", "Idempotency-Key"} <= parameters
    one = schema["paths"]["/api/v1/domains/{id}/"]
    assert "If-Match" in {each["name"] for each in one["put"]["parameters"]}
    assert "parameters" in one["get"]


def test_the_description_of_the_queue_names_what_the_engine_tells(schema: dict) -> None:
    told = listed(
        Listing(
            queue_id="4c9BsN2rG8z1",
            state=QueueState.DEFERRED,
            sender="",
            size=1,
            arrived=1.0,
            next_attempt=2.0,
            attempts=1,
            recipients=(ListedRecipient(address="joe@far.example"),),
            recipient_count=1,
        )
    )
    shapes = schema["components"]["schemas"]
    assert set(shapes["QueuedForm"]["properties"]) == set(told)
    assert set(shapes["QueuedRecipientForm"]["properties"]) == set(told["recipients"][0])


def test_passwords_are_only_written(schema: dict) -> None:
    shapes = schema["components"]["schemas"]
    assert "password" in shapes["MailboxFormRequest"]["properties"]
    assert "password" not in shapes["MailboxForm"]["properties"]


def test_it_is_served(api: Api, as_amy: Api) -> None:
    for token in (api, as_amy):
        response = token("GET", "schema/", Accept="application/vnd.oai.openapi+json")
        assert response.status_code == 200
    assert Api()("GET", "schema/").status_code == 401


def test_docs_are_for_browsers(root: User) -> None:
    browser = Client()
    response = browser.get("/api/v1/docs/")
    assert (response.status_code, response["Location"]) == (
        302,
        "/admin/login/?next=/api/v1/docs/",
    )
    browser.force_login(root)
    page = browser.get("/api/v1/docs/")
    assert page.status_code == 200
    text = page.content.decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert addresses
    assert all(each.startswith("/static/") for each in addresses), addresses
    assert browser.get("/api/v1/schema/").status_code == 200
