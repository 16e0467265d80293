"""The SMTP agent against scripted servers on loopback, with a DNS from a dict."""

from __future__ import annotations

import asyncio
import errno
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from delivery.agents.base import Delivery, Result
from delivery.agents.idle import IdleConnections
from delivery.agents.patience import Timeouts
from delivery.agents.remote import RemoteAgent
from delivery.values import Client, Content, Envelope, Recipient, Route, Status
from tables.addresses import Address
from tests.delivery.agents.peer import Dns, Mx, Peer, serving
from tests.delivery.agents.remotes import remote_agent
from tests.delivery.runtime.asynchronous import until
from tests.delivery.spool.messages import asynchronous, recipient

LOCAL = "127.0.0.1"
TEXT = b"Subject: hello\r\n\r\n.dot\r\nbody\r\n"
QUICK = Timeouts(
    **dict.fromkeys(
        (
            "smtp_connect_timeout",
            "smtp_helo_timeout",
            "smtp_mail_timeout",
            "smtp_rcpt_timeout",
            "smtp_data_init_timeout",
            "smtp_data_xfer_timeout",
            "smtp_data_done_timeout",
        ),
        1.0,  # a server of ours that is at work answers sooner, also on a busy machine
    )
)


def make(
    peer: Peer,
    dns: Dns | None = None,
    *,
    idle: IdleConnections | None = None,
    timeouts: Timeouts | None = None,
    own: tuple[str, ...] = (),
    lmtp: bool = False,
    fragmented: tuple[str, ...] = (),
    **settings: object,
) -> RemoteAgent:
    return remote_agent(
        {"smtp_connection_cache_time_limit": 0.0, **settings},
        dns or Dns({"far.example": [Mx(10, "mx.far.example")]}, {"mx.far.example": [LOCAL]}),
        timeouts=timeouts or Timeouts(),
        idle=idle,
        own_addresses=own,
        default_port=peer.port,
        lmtp=lmtp,
        fragmented=fragmented,
    )


def letter(
    *recipients: Recipient,
    nexthop: str = "far.example",
    content: Content | None = None,
    **envelope: object,
) -> Delivery:
    people = recipients or (recipient("joe@far.example"),)
    values = {"sender": Address("ann", "sender.example"), "recipients": people, **envelope}
    return Delivery(
        queue_id="4c9BsN2rG8z1",
        envelope=Envelope(**values),  # type: ignore[arg-type]
        route=Route("smtp", nexthop),
        recipients=people,
        content=content or Content(size=len(TEXT), data=TEXT, headers=b"Received: here\r\n"),
        arrived=0.0,
        is_busy=True,
    )


def summary(result: Result) -> list[tuple[str, str, str]]:
    return [(item.status.value, item.dsn, item.reason) for item in result.outcomes]


@asynchronous
async def test_it_works() -> None:
    async with serving(Peer()) as peer:
        result = await make(peer).deliver(letter())
        [outcome] = result.outcomes
        assert (outcome.status, outcome.dsn, outcome.reason) == (
            Status.SENT,
            "2.0.0",
            "250 2.0.0 Ok",
        )
        assert outcome.relay == f"mx.far.example[127.0.0.1]:{peer.port}"
        assert outcome.reply == "250 2.0.0 Ok"
        assert result.unreachable == ""
        [taken] = peer.taken
        assert taken.sender == f"MAIL FROM:<ann@sender.example> SIZE={len(TEXT) + 16}"
        assert taken.recipients == ["RCPT TO:<joe@far.example>"]
        assert taken.data == b"Received: here\r\n" + TEXT
        assert peer.lines[0] == "EHLO mx.example.net"


def test_it_works_in_the_loop_of_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "content"
    path.write_bytes(TEXT * 10_000)
    large = Content(size=len(TEXT) * 10_000, path=str(path))

    async def run() -> None:
        async with serving(Peer()) as peer:
            idle = IdleConnections()
            agent = make(peer, idle=idle, smtp_connection_cache_time_limit=30.0)
            for delivery in (letter(), letter(content=large), letter()):
                assert summary(await agent.deliver(delivery))[0][0] == "sent"
            assert (peer.sessions, len(peer.taken)) == (1, 3)
            idle.close()

    uvloop.run(run())


@asynchronous
async def test_a_large_message_is_read_from_its_file(tmp_path: Path) -> None:
    data = b"x" * 70 + b"\r\n"
    path = tmp_path / "content"
    path.write_bytes(data * 100_000)
    content = Content(size=len(data) * 100_000, path=str(path), headers=b"H: 1\r\n")
    async with serving(Peer()) as peer:
        result = await make(peer).deliver(letter(content=content))
        assert summary(result) == [("sent", "2.0.0", "250 2.0.0 Ok")]
        assert peer.bytes_read == content.size + 6


