"""The doors: / leads to the panel, the login page comes with its rules and static files."""

from __future__ import annotations

import logging.config

import pytest
from django.conf import settings
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


def test_a_page_that_is_not_there_leads_back(admin_client: Client) -> None:
    page = admin_client.get("/admin/nosuch/")
    assert page.status_code == 404
    assert "There is no such page" in page.text
    assert 'href="/admin/"' in page.text


def test_a_page_that_is_forbidden_says_so_and_the_log_in_one_line(
    client: Client, django_user_model, capsys: pytest.CaptureFixture[str]
) -> None:
    client.force_login(django_user_model.objects.create_user("sam", is_staff=True))
    logging.config.dictConfig(settings.LOGGING)  # its stream is what standard output is now
    page = client.get("/admin/panel/domain/")
    assert page.status_code == 403
    assert "You may not see this page" in page.text
    said = capsys.readouterr().out
    assert said == "WARNING django.request Forbidden (Permission denied): /admin/panel/domain/\n"


def test_an_unknown_host_is_refused(client: Client) -> None:
    assert client.get("/admin/login/", headers={"host": "evil.example"}).status_code == 400
