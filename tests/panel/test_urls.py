"""The doors: / leads to the panel, the login page comes with its rules and static files."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db


def test_it_works(client: Client) -> None:
    response = client.get("/")
    assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_the_login_page(client: Client, settings) -> None:
    User.objects.create_superuser("amy", password="correct horse")
    page = client.get("/admin/login/")
    assert page.status_code == 200
    assert page["X-Frame-Options"] == "DENY"
    assert page["X-Content-Type-Options"] == "nosniff"
    said = client.post("/admin/login/", {"username": "amy", "password": "correct horse"})
    assert said.status_code == 302
    cookie = said.cookies[settings.SESSION_COOKIE_NAME]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_static_files_are_served_without_collectstatic(client: Client) -> None:
    response = client.get("/static/admin/js/core.js")
    assert response.status_code == 200
    assert b"function" in b"".join(response.streaming_content)
    response.close()


def test_an_unknown_host_is_refused(client: Client) -> None:
    assert client.get("/admin/login/", headers={"host": "evil.example"}).status_code == 400