@asynchronous
async def test_recipients_are_settled_one_by_one() -> None:
    people = [recipient(f"{name}@far.example") for name in ("good", "bad", "late")]
    rules = [("RCPT TO:<bad", "550 5.1.1 no"), ("RCPT TO:<late", "450 4.2.0 later")]
    async with serving(Peer(rules)) as peer:
        result = await make(peer).deliver(letter(*people))
        found = {item.recipient.address.local: item for item in result.outcomes}
        host = "host mx.far.example[127.0.0.1] said:"
        assert found["good"].status is Status.SENT
        assert (found["bad"].status, found["bad"].dsn, found["bad"].reason) == (
            Status.BOUNCED,
            "5.1.1",
            f"{host} 550 5.1.1 no (in reply to RCPT TO command)",
        )
        assert found["bad"].reply == "550 5.1.1 no"
        assert (found["late"].status, found["late"].dsn, found["late"].reason) == (
            Status.DEFERRED,
            "4.2.0",
            f"{host} 450 4.2.0 later (in reply to RCPT TO command)",
        )
        assert result.unreachable == "", "a slow mailbox does not make its server dead"


NAME = "mx.far.example[127.0.0.1]"
HOST = f"host {NAME}"
AT_THE_END = "sending end of data -- message may be sent more than once"


def said(reply: str, command: str) -> str:
    return f"{HOST} said: {reply} (in reply to {command} command)"


# command, reply, status, dsn, reason
REPLIES = [
    ("MAIL", "550 5.7.1 no", "bounced", "5.7.1", said("550 5.7.1 no", "MAIL FROM")),
    ("MAIL", "451 4.3.0 x", "deferred", "4.3.0", said("451 4.3.0 x", "MAIL FROM")),
    ("RCPT", "550", "bounced", "5.0.0", said("550", "RCPT TO")),
    ("DATA", "554 5.7.1 x", "bounced", "5.7.1", said("554 5.7.1 x", "DATA")),
    ("DATA", "299 2.9.9 x", "bounced", "5.5.0", f"Protocol error: {said('299 2.9.9 x', 'DATA')}"),
    (".", "554 5.6.0 x", "bounced", "5.6.0", said("554 5.6.0 x", "end of DATA")),
    (".", "354 go", "bounced", "5.5.0", said("354 go", "end of DATA")),
    (".", "421 4.3.2 x", "deferred", "4.3.2", said("421 4.3.2 x", "end of DATA")),
    (".", "299 2.9.9 odd", "sent", "2.9.9", "299 2.9.9 odd"),
    ("HELO", "550 5.7.1 x", "bounced", "5.7.1", f"{HOST} refused to talk to me: 550 5.7.1 x"),
    ("HELO", "450 4.3.0 x", "deferred", "4.3.0", f"{HOST} refused to talk to me: 450 4.3.0 x"),
    *(
        (command, how, "deferred", "4.4.2", reason.format(doing))
        for command, doing in (
            ("EHLO", "performing the EHLO handshake"),
            ("MAIL", "sending MAIL FROM"),
            ("RCPT", "sending RCPT TO"),
            ("DATA", "sending DATA command"),
            (".", AT_THE_END),
        )
        for how, reason in (
            ("!close", f"lost connection with {NAME} while {{}}"),
            ("!hang", f"conversation with {NAME} timed out while {{}}"),
        )
    ),
]


@pytest.mark.parametrize("command, reply, status, dsn, reason", REPLIES)
def test_what_a_server_says_becomes_an_outcome(
    command: str, reply: str, status: str, dsn: str, reason: str
) -> None:
    @asynchronous
    async def run() -> None:
        rules = [(command, reply)]
        if command == "HELO":
            rules.append(("EHLO", "502 5.5.1 what"))
        async with serving(Peer(rules)) as peer:
            result = await make(peer, timeouts=QUICK).deliver(letter())
            assert summary(result) == [(status, dsn, reason)]
            assert len(peer.taken) == (status == "sent")

    run()


