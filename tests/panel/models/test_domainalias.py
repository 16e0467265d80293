"""Other names of domains: what they may be, for forms and for the database."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from panel.models import Change, Domain, DomainAlias

pytestmark = pytest.mark.django_db


@pytest.fixture
def domain() -> Domain:
    return Domain.objects.create(name="example.com")


def make(domain: Domain, name: str = "example.org") -> DomainAlias:
    alias = DomainAlias(name=name, domain=domain)
    alias.full_clean()
    alias.save()
    return alias


def test_it_works(domain: Domain) -> None:
    alias = make(domain, "Bücher.Example")
    assert (alias.name, str(alias)) == ("xn--bcher-kva.example", "bücher.example")
    assert [each.model for each in Change.objects.order_by("-pk")[:1]] == ["domainalias"]


@pytest.mark.parametrize("name", ["", "a b.example", "192.0.2.1", "example.com", "EXAMPLE.com"])
def test_it_rejects_what_cannot_be_one(domain: Domain, name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make(domain, name)
    assert "name" in caught.value.message_dict


def test_a_domain_of_that_name_comes_no_more(domain: Domain) -> None:
    make(domain)
    with pytest.raises(ValidationError, match=r"another name of example\.com"):
        Domain(name="example.org").full_clean()


@pytest.mark.parametrize(
    ("rule", "write"),
    [
        ("own", lambda domain: DomainAlias.objects.create(name="example.com", domain=domain)),
        ("another name", lambda _: Domain.objects.create(name="example.org")),
        ("another name", lambda domain: Domain.objects.update(name="example.org")),
        ("relay", lambda _: Domain.objects.update(kind="relay")),
        ("form", lambda domain: DomainAlias.objects.create(name="UP.example", domain=domain)),
    ],
)
def test_the_database_rejects_what_did_not_go_through_clean(domain, rule, write) -> None:
    make(domain)
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        write(domain)


def test_a_relay_domain_has_none() -> None:
    relay = Domain.objects.create(name="relay.example", kind="relay")
    with pytest.raises(ValidationError) as caught:
        make(relay)
    assert "relay domain of its own" in caught.value.message_dict["domain"][0]
    with pytest.raises(IntegrityError, match="relay"), transaction.atomic():
        DomainAlias.objects.create(name="example.org", domain=relay)


def test_many_at_once_need_one_lock(domain: Domain) -> None:
    names = [f"n{number}.example" for number in range(9000)]  # more than a server has locks
    Domain.objects.bulk_create([Domain(name=name) for name in names])
    DomainAlias.objects.bulk_create(
        [DomainAlias(name=f"also-{name}", domain=domain) for name in names]
    )
    assert DomainAlias.objects.count() == len(names)
