"""The hosts of a next hop: MX records, addresses, which of them are tried."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

from delivery.values import Status
from tests.delivery.agents.peer import Dns, Mx, Peer, serving
from tests.delivery.agents.remotes import (
    LOCAL,
    QUICK,
    letter,
    make,
    summary,
)
from tests.delivery.spool.messages import asynchronous, recipient


@asynchronous
async def test_the_next_host_is_tried_when_one_fails_for_now() -> None:
    people = (recipient("a@far.example"), recipient("b@far.example"))
    first = Peer([("RCPT TO:<b", "450 4.2.0 later")])
    async with serving(first):
        second = Peer()
        second.port = first.port
        async with serving(second, "127.0.0.2"):
            dns = Dns(
                {"far.example": [Mx(20, "two.far.example"), Mx(10, "one.far.example")]},
                {"one.far.example": [LOCAL], "two.far.example": ["127.0.0.2"]},
            )
            result = await make(first, dns).deliver(letter(*people))
            assert [item.status for item in result.outcomes] == [Status.SENT, Status.SENT]
            assert first.taken[0].recipients == ["RCPT TO:<a@far.example>"]
            assert second.taken[0].recipients == ["RCPT TO:<b@far.example>"]


@asynchronous
async def test_no_more_sessions_than_allowed() -> None:
    peer = Peer([("MAIL", "451 4.3.0 not now")])
    async with serving(peer):
        names = [f"mx{n}.far.example" for n in range(5)]
        dns = Dns(
            {"far.example": [Mx(10, name) for name in names]}, {name: [LOCAL] for name in names}
        )
        await make(peer, dns).deliver(letter())
        assert peer.sessions == 2
        await make(peer, dns, smtp_mx_session_limit=0).deliver(letter())
        assert peer.sessions == 2 + 5


@asynchronous
async def test_no_connection_means_later_and_makes_the_destination_dead() -> None:
    with socket.socket() as taken:
        taken.bind((LOCAL, 0))  # bound, not listening: refused
        peer = Peer()
        peer.port = taken.getsockname()[1]
        result = await make(peer).deliver(letter())
        reason = f"connect to mx.far.example[127.0.0.1]:{peer.port}: Connection refused"
        assert summary(result) == [("deferred", "4.4.1", reason)]
        assert result.unreachable == reason
        assert result.outcomes[0].relay == "none"


UNKNOWN = "Host or domain name not found. Name service error for name="


@pytest.mark.parametrize(
    "dns, expected",
    [
        (Dns(), ("bounced", "5.4.4", f"{UNKNOWN}far.example type=A: Host not found")),
        (
            Dns(broken=["far.example"]),
            ("deferred", "4.4.3", f"{UNKNOWN}far.example type=MX: Host not found, try again"),
        ),
        (
            Dns({"far.example": [Mx(10, "mx.far.example")]}),
            ("bounced", "5.4.4", f"{UNKNOWN}mx.far.example type=A: Host not found"),
        ),
        (
            Dns({"far.example": [Mx(10, "a"), Mx(20, "b"), Mx(30, "c")]}, broken=["b"]),
            ("deferred", "4.4.3", f"{UNKNOWN}b type=A: Host not found, try again"),
        ),
        (
            Dns({"far.example": [Mx(0, ".")]}),
            ("bounced", "5.1.0", "Domain far.example does not accept mail (nullMX)"),
        ),
        (
            Dns({"far.example": [Mx(10, "mx")]}, {"mx": ["192.0.2.10"]}),
            ("bounced", "5.4.6", "mail for far.example loops back to myself"),
        ),
    ],
)
def test_no_host_to_try(dns: Dns, expected: tuple[str, str, str]) -> None:
    @asynchronous
    async def run() -> None:
        result = await make(Peer(), dns, own=("192.0.2.10",), timeouts=QUICK).deliver(letter())
        assert summary(result) == [expected]
        assert bool(result.unreachable) == (expected[0] == "deferred")

    run()


@asynchronous
async def test_this_machine_and_what_is_no_better_is_left_out() -> None:
    async with serving(Peer()) as peer:
        dns = Dns(
            {"far.example": [Mx(5, "good"), Mx(10, "me"), Mx(10, "equal"), Mx(20, "worse")]},
            {
                "good": [LOCAL],
                "me": ["192.0.2.10"],
                "equal": ["192.0.2.11"],
                "worse": ["192.0.2.12"],
            },
        )
        peer.rules = [("RCPT", "450 4.2.0 later")]
        result = await make(peer, dns, own=("192.0.2.10",), timeouts=QUICK).deliver(letter())
        assert summary(result)[0][1] == "4.2.0", "only the better one was tried"


@asynchronous
async def test_without_mx_records_the_domain_itself_is_the_host() -> None:
    async with serving(Peer()) as peer:
        dns = Dns(addresses={"far.example": [LOCAL]})
        [outcome] = (await make(peer, dns).deliver(letter())).outcomes
        assert outcome.relay == f"far.example[127.0.0.1]:{peer.port}"
        assert dns.asked == ["MX far.example", "A far.example"]


@pytest.mark.parametrize(
    "nexthop, asked",
    [
        ("[gw.example]", ["A gw.example"]),
        ("[gw.example]:{port}", ["A gw.example"]),
        ("gw.example:{port}", ["MX gw.example", "A gw.example"]),
        ("[127.0.0.1]:{port}", []),
        ("[127.0.0.1]", []),
        ("", ["MX far.example", "A far.example"]),
    ],
)
def test_next_hops(nexthop: str, asked: list[str]) -> None:
    @asynchronous
    async def run() -> None:
        async with serving(Peer()) as peer:
            dns = Dns(addresses={"gw.example": [LOCAL], "far.example": [LOCAL]})
            delivery = letter(nexthop=nexthop.format(port=peer.port))
            [outcome] = (await make(peer, dns).deliver(delivery)).outcomes
            assert outcome.status is Status.SENT, outcome.reason
            assert dns.asked == asked

    run()


@asynchronous
async def test_an_address_of_a_family_that_is_not_spoken_is_no_host() -> None:
    agent = make(Peer(), inet_protocols=("ipv6",))
    result = await agent.deliver(letter(nexthop="[192.0.2.9]"))
    reason = "Name service error for 192.0.2.9: invalid host or domain name"
    assert summary(result) == [("bounced", "5.4.4", reason)]


@asynchronous
async def test_dns_can_be_switched_off() -> None:
    async with serving(Peer()) as peer:
        dns = Dns({"far.example": [Mx(1, "mx")]}, {"far.example": [LOCAL]})
        result = await make(peer, dns, disable_dns_lookups=True).deliver(letter())
        assert summary(result)[0][0] == "sent"
        assert dns.asked == ["A far.example"]


@asynchronous
async def test_a_bad_next_hop_is_the_administrators_matter() -> None:
    for nexthop in ("[half", "host:99999", "host:nosuchservice", "[]:25", "a:b:c"):
        result = await make(Peer()).deliver(letter(nexthop=nexthop))
        assert summary(result)[0][:2] == ("deferred", "4.3.5"), nexthop


@pytest.mark.parametrize("enforced", [True, False])
def test_an_address_that_is_not_ours(enforced: bool, capfd: pytest.CaptureFixture[str]) -> None:
    @asynchronous
    async def run() -> None:
        async with serving(Peer()) as peer:
            bound = {"smtp_bind_address": "192.0.2.99", "smtp_bind_address_enforce": enforced}
            [found] = (await make(peer, **bound).deliver(letter())).outcomes  # type: ignore[arg-type]
            assert found.status is (Status.DEFERRED if enforced else Status.SENT)
            assert len(peer.taken) == (0 if enforced else 1)
            told = found.reason if enforced else "".join(capfd.readouterr())
            assert "cannot connect from 192.0.2.99: Cannot assign requested address" in told

    run()


@asynchronous
async def test_a_kind_of_address_that_the_system_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    class Socket(socket.socket):
        def __init__(self, family: int = -1, *rest: int, **named: Any) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "no IPv6")
            super().__init__(family, *rest, **named)

    async with serving(Peer()) as peer:
        monkeypatch.setattr(socket, "socket", Socket)
        names = {"mx.far.example": ["::1", LOCAL]}
        dns = Dns({"far.example": [Mx(10, "mx.far.example")]}, names)
        first = {"smtp_address_preference": "ipv6"}
        [found] = (await make(peer, dns, **first).deliver(letter())).outcomes  # type: ignore[arg-type]
        assert (found.status, len(peer.taken)) == (Status.SENT, 1)
