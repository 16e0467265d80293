"""What a server may offer beyond RFC 5321: XFORWARD, DSN, SMTPUTF8, SIZE, CHUNKING; LMTP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from delivery.agents.idle import IdleConnections
from delivery.values import Client, Content, Status
from tests.delivery.agents.peer import Peer, serving
from tests.delivery.agents.remotes import (
    HOST,
    TEXT,
    letter,
    make,
    said,
    summary,
)
from tests.delivery.spool.messages import asynchronous, recipient


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
