"""beginning - what a new installation starts with: an administrator, a node and a small example.

RULES        done once, when there is no user yet; the node is seen to on every start.
             The password is WAYPOST_ADMIN_PASSWORD or a random one that the caller prints once.
SOURCE       RFC 2606 2 (example domains); DESIGN 4
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from panel.choices import DomainKind, Source
from panel.constants import DEFAULT_NODE
from panel.models import Domain, Mailbox, Node, VirtualEntry
from panel.services.changes import acting

ADMIN = "admin"
DEMO_DOMAIN = "example.test"
DEMO_MAILBOX = "joe"


@dataclass(frozen=True, slots=True)
class Beginning:
    """What was made; `password` is '' when it was given."""

    user: str
    password: str
    mailbox: str
    mailbox_password: str


def begin() -> Beginning | None:
    """Sets up a new installation; None when it has users already."""
    with transaction.atomic():
        Node.objects.get_or_create(name=DEFAULT_NODE, defaults={"description": "This machine."})
        users = get_user_model().objects
        if users.exists():
            return None
        given = settings.WAYPOST_ADMIN_PASSWORD
        password = given or secrets.token_urlsafe(12)
        users.create_superuser(ADMIN, password=password)
        mailbox_password = secrets.token_urlsafe(12)
        with acting(ADMIN, Source.COMMAND):
            mailbox = _make_example(mailbox_password)
    return Beginning(ADMIN, "" if given else password, mailbox.address, mailbox_password)


def _make_example(password: str) -> Mailbox:
    """A domain with one mailbox, and a second name for it."""
    domain, _made = Domain.objects.get_or_create(
        name=DEMO_DOMAIN,
        defaults={"kind": DomainKind.VIRTUAL_MAILBOX, "description": "An example to play with."},
    )
    mailbox = Mailbox(domain=domain, local_part=DEMO_MAILBOX, full_name="Joe Example")
    mailbox.set_password(password)
    mailbox.full_clean()
    mailbox.save()
    second = VirtualEntry(key=f"info@{DEMO_DOMAIN}", value=mailbox.address)
    second.full_clean()
    second.save()
    return mailbox
