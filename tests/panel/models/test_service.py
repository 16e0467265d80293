"""Services: lines of master.cf with their overrides."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from panel.models import Service
from tables.services import parse_service

pytestmark = pytest.mark.django_db


def make(**fields: object) -> Service:
    service = Service(**{"name": "587", "type": "inet", "command": "smtpd"} | fields)
    service.full_clean()
    service.save()
    return service


def test_it_works() -> None:
    service = make(private=False, overrides={"smtpd_helo_required": "yes"})
    service.refresh_from_db()
    line = "587 inet n - n - - smtpd -o smtpd_helo_required=yes"
    assert service.record == parse_service(line)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "70000"}, "port"),
        ({"wakeup": "soon"}, "wake-up"),
        ({"command": " "}, "command"),
        ({"overrides": {"smtpd_helo_require": "yes"}}, "smtpd_helo_required"),
        ({"overrides": {"smtpd_helo_required": "perhaps"}}, "smtpd_helo_required"),
        ({"overrides": ["x"]}, "names and texts"),
        ({"overrides": {"myhostname": 5}}, "names and texts"),
    ],
)
def test_it_rejects(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make(**fields)
    assert words in str(caught.value)


def test_it_rejects_the_same_twice() -> None:
    make()
    with pytest.raises(ValidationError, match="already"):
        make()
    with pytest.raises(IntegrityError), transaction.atomic():
        Service.objects.create(name="587", type="inet", command="smtpd")