@pytest.mark.parametrize(
    "greeting, skip, expected",
    [
        ("554 5.3.2 no service", True, ("deferred", "4.3.2")),
        ("554 5.3.2 no service", False, ("bounced", "5.3.2")),
        ("421 4.3.2 busy", True, ("deferred", "4.3.2")),
        ("550", True, ("deferred", "4.0.0")),
        ("!421 4.3.2 busy", True, ("deferred", "4.3.2")),
    ],
)
def test_greetings(greeting: str, skip: bool, expected: tuple[str, str]) -> None:
    @asynchronous
    async def run() -> None:
        async with serving(Peer(greeting=greeting)) as peer:
            result = await make(peer, smtp_skip_5xx_greeting=skip).deliver(letter())
            assert summary(result) == [
                (*expected, f"{HOST} refused to talk to me: {greeting.removeprefix('!')}")
            ]
            assert bool(result.unreachable) == (expected[0] == "deferred")

    run()


@asynchronous
async def test_a_server_without_ehlo_gets_helo() -> None:
    async with serving(Peer([("EHLO", "502 5.5.1 what")])) as peer:
        result = await make(peer).deliver(letter())
        assert summary(result) == [("sent", "2.0.0", "250 2.0.0 Ok")]
        assert peer.lines[:3] == [
            "EHLO mx.example.net",
            "HELO mx.example.net",
            "MAIL FROM:<ann@sender.example>",
        ]


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


@asynchronous
async def test_a_connection_carries_the_next_message_too() -> None:
    async with serving(Peer()) as peer:
        idle = IdleConnections()
        agent = make(peer, idle=idle, smtp_connection_cache_time_limit=30.0)
        for _ in range(3):
            assert summary(await agent.deliver(letter()))[0][0] == "sent"
        assert (peer.sessions, len(peer.taken), len(idle)) == (1, 3, 1)
        idle.close()
        assert len(idle) == 0


@asynchronous
async def test_after_a_refused_message_the_connection_is_clean_for_the_next() -> None:
    async with serving(Peer([("RCPT TO:<bad", "550 5.1.1 no")])) as peer:
        idle = IdleConnections()
        agent = make(peer, idle=idle, smtp_connection_cache_time_limit=30.0)
        assert summary(await agent.deliver(letter(recipient("bad@far.example"))))[0][1] == "5.1.1"
        assert summary(await agent.deliver(letter()))[0][0] == "sent"
        assert peer.sessions == 1
        idle.close()


@asynchronous
async def test_a_kept_connection_that_died_is_replaced() -> None:
    async with serving(Peer()) as peer:
        idle = IdleConnections()
        agent = make(peer, idle=idle, smtp_connection_cache_time_limit=30.0)
        await agent.deliver(letter())
        peer.hang_up()
        result = await agent.deliver(letter())
        assert summary(result)[0][0] == "sent"
        assert (peer.sessions, len(peer.taken)) == (2, 2)
        idle.close()


@asynchronous
async def test_a_kept_connection_that_dies_on_mail_is_replaced() -> None:
    async with serving(Peer()) as peer:
        idle = IdleConnections()
        agent = make(peer, idle=idle, smtp_connection_cache_time_limit=30.0)
        await agent.deliver(letter())
        peer.rules = [("MAIL FROM:<dies", "!close")]
        result = await agent.deliver(letter(sender=Address("dies", "x.example")))
        assert summary(result)[0][1] == "4.4.2"
        assert peer.sessions == 2
        idle.close()


@asynchronous
async def test_kept_connections_are_given_up_after_a_while() -> None:
    async with serving(Peer()) as peer:
        idle = IdleConnections()
        agent = make(peer, idle=idle, smtp_connection_cache_time_limit=0.05)
        await agent.deliver(letter())
        assert len(idle) == 1
        gone = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.1, gone.set_result, None)
        await gone
        assert len(idle) == 0


@asynchronous
async def test_each_kept_connection_has_its_own_time() -> None:
    async with serving(Peer()) as peer:
        idle = IdleConnections()
        long = make(peer, idle=idle, smtp_connection_cache_time_limit=30.0)
        short = make(peer, idle=idle, smtp_connection_cache_time_limit=0.05, smtp_helo_name="b")
        await long.deliver(letter())
        await short.deliver(letter())
        assert len(idle) == 2
        await until(lambda: len(idle) < 2)
        await long.deliver(letter())
        assert (len(idle), peer.sessions) == (1, 2)
        idle.close()


@asynchronous
async def test_what_a_server_said_before_it_left_stands() -> None:
    people = (recipient("a@far.example"), recipient("b@far.example"))
    async with serving(Peer([("RCPT TO:<a", "!421 4.3.2 closing")])) as peer:
        result = await make(peer).deliver(letter(*people))
        lost = f"lost connection with {NAME} while sending RCPT TO"
        assert summary(result) == [
            ("deferred", "4.3.2", said("421 4.3.2 closing", "RCPT TO")),
            ("deferred", "4.4.2", lost),
        ]
        assert result.unreachable == lost


