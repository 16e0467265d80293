"""admin/journal: where a message went."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from panel.models import JournalEvent, Node

pytestmark = pytest.mark.django_db
LIST = "/admin/panel/journalevent/"


@pytest.fixture
def node() -> Node:
    return Node.objects.create(name="here")


def event(node: Node, name: str, **values: object) -> JournalEvent:
    given = {"queue_id": "4jX", "recipient": "joe@ex.test", "details": {}} | values
    return JournalEvent.objects.create(node=node, at=timezone.now(), event=name, **given)


def test_it_works(admin_client: Client, node: Node) -> None:
    event(node, "accepted", sender="ann@sender.test")
    shown = event(node, "delivered", details={"reason": "delivered to maildir"})

    page = admin_client.get(LIST).content.decode()
    assert "delivered to maildir" in page

    page = admin_client.get(f"{LIST}{shown.pk}/change/").content.decode()
    assert "ann@sender.test" in page  # the other event of the same message
    assert "delivered to maildir" in page


def test_the_list_says_whom_a_message_was_for(admin_client: Client, node: Node) -> None:
    names = {"original_recipients": ["sales@ex.test"], "queued_recipients": ["joe@ex.test"]}
    event(node, "accepted", recipient="", details=names)
    event(node, "accepted", recipient="", details={"original_recipients": ["ann@ex.test"]})
    page = admin_client.get(LIST).content.decode()
    assert "sales@ex.test → joe@ex.test" in page
    assert "ann@ex.test →" not in page
    assert "2\n    message events" in page


def test_the_null_sender_is_named(admin_client: Client, node: Node) -> None:
    event(node, "deferred")
    event(node, "reported", queue_id="4jY", details={"kind": "failed"})
    event(node, "rejected", queue_id="")  # before MAIL, for example
    page = admin_client.get(LIST).content.decode()
    assert page.count("&lt;&gt;") == 1


def test_an_empty_log_is_good_english(admin_client: Client) -> None:
    assert "No message events yet" in admin_client.get(LIST).content.decode()


@pytest.mark.parametrize("words", ["4jX", "joe@", "joe@ex.test"])
def test_it_finds_by_queue_id_and_address(admin_client: Client, node: Node, words: str) -> None:
    event(node, "delivered")
    event(node, "bounced", queue_id="other", recipient="zoe@ex.test")

    page = admin_client.get(LIST, {"q": words}).content.decode()

    assert "joe@ex.test" in page
    assert "zoe@ex.test" not in page


def test_it_shows_a_refusal_without_queue_id_alone(admin_client: Client, node: Node) -> None:
    event(node, "rejected", queue_id="", recipient="first@ex.test")
    second = event(node, "rejected", queue_id="", recipient="second@ex.test")

    page = admin_client.get(f"{LIST}{second.pk}/change/").content.decode()

    assert "second@ex.test" in page
    assert "first@ex.test" not in page


def test_it_escapes_what_outsiders_wrote(admin_client: Client, node: Node) -> None:
    hostile = event(node, "rejected", sender="<script>alert(1)</script>@x", details={"helo": "<b>"})

    for place in (LIST, f"{LIST}{hostile.pk}/change/"):
        page = admin_client.get(place).content.decode()
        assert "<script>alert(1)" not in page
        assert "<b>" not in page


def test_nobody_changes_it(admin_client: Client, node: Node) -> None:
    shown = event(node, "delivered")
    for place in (f"{LIST}add/", f"{LIST}{shown.pk}/delete/"):
        assert admin_client.post(place, {"post": "yes"}).status_code == 403
    assert JournalEvent.objects.count() == 1


def test_it_asks_for_the_permission_to_look(
    client: Client, node: Node, django_user_model: type
) -> None:
    user = django_user_model.objects.create_user("clerk", password="x", is_staff=True)
    client.force_login(user)
    assert client.get(LIST).status_code == 403
    assert LIST not in client.get(reverse("admin:index")).content.decode()
