"""Paths that lose large packets: recognised, said in plain words, cured by a setting."""

from __future__ import annotations

import socket

import pytest

from delivery.agents.connection import IP_MTU_DISCOVER, PMTUDISC_DONT, connect
from delivery.agents.hosts import Host
from delivery.agents.patience import Timeouts
from delivery.agents.session import Terms
from delivery.agents.stalls import HOSTS, TIMES, Stalls, hint
from delivery.agents.tlspolicy import TlsPolicy
from delivery.smtp.settings import ClientSettings
from tests.delivery.agents.peer import Peer, serving
from tests.delivery.agents.remotes import QUICK, letter, make, summary
from tests.delivery.spool.messages import asynchronous


@asynchronous
async def test_it_works() -> None:
    async with serving(Peer([(".", "!hang")])) as stuck:
        agent = make(stuck, timeouts=QUICK)
        reasons = [summary(await agent.deliver(letter()))[0][2] for _ in range(TIMES)]
    for reason in reasons:
        assert "timed out while sending end of data" in reason
    assert [("smtp_path_mtu_discovery_exceptions" in reason) for reason in reasons] == [
        *[False] * (TIMES - 1),
        True,
    ]
    assert "3 times in a row: large packets may get lost on the way" in reasons[-1]


@asynchronous
async def test_a_message_that_arrives_ends_the_row() -> None:
    peer = Peer([(".", "!hang")])
    async with serving(peer):
        agent = make(peer, timeouts=QUICK)
        for _ in range(TIMES - 1):
            await agent.deliver(letter())
        peer.rules.clear()
        assert summary(await agent.deliver(letter()))[0][0] == "sent"
        peer.rules.append((".", "!hang"))
        assert "in a row" not in summary(await agent.deliver(letter()))[0][2]


def test_memory_is_bounded() -> None:
    stalls = Stalls()
    host = Host("mx", "192.0.2.1", 25)
    stalls.note(host)
    for number in range(HOSTS):
        stalls.note(Host("mx", f"10.0.{number // 250}.{number % 250}", 25))
    assert stalls.note(host) == 1, "it was the oldest"
    assert hint(1) == ""


@pytest.mark.parametrize("fragments", [True, False])
def test_packets_may_be_cut_up_where_that_is_set(fragments: bool) -> None:
    @asynchronous
    async def run() -> None:
        async with serving(Peer()) as peer:
            host = Host("mx", "127.0.0.1", peer.port)
            made = await connect(
                host, ClientSettings(), Timeouts(), bind_address="127.0.0.2", fragments=fragments
            )
            assert made.socket is not None
            value = made.socket.getsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER)
            assert (value == PMTUDISC_DONT) is fragments
            assert made.socket.getsockname()[0] == "127.0.0.2"
            made.abort()

    run()


@pytest.mark.parametrize(
    "names, expected",
    [
        (("far.example",), True),
        (("127.0.0.1",), True),
        ((".example",), True),
        (("!far.example", ".example"), False),
        (("other.example",), False),
        ((), False),
    ],
)
def test_destinations_are_named(names: tuple[str, ...], expected: bool) -> None:
    agent = make(Peer(), fragmented=names)
    terms = Terms(domain="far.example", policy=TlsPolicy(), account=None)
    assert agent.fragments(Host("mx.far.example", "127.0.0.1", 25), terms) is expected