@asynchronous
async def test_421_ends_the_use_of_a_connection() -> None:
    async with serving(Peer([("RCPT TO:<a", "421 4.3.2 closing")])) as peer:
        idle = IdleConnections()
        agent = make(peer, idle=idle, smtp_connection_cache_time_limit=30.0)
        people = (recipient("a@far.example"), recipient("b@far.example"))
        await agent.deliver(letter(*people))
        assert len(idle) == 0


@pytest.mark.parametrize("pipelining", [[], ["PIPELINING"]])
def test_a_filter_is_told_where_mail_is_from(pipelining: list[str]) -> None:
    client = Client(address="192.0.2.7", port=9, name="a.sender.example")
    rules = [("RCPT TO:<bad", "550 5.1.1 no"), ("XFORWARD SOURCE", "501 5.5.4 what")]
    told = ["XFORWARD NAME=a.sender.example ADDR=192.0.2.7", "XFORWARD SOURCE=LOCAL"]

    @asynchronous
    async def run() -> None:
        async with serving(
            Peer(rules, keywords=["XFORWARD NAME ADDR SOURCE", *pipelining])
        ) as peer:
            values = {"smtp_connection_cache_time_limit": 30.0, "smtp_send_xforward_command": True}
            agent = make(peer, idle=IdleConnections(), **values)
            await agent.deliver(letter(recipient("bad@far.example"), client=client))
            result = await agent.deliver(letter(client=client))
            assert summary(result) == [("sent", "2.0.0", "250 2.0.0 Ok")]
            mail = "MAIL FROM:<ann@sender.example>"
            lines = [line for line in peer.lines if line.startswith(("XFORWARD", "MAIL", "RSET"))]
            assert lines == [*told, mail, "RSET", *told, mail], "the same connection"

    run()


@asynchronous
async def test_a_filter_that_leaves_takes_no_mail() -> None:
    rules = [("XFORWARD", "!421 4.3.2 closing")]
    async with serving(Peer(rules, keywords=["XFORWARD NAME"])) as peer:
        result = await make(peer, smtp_send_xforward_command=True).deliver(letter())
        reason = said("421 4.3.2 closing", "XFORWARD")
        assert summary(result) == [("deferred", "4.3.2", reason)]


@asynchronous
async def test_dsn_parameters_go_to_servers_that_know_them() -> None:
    told = replace(
        recipient("joe@far.example"),
        notify=frozenset({"SUCCESS", "FAILURE"}),
        orcpt="rfc822;Joe+x@far.example",
    )
    async with serving(Peer(keywords=["DSN"])) as peer:
        result = await make(peer).deliver(letter(told, ret="HDRS", envid="a b"))
        assert result.passed_on == {told}
        assert peer.taken[0].sender == "MAIL FROM:<ann@sender.example> ENVID=a+20b RET=HDRS"
        assert peer.taken[0].recipients == [
            "RCPT TO:<joe@far.example> ORCPT=rfc822;Joe+2Bx@far.example NOTIFY=SUCCESS,FAILURE"
        ]
    async with serving(Peer(keywords=[])) as peer:
        result = await make(peer).deliver(letter(told, ret="HDRS", envid="a b"))
        assert result.passed_on == frozenset()
        assert peer.taken[0].sender == "MAIL FROM:<ann@sender.example>"


@asynchronous
async def test_international_mail_needs_smtputf8_and_only_then() -> None:
    refused = ("bounced", "5.6.7", f"SMTPUTF8 is required, but was not offered by {HOST}")
    utf8 = recipient("jörg@far.example")
    body = "Subject: u\r\n\r\nü\r\n".encode()
    in_body = Content(size=len(body), data=body)
    async with serving(Peer()) as peer:
        agent = make(peer)
        assert summary(await agent.deliver(letter(utf8, smtputf8=True))) == [refused]
        in_header = letter(smtputf8=True, utf8_headers=True)
        assert summary(await agent.deliver(in_header)) == [refused]
        plain = letter(content=in_body, smtputf8=True, eightbit=True)
        assert summary(await agent.deliver(plain))[0][0] == "sent"
    async with serving(Peer(keywords=["SMTPUTF8", "8BITMIME"])) as peer:
        result = await make(peer).deliver(letter(utf8, smtputf8=True, eightbit=True))
        assert summary(result)[0][0] == "sent"
        assert peer.taken[0].sender.endswith(" BODY=8BITMIME SMTPUTF8")


