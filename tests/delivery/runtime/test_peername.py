"""The names of a client."""

from __future__ import annotations

import pytest

from delivery.runtime.peername import look_up
from delivery.values import Client
from tests.delivery.runtime.asynchronous import asynchronous
from tests.delivery.twins_policy import MemoryResolver

CLIENT = Client(address="192.0.2.7", port=4000)


def resolver(*records: tuple[str, str, str]) -> MemoryResolver:
    found = MemoryResolver()
    for name, kind, data in records:
        found.add(name, kind, data)
    return found


async def names(found: MemoryResolver) -> tuple[str, str, bool]:
    client = await look_up(CLIENT, found)
    assert (client.address, client.port) == (CLIENT.address, CLIENT.port)
    return client.name, client.reverse_name, client.forward_error


@asynchronous
async def test_it_works() -> None:
    found = resolver(("192.0.2.7", "PTR", "mx.example.com"), ("mx.example.com", "A", "192.0.2.7"))
    assert await names(found) == ("mx.example.com", "mx.example.com", False)


@asynchronous
async def test_a_name_must_lead_back() -> None:
    found = resolver(
        ("192.0.2.7", "PTR", "mx.bank.example"), ("mx.bank.example", "A", "198.51.100.1")
    )
    assert await names(found) == ("unknown", "mx.bank.example", False)
    assert await names(resolver(("192.0.2.7", "PTR", "mx.bank.example"))) == (
        "unknown",
        "mx.bank.example",
        False,
    )


@asynchronous
async def test_without_a_name_it_is_unknown() -> None:
    assert await names(resolver()) == ("unknown", "unknown", False)


@asynchronous
async def test_unknown_for_now_is_not_unknown_for_good() -> None:
    found = resolver(("192.0.2.7", "PTR", "mx.example.com"))
    found.broken = {"mx.example.com"}
    assert await names(found) == ("unknown", "mx.example.com", True)
    found.broken = {"192.0.2.7"}
    assert await names(found) == ("unknown", "unknown", True)


@pytest.mark.parametrize(
    "lie",
    ["192.0.2.7", "a b.example", "x]\\010.example", "-x.example", ".", "x" * 300, "*.example"],
)
@asynchronous
async def test_it_believes_host_names_only(lie: str) -> None:
    found = resolver(("192.0.2.7", "PTR", lie), (lie, "A", "192.0.2.7"))
    assert await names(found) == ("unknown", "unknown", False)
