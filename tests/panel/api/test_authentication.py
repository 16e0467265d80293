"""Who asks: bearer tokens, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from panel.api.authentication import CLIENTS, FAILED, FAILURES, PERIOD_S, Failures
from panel.models import ApiToken
from tests.panel.api.client import Api


def test_it_works(api: Api) -> None:
    assert api("GET", "domains/").status_code == 200
    assert ApiToken.objects.get().last_used is not None


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wp_",
        "Bearer nonsense",
        "Bearer wp_" + "x" * 43,
        "Bearer wp_ä",
        "Bearer " + "x" * 5000,
        "Bearer wp_\x00x",
        "Basic cm9vdDpyb290",
        "Token wp_x",
    ],
)
def test_it_rejects_what_is_no_token(well_known, header: str) -> None:
    response = Api()("GET", "domains/", Authorization=header)
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith('Bearer realm="Waypost"')


def test_it_rejects_half_a_token(api: Api) -> None:
    for text in (api.token[:-1], api.token + "x", api.token[:11] + "x" * 35, api.token.upper()):
        assert Api(text)("GET", "domains/").status_code == 401


def test_it_rejects_an_expired_token(api: Api) -> None:
    ApiToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    response = api("GET", "domains/")
    assert response.status_code == 401
    assert 'error="invalid_token"' in response["WWW-Authenticate"]


def test_it_rejects_a_user_who_may_not_log_in(api: Api, root: User) -> None:
    root.is_active = False
    root.save()
    assert api("GET", "domains/").status_code == 401


def test_the_time_of_use_is_noted_once_a_minute(api: Api) -> None:
    api("GET", "domains/")
    first = ApiToken.objects.get().last_used
    api("GET", "domains/")
    assert ApiToken.objects.get().last_used == first


def test_a_session_is_no_token(root: User) -> None:
    browser = Client()
    browser.force_login(root)
    assert browser.get("/api/v1/domains/").status_code == 401
    assert browser.post("/api/v1/domains/", {}, "application/json").status_code == 401


def test_wrong_tokens_are_slowed_down_and_right_ones_are_not(api: Api) -> None:
    for _ in range(FAILURES):
        assert Api("wp_wrong")("GET", "domains/").status_code == 401
    response = Api("wp_wrong")("GET", "domains/")
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= PERIOD_S + 1
    assert api("GET", "domains/").status_code == 200
    assert len(FAILED.seen) == 1


def test_failures_are_forgotten_and_bounded() -> None:
    now = 0.0
    failures = Failures(lambda: now)
    for _ in range(FAILURES):
        assert failures.note("192.0.2.1") == 0
    assert failures.note("192.0.2.1") == PERIOD_S
    now = PERIOD_S
    assert failures.note("192.0.2.1") == 0
    for number in range(CLIENTS + 10):
        failures.note(f"client {number}")
    assert len(failures.seen) == CLIENTS
