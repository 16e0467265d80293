"""Tokens: issue, find, and everything that makes one invalid."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone

from panel.models import ApiToken
from panel.services.tokens import find_token, issue_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return User.objects.create_user("amy")


def test_it_works(user: User) -> None:
    token, text = issue_token(user, name="backup")
    found = find_token(text)
    assert found == token
    assert found.scope == "write"
    assert found.last_used is not None


def test_the_text_is_not_kept(user: User) -> None:
    token, text = issue_token(user, name="backup")
    row = ApiToken.objects.filter(pk=token.pk).values().get()
    assert text not in str(row)
    assert text[20:] not in str(row)


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "x", lambda t: t.upper()])
def test_it_rejects_another_text(user: User, change) -> None:
    _token, text = issue_token(user, name="backup")
    assert find_token(change(text)) is None


@pytest.mark.parametrize("text", ["", "wp_", "wp_" + "x" * 10_000, "wp_\x00", "bearer"])
def test_it_rejects_nonsense(text: str) -> None:
    assert find_token(text) is None


def test_it_rejects_an_expired_one(user: User) -> None:
    token, text = issue_token(user, name="backup", days=1)
    assert find_token(text) == token
    ApiToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert find_token(text) is None


def test_it_rejects_that_of_a_disabled_user(user: User) -> None:
    _token, text = issue_token(user, name="backup")
    User.objects.update(is_active=False)
    assert find_token(text) is None


def test_it_rejects_an_unknown_scope(user: User) -> None:
    with pytest.raises(ValidationError):
        issue_token(user, name="backup", scope="everything")
