"""The SMTP agent against scripted servers on loopback, with a DNS from a dict."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import uvloop

from delivery.agents.idle import IdleConnections
from delivery.values import Content, Status
from tests.delivery.agents.peer import Peer, serving
from tests.delivery.agents.remotes import (
    HOST,
    LOCAL,
    NAME,
    QUICK,
    TEXT,
    letter,
    make,
    said,
    summary,
)
from tests.delivery.spool.messages import asynchronous, recipient


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


AT_THE_END = "sending end of data -- message may be sent more than once"


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
