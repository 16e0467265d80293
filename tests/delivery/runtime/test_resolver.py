"""The DNS, asked over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.config import Endpoint
from delivery.policy.facts import DnsUnavailable, Mx
from delivery.runtime import resolver as module
from delivery.runtime.hostsfile import HostsFile
from delivery.runtime.resolver import Cache, Question, Records, Resolver
from tests.delivery.runtime.asynchronous import asynchronous, until
from tests.wire.dnsserver import DnsServer

HERE = Records("here.example", 60, ("192.0.2.1",))


@pytest.fixture
def names() -> Iterator[DnsServer]:
    with DnsServer() as server:
        yield server


def made(names: DnsServer, hosts: Path = Path("/nonexistent"), **more: object) -> Resolver:
    endpoint = Endpoint("127.0.0.1", names.port)
    return Resolver(endpoint, hosts=HostsFile(hosts), **more)  # type: ignore[arg-type]


@asynchronous
async def test_it_works(names: DnsServer) -> None:
    names.add("example.com", "MX", "20 b.example.com.", "10 a.example.com.")
    names.add("example.com", "NS", "ns.example.com.")
    names.add("example.com", "TXT", '"v=spf1 " "-all"')
    names.add("a.example.com", "A", "192.0.2.1", "192.0.2.2")
    names.add("a.example.com", "AAAA", "2001:db8::1")
    names.add("1.2.0.192.in-addr.arpa", "PTR", "a.example.com.")
    asked = made(names)
    assert set(await asked.mx("Example.COM.")) == {
        Mx(10, "a.example.com"),
        Mx(20, "b.example.com"),
    }
    assert await asked.ns("example.com") == ("ns.example.com",)
    assert await asked.txt("example.com") == ("v=spf1 -all",)
    assert set(await asked.a("a.example.com")) == {"192.0.2.1", "192.0.2.2"}
    assert (await asked.addresses("a.example.com"))[-1] == "2001:db8::1"  # IPv4 comes first
    assert set(await asked.addresses("a.example.com")) == {
        "2001:db8::1",
        "192.0.2.1",
        "192.0.2.2",
    }
    assert await asked.ptr("192.0.2.1") == ("a.example.com",)


@asynchronous
async def test_nothing_is_a_definite_answer(names: DnsServer) -> None:
    names.add("example.com", "A", "192.0.2.1")
    asked = made(names)
    assert await asked.mx("example.com") == ()  # the name exists, the record does not
    assert await asked.mx("nowhere.example") == ()  # NXDOMAIN
    for odd in ("", ".", "x..y", "x" * 64 + ".example", "a." * 200, "bad\\999", "grüße.example"):
        assert await asked.a(odd) == (), odd
    assert await asked.ptr("not an address") == ()


@asynchronous
async def test_it_follows_aliases(names: DnsServer) -> None:
    names.add("www.example.com", "CNAME", "real.example.com.")
    names.add("real.example.com", "A", "192.0.2.1")
    names.add("loose.example.com", "CNAME", "nowhere.example.")
    names.add("round.example.com", "CNAME", "round.example.com.")
    asked = made(names)
    assert await asked.a("www.example.com") == ("192.0.2.1",)
    assert await asked.a("loose.example.com") == ()
    with pytest.raises(DnsUnavailable):
        await asked.a("round.example.com")


@pytest.mark.parametrize(
    "behaviour", ["servfail", "refused", "garbage", "other-id", "other-question", "hang"]
)
@asynchronous
async def test_it_cannot_tell(names: DnsServer, behaviour: str) -> None:
    names.add("bad.example", "A", "192.0.2.66")
    names.add("other.example", "A", "192.0.2.66")
    names.behaviour["bad.example"] = behaviour
    asked = made(names, lifetime_s=0.5)
    started = time.monotonic()
    with pytest.raises(DnsUnavailable, match=r"bad\.example A"):
        await asked.a("bad.example")
    assert time.monotonic() - started < 5
    names.behaviour.clear()
    assert await asked.a("bad.example") == ("192.0.2.66",)  # trouble is not kept


@asynchronous
async def test_a_cut_answer_is_asked_for_again(names: DnsServer) -> None:
    names.add("many.example", "A", *[f"192.0.2.{number}" for number in range(1, 200)])
    names.behaviour["many.example"] = "truncated"
    assert len(await made(names).a("many.example")) == module.RECORDS


@asynchronous
async def test_answers_are_kept_for_their_time(names: DnsServer) -> None:
    now = [1000.0]
    names.add("example.com", "A", "192.0.2.1")
    asked = made(names, clock=lambda: now[0])
    await asked.a("example.com")
    await asked.a("EXAMPLE.com")
    assert names.asked == [("example.com", "A")]
    now[0] += names.ttl + 1
    await asked.a("example.com")
    assert names.asked == [("example.com", "A")] * 2
    await asked.a("nowhere.example")
    await asked.a("nowhere.example")
    assert names.asked[2:] == [("nowhere.example", "A")]
    now[0] += module.NEGATIVE_TTL + 1
    await asked.a("nowhere.example")
    assert len(names.asked) == 4


@asynchronous
async def test_equal_questions_are_asked_once(names: DnsServer) -> None:
    names.add("example.com", "A", "192.0.2.1")
    asked = made(names)
    answers = await asyncio.gather(*(asked.a("example.com") for _ in range(50)))
    assert set(answers) == {("192.0.2.1",)}
    assert names.asked == [("example.com", "A")]


@asynchronous
async def test_whoever_stops_waiting_does_not_stop_the_others(names: DnsServer) -> None:
    names.add("example.com", "A", "192.0.2.1")
    asked = made(names)
    first = asyncio.create_task(asked.a("example.com"))
    second = asyncio.create_task(asked.a("example.com"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == ("192.0.2.1",)


@asynchronous
async def test_questions_on_their_way_are_bounded(names: DnsServer) -> None:
    more = module.QUESTIONS + 20
    for number in range(more):
        names.behaviour[f"n{number}.example"] = "wait"
    asked = made(names, lifetime_s=30.0)
    questions = [asyncio.create_task(asked.a(f"n{n}.example")) for n in range(more)]
    await until(lambda: len(set(names.asked)) >= module.QUESTIONS)
    assert len(set(names.asked)) == module.QUESTIONS  # the others wait their turn
    names.gate.set()
    assert set(await asyncio.gather(*questions)) == {()}
    assert len(set(names.asked)) == more


@asynchronous
async def test_one_family_is_enough(names: DnsServer) -> None:
    names.add("four.example", "A", "192.0.2.4")
    names.add("six.example", "AAAA", "2001:db8::6")
    asked = made(names)
    assert await asked.addresses("four.example") == ("192.0.2.4",)
    assert await asked.addresses("six.example") == ("2001:db8::6",)
    only4 = made(names, families=lambda: ("ipv4",))
    assert await only4.addresses("six.example") == ()
    assert ("six.example", "A") in names.asked


@asynchronous
async def test_the_hosts_file_comes_first(names: DnsServer, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.9 here.example here # us\nnonsense\n::1 here.example\n")
    names.add("here.example", "A", "192.0.2.66")
    asked = made(names, hosts)
    assert await asked.addresses("here.example") == ("192.0.2.9", "::1")
    assert await asked.addresses("HERE") == ("192.0.2.9",)
    assert await asked.ptr("192.0.2.9") == ("here.example",)
    assert await asked.a("here.example") == ("192.0.2.66",)  # the DNS alone
    hosts.write_text("192.0.2.10  here.example\n")
    assert await asked.addresses("here.example") == ("192.0.2.10",)


@asynchronous
async def test_it_follows_the_systems_list_of_servers(tmp_path: Path) -> None:
    listed = tmp_path / "resolv.conf"
    listed.write_text("nameserver 192.0.2.53\n")
    asked = Resolver(hosts=HostsFile(tmp_path / "none"), resolv_conf=listed)
    assert asked._resolver.nameservers == ["192.0.2.53"]
    listed.write_text("nameserver 192.0.2.54\noptions timeout:1\n")
    asked._follow_system()
    assert asked._resolver.nameservers == ["192.0.2.54"]
    nowhere = Resolver(hosts=HostsFile(tmp_path / "none"), resolv_conf=tmp_path / "none")
    assert nowhere._resolver.nameservers == ["127.0.0.1"]


@asynchronous
async def test_the_dns_alone(names: DnsServer, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.7 a.example.com\n")
    names.add("a.example.com", "A", "192.0.2.1")
    asked = made(names, hosts)
    assert await asked.addresses("a.example.com") == ("192.0.2.7",)
    assert await asked.addresses("a.example.com", dns_alone=True) == ("192.0.2.1",)


def test_the_cache_is_bounded() -> None:
    now = [0.0]
    cache = Cache(lambda: now[0])
    for number in range(module.CACHE + 100):
        cache.put(Question(f"n{number}", "A"), HERE, 60)
    assert len(cache) == module.CACHE
    assert cache.get(Question("n0", "A")) is None
    assert cache.get(Question(f"n{module.CACHE + 99}", "A")) == HERE
    for number in range(1000):
        cache.put(Question(f"t{number}", "TXT"), Records("t", 60, ("x" * 60_000,)), 60)
    assert len(cache) < module.CACHE_BYTES / 60_000
    now[0] = 61
    assert cache.get(Question("t999", "TXT")) is None
    cache.put(Question("zero", "A"), HERE, 0)
    assert cache.get(Question("zero", "A")) is None
