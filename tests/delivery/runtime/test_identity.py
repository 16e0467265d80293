"""Who a client is and how it is secured: TLS that is required, XCLIENT, what is offered to whom."""

from __future__ import annotations

from pathlib import Path

from tests.delivery.runtime.asynchronous import asynchronous
from tests.delivery.runtime.talker import talking


@asynchronous
async def test_where_tls_is_required_nothing_is_done_without(tmp_path: Path) -> None:
    async with talking(tmp_path, smtpd_tls_security_level="encrypt") as client:
        replies = await client.say("EHLO x", "NOOP", "MAIL FROM:<a@b.example>", "RSET", "QUIT")
        assert [reply[:3] for reply in replies] == ["250", "250", "530", "530", "221"]
        assert replies[2] == "530 5.7.0 Must issue a STARTTLS command first"


@asynchronous
async def test_xclient_begins_the_session_anew(tmp_path: Path) -> None:
    """The client is the one that was named, for relaying and for XCLIENT itself."""
    async with talking(
        tmp_path,
        mynetworks="203.0.113.0/24",
        smtpd_authorized_xclient_hosts="192.0.2.7",
    ) as client:
        ehlo, greeting, *rest = await client.say(
            "EHLO x",
            "XCLIENT ADDR=203.0.113.5 NAME=mail.example HELO=told.example",
            *("MAIL FROM:<>", "RCPT TO:<joe@elsewhere.example>", "RSET"),
            *("XCLIENT ADDR=192.0.2.7", "EHLO x"),
        )
        assert "XCLIENT NAME ADDR" in ehlo
        assert greeting.startswith("220 ")
        assert [reply[:3] for reply in rest] == ["250", "250", "250", "550", "250"]
        assert "XCLIENT" not in rest[-1]


@asynchronous
async def test_xclient_is_refused_as_on_connecting(tmp_path: Path) -> None:
    async with talking(
        tmp_path,
        smtpd_authorized_xclient_hosts="192.0.2.7",
        smtpd_delay_reject="no",
        smtpd_client_restrictions="check_client_access inline:{203.0.113.5=REJECT}",
    ) as client:
        replies = await client.say("XCLIENT ADDR=203.0.113.5", "EHLO x", "NOOP", "QUIT")
        assert [reply[:3] for reply in replies] == ["554", "503", "503", "221"]


@asynchronous
async def test_xforward_is_for_the_authorised(tmp_path: Path) -> None:
    async with talking(tmp_path) as client:
        replies = await client.say("EHLO x", "XFORWARD NAME=a.example")
        assert replies[1].startswith("550 5.7.0")
    async with talking(
        tmp_path / "other", smtpd_authorized_xforward_hosts="192.0.2.0/24"
    ) as client:
        replies = await client.say("EHLO x", "XFORWARD NAME=a.example", "MAIL FROM:<>")
        assert [reply[:3] for reply in replies] == ["250", "250", "250"]


@asynchronous
async def test_keywords_are_withheld_from_some_clients(tmp_path: Path) -> None:
    async with talking(
        tmp_path,
        smtpd_discard_ehlo_keyword_address_maps="inline:{ {192.0.2.7 = pipelining,DSN} }",
        smtpd_discard_ehlo_keywords="vrfy",
    ) as client:
        [ehlo] = await client.say("EHLO x")
        assert "PIPELINING" not in ehlo
        assert "DSN" not in ehlo
        assert "VRFY" in ehlo


@asynchronous
async def test_a_login_that_a_proxy_tells_counts_where_logins_do(tmp_path: Path) -> None:
    for enabled, code in (("no", "554"), ("yes", "250")):
        async with talking(
            tmp_path / enabled,
            smtpd_authorized_xclient_hosts="192.0.2.7",
            smtpd_relay_restrictions="permit_sasl_authenticated, reject_unauth_destination",
            smtpd_sasl_auth_enable=enabled,
        ) as client:
            mail = ("MAIL FROM:<>", "RCPT TO:<joe@elsewhere.example>")
            replies = await client.say("XCLIENT LOGIN=joe", "EHLO x", *mail)
            assert replies[-1][:3] == code
