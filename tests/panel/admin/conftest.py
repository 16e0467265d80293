"""conftest - who looks at the pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client


@pytest.fixture(autouse=True)
def silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """No real bell: Celery itself reads this variable, and prefers it to its settings."""
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)


@pytest.fixture
def admin(well_known) -> Client:
    """A browser of the first administrator, with CSRF checks off as Django's test client has it."""
    client = Client()
    client.force_login(User.objects.create(username="admin", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def staff(well_known) -> Callable[..., Client]:
    """staff("view_alias", ...) is a browser of somebody who may do just that."""

    def make(*permissions: str, name: str = "sam") -> Client:
        user = User.objects.create(username=name, is_staff=True)
        chosen = Permission.objects.filter(codename__in=permissions)
        assert chosen.count() == len(permissions), permissions
        user.user_permissions.set(chosen)
        client = Client()
        client.force_login(user)
        return client

    return make
