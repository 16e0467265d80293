"""Mailboxes: addresses, passwords, quotas."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from panel.models import Domain, Mailbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def domain() -> Domain:
    return Domain.objects.create(name="example.com")


def make(domain: Domain, local_part: str = "joe", **fields: object) -> Mailbox:
    mailbox = Mailbox(domain=domain, local_part=local_part, **fields)
    mailbox.full_clean()
    mailbox.save()
    return mailbox


def test_it_works(domain: Domain) -> None:
    mailbox = make(domain, "Joe.Smith")
    mailbox.refresh_from_db()
    assert mailbox.address == "joe.smith@example.com"
    assert mailbox.quota_bytes is None


def test_it_takes_a_local_part_that_needs_quotes(domain: Domain) -> None:
    assert make(domain, "joe smith").address == "joe smith@example.com"


def test_it_takes_utf8(domain: Domain) -> None:
    assert make(domain, "Jürgen").address == "jürgen@example.com"


@pytest.mark.parametrize("local_part", ["", "x" * 65, "a\tb"])
def test_it_rejects_what_is_no_local_part(domain: Domain, local_part: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make(domain, local_part)
    assert "local_part" in caught.value.message_dict


def test_it_rejects_the_same_address_twice(domain: Domain) -> None:
    make(domain)
    with pytest.raises(ValidationError):
        make(domain, "JOE")


@pytest.mark.parametrize("kind", ["relay", "virtual_alias"])
def test_it_rejects_a_domain_that_has_no_mailboxes(kind: str) -> None:
    domain = Domain.objects.create(name="other.example", kind=kind)
    with pytest.raises(ValidationError, match="no mailboxes"):
        make(domain)
    with pytest.raises(IntegrityError), transaction.atomic():
        Mailbox.objects.create(domain=domain, local_part="joe")


def test_the_address_is_joined_for_raw_sql_too(domain: Domain) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO panel_mailbox (domain_id, local_part, address) VALUES (%s, 'amy', 'x')",
            [domain.pk],
        )
    assert Mailbox.objects.get().address == "amy@example.com"


def test_a_password_is_kept_as_argon2_only(domain: Domain) -> None:
    mailbox = make(domain)
    assert not mailbox.check_password("")
    mailbox.set_password("correct horse")
    mailbox.save()
    assert mailbox.password.startswith("$argon2id$")
    assert mailbox.check_password("correct horse")
    assert not mailbox.check_password("wrong")
    with pytest.raises(IntegrityError), transaction.atomic():
        Mailbox.objects.update(password="in clear")


@pytest.mark.parametrize("quota", [0, -1])
def test_it_rejects_a_quota_that_is_none(domain: Domain, quota: int) -> None:
    with pytest.raises(ValidationError):
        make(domain, quota_bytes=quota)
    with pytest.raises(IntegrityError), transaction.atomic():
        Mailbox.objects.create(domain=domain, local_part="amy", quota_bytes=quota)
