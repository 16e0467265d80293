"""The same POST with the same key is done once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from panel.models import ApiToken, Domain, IdempotentRequest
from panel.services.tokens import issue_token
from tests.panel.api.client import Api

BODY = {"name": "example.com", "kind": "relay"}


def test_it_works(api: Api) -> None:
    first = api("POST", "domains/", BODY, Idempotency_Key='"one"')
    again = api("POST", "domains/", BODY, Idempotency_Key="one")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    for name in ("ETag", "Location", "Waypost-Revision"):
        assert again[name] == first[name]
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert Domain.objects.count() == 1


def test_the_order_of_fields_means_nothing(api: Api) -> None:
    api.add("domains/", BODY, Idempotency_Key="one")
    turned = dict(reversed(BODY.items()))
    assert api("POST", "domains/", turned, Idempotency_Key="one").status_code == 201


def test_another_request_under_the_key_is_refused(api: Api) -> None:
    api.add("domains/", BODY, Idempotency_Key="one")
    for path, body in (("domains/", {**BODY, "name": "b.test"}), ("domains/bulk/", BODY)):
        assert api("POST", path, body, Idempotency_Key="one").status_code == 422
    assert Domain.objects.count() == 1


def test_a_failed_request_may_be_tried_again(api: Api) -> None:
    assert api("POST", "domains/", {"name": "a b"}, Idempotency_Key="one").status_code == 400
    assert not IdempotentRequest.objects.exists()
    assert api("POST", "domains/", BODY, Idempotency_Key="one").status_code == 201


def test_keys_are_each_users_own(api: Api) -> None:
    api.add("domains/", BODY, Idempotency_Key="one")
    other = Api(issue_token(User.objects.create_superuser("other"), name="x")[1])
    assert other("POST", "domains/", BODY, Idempotency_Key="one").status_code == 409


def test_a_dry_run_uses_no_key(api: Api) -> None:
    api.add("domains/?dry_run=true", BODY, Idempotency_Key="one")
    assert not IdempotentRequest.objects.exists()
    assert api("POST", "domains/", BODY, Idempotency_Key="one").status_code == 201


def test_answers_are_let_go_after_a_day(api: Api) -> None:
    api.add("domains/", BODY, Idempotency_Key="one")
    old = timezone.now() - timedelta(hours=25)
    IdempotentRequest.objects.update(created=old)
    api.add("domains/", {**BODY, "name": "b.test"}, Idempotency_Key="two")
    assert [each.key for each in IdempotentRequest.objects.all()] == ["two"]
    IdempotentRequest.objects.update(created=old)
    api.add("domains/", {**BODY, "name": "c.test"}, Idempotency_Key="two")
    assert Domain.objects.count() == 3


def test_secrets_are_not_kept(api: Api) -> None:
    first = api.add("tokens/", {"name": "x"}, Idempotency_Key="one")
    again = api.add("tokens/", {"name": "x"}, Idempotency_Key="one")
    assert first["token"].startswith("wp_")
    assert again["token"] is None
    assert again["id"] == first["id"]
    assert first["token"] not in str(IdempotentRequest.objects.values())
    assert ApiToken.objects.filter(name="x").count() == 1


def test_passwords_cannot_be_guessed_from_what_is_kept(api: Api, settings) -> None:
    api.add("domains/", {"name": "example.com", "kind": "virtual_mailbox"})
    body = {"address": "joe@example.com", "password": "hunter2"}
    api.add("mailboxes/", body, Idempotency_Key="one")
    digest = IdempotentRequest.objects.get().request_digest
    settings.SECRET_KEY = "another" * 8
    assert api("POST", "mailboxes/", body, Idempotency_Key="one").status_code == 422
    assert IdempotentRequest.objects.get().request_digest == digest


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "ä"])
def test_it_refuses_other_keys(api: Api, key: str) -> None:
    assert api("POST", "domains/", BODY, Idempotency_Key=key).status_code == 400
    assert not Domain.objects.exists()
