"""Whom the SMTP agent goes to: fallback relays, loops, limits, LMTP next hops."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from delivery.agents.base import Agent, Delivery, Result, settle
from delivery.agents.hosts import AllDropped
from delivery.agents.nexthop import parse_lmtp_nexthop
from delivery.agents.remote import RemoteAgent
from delivery.values import Status
from tests.delivery.agents.peer import Dns, Mx, Peer, serving
from tests.delivery.agents.remotes import LOCAL, letter, make, remote_agent, summary
from tests.delivery.spool.messages import asynchronous

OTHER = "127.0.0.2"
BUSY = "421 4.3.2 busy"


def with_fallback(peer: Peer, dns: Dns, **settings: object) -> RemoteAgent:
    return make(peer, dns, smtp_fallback_relay=(f"[{OTHER}]",), **settings)


@pytest.mark.parametrize(
    "dns",
    [
        Dns({"far.example": [Mx(10, ".")]}),
        Dns(),  # no such domain
        Dns(broken=["far.example"]),
        Dns({"far.example": [Mx(10, "mx.far.example")]}, {"mx.far.example": [LOCAL]}),
    ],
)
def test_a_fallback_relay_takes_what_nobody_else_takes(dns: Dns) -> None:
    @asynchronous
    async def run() -> None:
        async with serving(Peer(greeting=BUSY)) as busy:
            relay = Peer()
            relay.port = busy.port
            async with serving(relay, OTHER):
                [found] = summary(await with_fallback(busy, dns).deliver(letter()))
                assert found[0] == "sent"

    run()


@asynchronous
async def test_next_hops_are_tried_in_turn() -> None:
    async with serving(Peer()) as peer:
        route = replace(letter().route, nexthop=f"down.example, [{LOCAL}]")
        [found] = summary(await make(peer, Dns()).deliver(replace(letter(), route=route)))
        assert found[0] == "sent"


@asynchronous
async def test_the_hosts_file_counts_when_it_is_named() -> None:
    async with serving(Peer()) as peer:
        dns = Dns()
        dns.hosts["far.example"] = LOCAL
        assert summary(await make(peer, dns).deliver(letter()))[0][0] == "bounced"
        for settings in ({"smtp_host_lookup": ("native",)}, {"disable_dns_lookups": True}):
            [found] = summary(await make(peer, dns, **settings).deliver(letter()))
            assert found[0] == "sent"


@asynchronous
async def test_a_fallback_relay_that_is_not_there_is_our_mistake() -> None:
    async with serving(Peer()) as peer:
        agent = make(peer, Dns(), smtp_fallback_relay=("relay.example",))
        [found] = summary(await agent.deliver(letter()))
        assert found[:2] == ("deferred", "4.3.5")
        relayhost = make(peer, Dns(), relayhost="far.example")
        assert summary(await relayhost.deliver(letter()))[0][:2] == ("deferred", "4.3.5")


@asynchronous
async def test_a_backup_exchanger_never_goes_to_the_fallback_relay() -> None:
    dns = Dns(
        {"far.example": [Mx(10, "mx.far.example"), Mx(20, "us.example")]},
        {"mx.far.example": [LOCAL], "us.example": ["192.0.2.10"]},
    )
    async with serving(Peer(greeting=BUSY)) as busy:
        relay = Peer()
        relay.port = busy.port
        async with serving(relay, OTHER):
            agent = make(busy, dns, own=("192.0.2.10",), smtp_fallback_relay=(f"[{OTHER}]",))
            [found] = summary(await agent.deliver(letter()))
            assert found[:2] == ("deferred", "4.3.2")
            assert relay.sessions == 0


class Noting:
    """An agent that takes everything."""

    def __init__(self) -> None:
        self.given: list[Delivery] = []

    async def deliver(self, delivery: Delivery) -> Result:
        self.given.append(delivery)
        return Result(outcomes=settle(delivery.recipients, Status.SENT, "2.0.0", "noted"))


@asynchronous
async def test_the_best_exchanger_may_hand_mail_to_another_transport() -> None:
    noting = Noting()
    agents: dict[str, Agent] = {"best": noting}
    dns = Dns({"far.example": [Mx(10, "us.example")]}, {"us.example": ["192.0.2.10"]})
    for value, expected in (
        ("best:hop", ("sent", "2.0.0")),
        ("gone:", ("deferred", "4.3.0")),
        ("", ("bounced", "5.4.6")),
    ):
        agent = remote_agent(
            {"best_mx_transport": value},
            dns,
            own_addresses=("192.0.2.10",),
            agent=agents.get,
        )
        result = await agent.deliver(letter())
        assert summary(result)[0][:2] == expected
    [given] = noting.given
    assert (given.route.transport, given.route.nexthop) == ("best", "hop")


@asynchronous
async def test_a_server_with_our_name_is_a_loop_on_our_port_alone() -> None:
    rules = [("EHLO", "250 me.example")]
    async with serving(Peer(rules)) as peer:
        agent = make(peer, myhostname="me.example")
        assert summary(await agent.deliver(letter()))[0][:2] == ("sent", "2.0.0")
    rules = [("EHLO", "250-me.example\r\n250 HELP")]
    async with serving(Peer([("HELO", "250 me.example"), ("EHLO", "502 no")])) as peer:
        agent = make(peer, myhostname="me.example")
        assert summary(await agent.deliver(letter()))[0][0] == "sent", "HELO says nothing"


@asynchronous
async def test_greetings_do_not_count_as_sessions() -> None:
    dns = Dns(
        {"far.example": [Mx(n, f"mx{n}.far.example") for n in range(4)]},
        {**{f"mx{n}.far.example": [LOCAL] for n in range(3)}, "mx3.far.example": [OTHER]},
    )
    async with serving(Peer(greeting=BUSY)) as busy:
        good = Peer()
        good.port = busy.port
        async with serving(good, OTHER):
            agent = make(busy, dns, smtp_mx_session_limit=1)
            assert summary(await agent.deliver(letter()))[0][0] == "sent"
            assert busy.sessions == 3


@pytest.mark.parametrize(
    "text, expected",
    [
        ("unix:private/lmtp", ("private/lmtp", 0, True)),
        ("unix:/run/lmtp", ("/run/lmtp", 0, True)),
        ("inet:[192.0.2.1]:26", ("192.0.2.1", 26, False)),
        ("inet:mx.example", ("mx.example", 24, False)),
        ("mx.example:26", ("mx.example", 26, False)),
    ],
)
def test_next_hops_of_lmtp(text: str, expected: tuple[str, int, bool]) -> None:
    hop = parse_lmtp_nexthop(text, 24)
    assert (hop.host, hop.port, hop.is_path) == expected
    assert hop.is_literal


@asynchronous
async def test_lmtp_over_a_socket_of_this_machine(tmp_path: Path) -> None:
    peer = Peer(lmtp=True)
    path = tmp_path / "lmtp"
    server = await asyncio.start_unix_server(peer.serve, path)
    agent = make(peer, Dns(), lmtp=True, myhostname="mx.example.net")
    [outcome] = (await agent.deliver(letter(nexthop=f"unix:{path}"))).outcomes
    assert (outcome.status, outcome.relay) == (Status.SENT, f"mx.example.net[{path}]")
    server.close()
    await peer.end()
    [gone] = (await agent.deliver(letter(nexthop="unix:/not/there"))).outcomes
    assert (gone.status, gone.dsn) == (Status.DEFERRED, "4.4.1")


@pytest.mark.parametrize("where", ["far.example", "mx.far.example"])
@asynchronous
async def test_records_that_a_filter_drops_let_mail_wait(where: str) -> None:
    class Filtered(Dns):
        def _answer(self, kind: str, name: str, records: dict[str, list[Any]]) -> list[Any]:
            if name == where:
                raise AllDropped(name)
            return super()._answer(kind, name, records)

    dns = Filtered({"far.example": [Mx(10, "mx.far.example")]}, {"mx.far.example": [LOCAL]})
    [outcome] = (await make(Peer(), dns).deliver(letter())).outcomes
    assert (outcome.status, outcome.dsn) == (Status.DEFERRED, "4.7.0")
    assert outcome.reason.startswith(f"Error looking up name={where} type=")
