"""The first page, the navigation, and the headers of every page."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from panel.models import Domain, Node, NodeState

INDEX = "/admin/"


def test_it_works(admin: Client) -> None:
    node = Node.objects.create(name="north")
    NodeState.objects.create(
        node=node,
        engine={"queue": {"deferred": 4}, "listeners": ["smtp 127.0.0.1:2525"]},
        engine_reachable=True,
        generation=3,
        checked_at=timezone.now(),
    )
    Domain.objects.create(name="one.example")
    page = admin.get(INDEX).text
    for text in ("Domains", "north", "deferred 4", "smtp 127.0.0.1:2525", "one.example"):
        assert text in page
    assert "Welcome" not in page


def test_a_new_installation_says_where_to_begin(admin: Client) -> None:
    page = admin.get(INDEX).text
    assert "Begin with a domain" in page
    assert "There is no node" in page


def test_everybody_sees_their_part(staff) -> None:
    Domain.objects.create(name="secret.example")
    page = staff().get(INDEX).text
    assert "secret.example" not in page
    assert "Mailboxes" not in page
    page = staff("view_mailbox", name="ann").get(INDEX).text
    assert "Mailboxes" in page
    assert "Domains" not in page
    assert "Recent changes" not in page


def test_nothing_comes_from_elsewhere(admin: Client) -> None:
    for url in (INDEX, reverse("admin:panel_alias_add"), reverse("admin:panel_parameter_add")):
        response = admin.get(url)
        found = re.findall(r'(?:src|href)="(https?:)?//', response.text)
        assert not found, url
        assert "default-src 'self'" in response["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["waypost.css", "waypost.js", "favicon.svg"])
def test_our_files_are_found(name: str) -> None:
    path = apps.get_app_config("panel").path
    with open(f"{path}/static/panel/{name}", encoding="utf-8") as file:
        assert file.read().strip()


def test_a_user_who_is_no_administrator_sees_nothing(client: Client, django_user_model) -> None:
    client.force_login(django_user_model.objects.create_user("visitor"))
    assert client.get(INDEX).status_code == 302
    assert client.get(reverse("admin:panel_status")).status_code == 302
