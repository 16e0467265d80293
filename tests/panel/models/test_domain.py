"""Domains: names, kinds, and what becomes of their mailboxes."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from panel.models import Domain, Mailbox

pytestmark = pytest.mark.django_db


def make(name: str = "example.com", **fields: object) -> Domain:
    domain = Domain(name=name, **fields)
    domain.full_clean()
    domain.save()
    return domain


def test_it_works() -> None:
    domain = make(" Example.COM. ".strip())
    assert domain.name == "example.com"
    assert domain.kind == "virtual_mailbox"
    assert domain.enabled


def test_it_stores_a_labels_and_shows_unicode() -> None:
    domain = make("Bücher.example")
    assert domain.name == "xn--bcher-kva.example"
    assert str(domain) == "bücher.example"


@pytest.mark.parametrize("name", ["", "-a.example", "a..b", "192.0.2.1", "a b.example", "x" * 64])
def test_it_rejects_what_is_no_name(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make(name)
    assert "name" in caught.value.message_dict


def test_it_rejects_a_second_one_in_other_case() -> None:
    make("example.com")
    with pytest.raises(ValidationError):
        make("EXAMPLE.com")


@pytest.mark.parametrize("fields", [{"name": "UPPER.example"}, {"name": "a.b", "kind": "odd"}])
def test_the_database_rejects_what_did_not_go_through_clean(fields: dict[str, str]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Domain.objects.create(**fields)


def test_a_renamed_domain_takes_its_mailboxes_along() -> None:
    domain = make()
    mailbox = Mailbox.objects.create(domain=domain, local_part="joe")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE panel_domain SET name = 'example.net' WHERE id = %s", [domain.pk])
    mailbox.refresh_from_db()
    assert mailbox.address == "joe@example.net"


def test_a_domain_with_mailboxes_stays_of_a_kind_that_has_them() -> None:
    domain = make()
    Mailbox.objects.create(domain=domain, local_part="joe")
    domain.kind = "relay"
    with pytest.raises(ValidationError, match="mailboxes"):
        domain.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        Domain.objects.update(kind="relay")
    Domain.objects.update(kind="local")