@asynchronous
async def test_a_message_above_the_servers_limit_is_returned() -> None:
    async with serving(Peer(keywords=["SIZE 30"])) as peer:
        result = await make(peer).deliver(letter())
        size = len(TEXT) + 16
        reason = f"message size {size} exceeds size limit 30 of server mx.far.example[127.0.0.1]"
        assert summary(result) == [("bounced", "5.3.4", reason)]
        assert not any(line.startswith("MAIL") for line in peer.lines)


@asynchronous
async def test_lmtp_has_a_final_reply_for_each_recipient() -> None:
    rules = [(". RCPT TO:<full", "452 4.2.2 full")]
    async with serving(Peer(rules, lmtp=True)) as peer:
        people = (recipient("joe@far.example"), recipient("full@far.example"))
        result = await make(peer, lmtp=True).deliver(letter(*people, nexthop="mx.far.example"))
        assert sorted(item.dsn for item in result.outcomes) == ["2.0.0", "4.2.2"]
        assert peer.lines[0] == "LHLO mx.example.net"


@asynchronous
async def test_a_message_may_go_in_chunks(tmp_path: Path) -> None:
    path = tmp_path / "content"
    path.write_bytes((b"." * 998 + b"\r\n") * 300)
    content = Content(size=path.stat().st_size, path=str(path))
    async with serving(Peer(keywords=("PIPELINING", "CHUNKING"))) as peer:
        agent = make(peer, smtp_send_bdat=True)
        result = await agent.deliver(letter(content=content))
        assert summary(result)[0][:2] == ("sent", "2.0.0")
        assert "DATA" not in peer.lines
        [taken] = peer.taken
        assert taken.data == path.read_bytes()
    refusing = [("BDAT", "552 5.3.4 too big")]
    async with serving(Peer(refusing, keywords=("CHUNKING",))) as peer:
        result = await make(peer, smtp_send_bdat=True).deliver(letter(content=content))
        [(status, dsn, reason)] = summary(result)
        assert (status, dsn) == ("bounced", "5.3.4")
        assert reason.endswith("said: 552 5.3.4 too big (in reply to BDAT command)")
        assert [line for line in peer.lines if "BDAT" in line] == ["BDAT 65536"]


@pytest.mark.parametrize("keywords", [(), ("DSN",)])
@pytest.mark.parametrize("assumed", [True, False])
@asynchronous
async def test_lmtp_may_be_where_mail_ends(keywords: tuple[str, ...], assumed: bool) -> None:
    async with serving(Peer(lmtp=True, keywords=keywords)) as peer:
        agent = make(peer, lmtp=True, lmtp_assume_final=assumed)
        result = await agent.deliver(letter(nexthop="mx.far.example"))
        [outcome] = result.outcomes
        assert outcome.status is Status.SENT
        assert bool(outcome.delivered_to) is (assumed and not keywords)
        assert bool(result.passed_on) is bool(keywords)


@pytest.mark.parametrize("noted", [True, False])
@asynchronous
async def test_an_offer_of_tls_may_be_noted(noted: bool, capfd: pytest.CaptureFixture[str]) -> None:
    async with serving(Peer(keywords=("STARTTLS",))) as peer:
        await make(peer, smtp_tls_note_starttls_offer=noted).deliver(letter())
        assert ("offers_starttls=mx.far.example[127.0.0.1]" in capfd.readouterr().out) is noted


@asynchronous
async def test_a_server_that_takes_nothing_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "content"
    path.write_bytes((b"x" * 998 + b"\r\n") * 20_000)
    content = Content(size=path.stat().st_size, path=str(path))
    stalled = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x ESMTP\r\n")
        for reply in (b"250 x\r\n", b"250 x\r\n", b"250 x\r\n", b"354 x\r\n"):
            await reader.readline()
            writer.write(reply)
        await stalled.wait()
        writer.close()

    server = await asyncio.start_server(stall, LOCAL, 0, limit=1024)
    peer = Peer()
    peer.port = server.sockets[0].getsockname()[1]
    result = await make(peer, timeouts=QUICK).deliver(letter(content=content))
    assert summary(result) == [
        (
            "deferred",
            "4.4.2",
            "conversation with mx.far.example[127.0.0.1] timed out while sending message body",
        )
    ]
    stalled.set()
    server.close()
    await server.wait_closed()


@asynchronous
async def test_content_that_cannot_be_read_is_our_trouble() -> None:
    async with serving(Peer()) as peer:
        content = Content(size=100_000, path="/nonexistent/content")
        result = await make(peer).deliver(letter(content=content))
        assert summary(result)[0][:2] == ("deferred", "4.3.0")
        assert peer.taken == []


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
