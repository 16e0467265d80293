"""The DNS as one transport sees it: records that count, names that are completed."""

from __future__ import annotations

from collections.abc import Iterator

import dns.name
import pytest

from delivery.agents.hosts import AllDropped
from delivery.config import Endpoint
from delivery.policy.facts import DnsUnavailable, Mx
from delivery.runtime.clientdns import ClientDns
from delivery.runtime.resolver import Resolver
from tables.formats.regexp import open_regexp
from tables.reading.lookup import Maps
from tests.delivery.runtime.asynchronous import asynchronous
from tests.wire.dnsserver import DnsServer


@pytest.fixture
def names() -> Iterator[DnsServer]:
    with DnsServer() as server:
        server.add("far.example", "MX", "10 a.far.example.", "20 b.far.example.")
        server.add("a.far.example", "A", "192.0.2.1", "198.51.100.1")
        server.add("a.far.example", "AAAA", "2001:db8::1")
        server.add("other.example", "CNAME", "a.far.example.")
        server.add("none.example", "MX", "0 .")
        yield server


def seen(names: DnsServer, rules: str, *options: str) -> ClientDns:
    resolver = Resolver(Endpoint("127.0.0.1", names.port))
    filters = Maps((("regexp:filter", open_regexp(rules)),)) if rules else Maps(())
    return ClientDns(resolver, options, filters)


@asynchronous
async def test_it_works(names: DnsServer, capfd: pytest.CaptureFixture[str]) -> None:
    client = seen(names, "/^far\\.example\\. 300 IN MX 10 a\\.far\\.example\\.$/ ignore it\n")
    assert await client.mx("far.example") == (Mx(20, "b.far.example"),)
    assert 'ignored="far.example. 300 IN MX 10 a.far.example."' in capfd.readouterr().out
    assert await client.mx("none.example") == (Mx(0, "."),)
    everything = await seen(names, "").mx("far.example")
    assert set(everything) == {Mx(10, "a.far.example"), Mx(20, "b.far.example")}


@pytest.mark.parametrize("name", ["a.far.example", "other.example"])
@asynchronous
async def test_addresses_of_one_family_may_go(names: DnsServer, name: str) -> None:
    client = seen(names, "/^a\\.far\\.example\\. [0-9]+ IN AAAA /\tIGNORE\n/ 198\\./ IGNORE\n")
    assert await client.addresses(name) == ("192.0.2.1",)


@asynchronous
async def test_what_is_dropped_altogether_is_no_lack_of_records(names: DnsServer) -> None:
    client = seen(names, "/./ IGNORE\n")
    with pytest.raises(AllDropped):
        await client.addresses("a.far.example")
    with pytest.raises(AllDropped):
        await client.mx("far.example")
    assert await client.mx("a.far.example") == (), "there was none to drop"


@asynchronous
async def test_a_filter_that_says_nonsense_lets_mail_wait(names: DnsServer) -> None:
    with pytest.raises(DnsUnavailable):
        await seen(names, "/./ REJECT\n").mx("far.example")


@pytest.mark.parametrize(
    ("options", "expected"), [((), ()), (("res_dnsrch",), ("192.0.2.1", "198.51.100.1"))]
)
@asynchronous
async def test_names_may_be_completed(
    names: DnsServer, options: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    resolver = Resolver(Endpoint("127.0.0.1", names.port), families=lambda: ("ipv4",))
    resolver._resolver.search = [dns.name.from_text("far.example")]
    client = ClientDns(resolver, options, Maps(()))
    assert tuple(sorted(await client.addresses("a"))) == expected
    assert tuple(sorted(await client.addresses("a.far.example"))) == ("192.0.2.1", "198.51.100.1")
