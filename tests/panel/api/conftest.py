"""conftest - users with tokens."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User

from panel.api.authentication import FAILED
from panel.services.tokens import issue_token
from tests.panel.api.client import Api


@pytest.fixture(autouse=True)
def no_failures() -> None:
    """Nobody has come with a wrong token yet."""
    FAILED.seen.clear()


@pytest.fixture
def root(well_known) -> User:
    """A superuser."""
    return User.objects.create_superuser("root")


@pytest.fixture
def api(root: User) -> Api:
    """The API as a superuser."""
    return Api(issue_token(root, name="tests")[1])


@pytest.fixture
def reader(root: User) -> Api:
    """The API with a superuser's token that may only read."""
    return Api(issue_token(root, name="tests", scope="read")[1])


@pytest.fixture
def amy(well_known) -> User:
    """A user without any permission."""
    return User.objects.create_user("amy")


@pytest.fixture
def as_amy(amy: User) -> Api:
    """The API as that user."""
    return Api(issue_token(amy, name="tests")[1])


def grant(user: User, *codenames: str) -> None:
    """Gives permissions of the panel: view_domain ..."""
    for codename in codenames:
        user.user_permissions.add(
            Permission.objects.get(codename=codename, content_type__app_label="panel")
        )
