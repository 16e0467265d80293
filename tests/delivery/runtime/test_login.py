"""AUTH as clients see it, with an authentication service behind it; nothing secret is written."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from delivery.runtime.notices import Transcript
from delivery.smtp import replies
from delivery.smtp.events import Unknown
from delivery.smtp.replies import Reply
from tests.delivery.runtime.asynchronous import asynchronous
from tests.delivery.runtime.dovecotpeer import FAIL, OK, SILENCE, DovecotPeer, dovecot
from tests.delivery.runtime.talker import LETTER, Talker, talking
from tests.delivery.spool.messages import whole

SECRET = base64.b64encode(b"\0joe\0secret").decode()
MORE = "CONT\t{}\tVXNlcm5hbWU6"
FAILED = "535 5.7.8 Error: authentication failed:"


@asynccontextmanager
async def logging_in(
    path: Path, *answers: str, **values: str
) -> AsyncIterator[tuple[DovecotPeer, Talker]]:
    given = {
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": f"{path}/auth",
        "smtpd_relay_restrictions": "permit_sasl_authenticated, reject_unauth_destination",
        **values,
    }
    async with dovecot(path, *answers) as peer, talking(path, **given) as client:
        try:
            yield peer, client
        finally:
            client.logins.close()


def offered(reply: str) -> list[str]:
    return [line[4:] for line in reply.split(" / ") if "AUTH" in line]


@asynchronous
async def test_it_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with logging_in(tmp_path, smtpd_sasl_authenticated_header="yes") as (_, client):
        greeted, *said = await client.say(
            "EHLO c.example",
            f"AUTH PLAIN {SECRET}",
            "MAIL FROM:<joe@example.com>",
            "RCPT TO:<x@far.example>",
            "DATA",
            LETTER,
        )
        assert offered(greeted) == ["AUTH PLAIN LOGIN CRAM-MD5"]
        assert [reply[:3] for reply in said] == ["235", "250", "250", "354", "250"]
        [lease] = await client.queued()
        text = (await whole(await client.spool.content(lease))).decode()
        assert "\t(Authenticated sender: joe)\r\n" in text
        assert " with ESMTPA id " in text
    log = capsys.readouterr().out
    assert "sasl_method=PLAIN sasl_username=joe" in log
    assert SECRET not in log


@asynchronous
async def test_challenges_and_responses(tmp_path: Path) -> None:
    async with logging_in(tmp_path, MORE, "CONT\t{}\tUGFzc3dvcmQ6", OK) as (peer, client):
        _, *said = await client.say("EHLO x", "AUTH LOGIN", "am9l", "c2VjcmV0", "NOOP")
        assert [reply[:3] for reply in said] == ["334", "334", "235", "250"]
        assert said[:2] == ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"]
        assert peer.requests[1:] == ["CONT\t1\tam9l", "CONT\t1\tc2VjcmV0"]


@asynchronous
async def test_a_response_is_no_command(tmp_path: Path) -> None:
    """Whatever it looks like."""
    async with logging_in(tmp_path, MORE, FAIL) as (_, client):
        _, *said = await client.say("EHLO x", "AUTH LOGIN", "QUIT", "AUTH LOGIN", "RSET", "NOOP")
        assert [reply[:3] for reply in said] == ["334", "535", "535", "250", "250"]


@asynchronous
async def test_giving_up(tmp_path: Path) -> None:
    async with logging_in(tmp_path, MORE, OK) as (peer, client):
        _, *said = await client.say("EHLO x", "AUTH PLAIN", "*", f"AUTH PLAIN {SECRET}")
        assert said == [
            "334 VXNlcm5hbWU6",
            "501 5.7.0 Authentication aborted",
            "235 2.7.0 Authentication successful",
        ]
        assert [line.split("\t")[0] for line in peer.requests] == ["AUTH", "AUTH"]


@pytest.mark.parametrize(
    "command, reply",
    [
        ("AUTH", "501 5.5.4 Syntax: AUTH mechanism"),
        ("AUTH PLAIN a b", "501 5.5.4 Syntax: AUTH mechanism"),
        ("AUTH FOO", f"{FAILED} Invalid authentication mechanism"),
        ("AUTH EXTERNAL =", f"{FAILED} Invalid authentication mechanism"),
        ("AUTH ANONYMOUS eA==", f"{FAILED} Invalid authentication mechanism"),
        ("AUTH PLAIN !!!", f"{FAILED} Invalid base64 data in initial response"),
        ("AUTH PLAIN a", f"{FAILED} Invalid base64 data in initial response"),
    ],
)
def test_what_nobody_is_asked(tmp_path: Path, command: str, reply: str) -> None:
    @asynchronous
    async def run() -> None:
        async with logging_in(tmp_path) as (peer, client):
            assert (await client.say("EHLO x", command))[1:] == [reply]
            assert peer.requests == []

    run()


@asynchronous
async def test_nothing_of_a_client_reaches_the_service_unasked(tmp_path: Path) -> None:
    """A tab or a line end would begin a request of its own."""
    async with logging_in(tmp_path, MORE, FAIL) as (peer, client):
        for said in ("a\tresp=b", "YQ==\tx", "\x01", "\xe9", "YQ=\r=", "A" * 20_000):
            _, reply = await client.say("AUTH PLAIN", said)
            assert reply[:3] in ("535", "500"), said
            peer.answers = [MORE, FAIL]
        assert not [line for line in peer.requests if line.startswith("CONT")]


@asynchronous
async def test_responses_may_be_longer_than_commands_but_not_endless(tmp_path: Path) -> None:
    async with logging_in(tmp_path, MORE, FAIL, MORE) as (peer, client):
        whole_line = "A" * 12_288
        _, _, reply = await client.say("EHLO x", "AUTH PLAIN", whole_line)
        assert reply.startswith("535")
        assert peer.requests[-1] == f"CONT\t1\t{whole_line}"
        _, reply, after = await client.say("AUTH PLAIN", "A" * 1_000_000, "NOOP")
        assert (reply, after[:3]) == ("500 5.5.6 SASL response limit exceeded", "250")
        assert client.protocol.buffered == 0
        [reply] = await client.say(f"AUTH PLAIN {whole_line}")
        assert reply == "500 5.5.2 Error: command too long"


@asynchronous
async def test_once_is_enough(tmp_path: Path) -> None:
    async with logging_in(tmp_path) as (_, client):
        _, *said = await client.say(
            "EHLO x",
            f"AUTH PLAIN {SECRET}",
            f"AUTH PLAIN {SECRET}",
            "EHLO x",
            f"AUTH PLAIN {SECRET}",
            "MAIL FROM:<a@example.com>",
            f"AUTH PLAIN {SECRET}",
        )
        assert said[1] == said[3] == "503 5.5.1 Error: already authenticated"
        assert said[5] == "503 5.5.1 Error: MAIL transaction in progress"


@asynchronous
async def test_a_login_permits_until_starttls(tmp_path: Path) -> None:
    """RFC 3207 4.2; the session does the handshake, here nobody does."""
    certificate = Path(__file__).parents[1] / "agents" / "certificates" / "good.pem"
    tls = {"smtpd_tls_security_level": "may", "smtpd_tls_cert_file": str(certificate)}
    async with logging_in(tmp_path, **tls) as (_, client):
        relayed = ("MAIL FROM:<joe@example.com>", "RCPT TO:<x@far.example>")
        said = await client.say("EHLO x", f"AUTH PLAIN {SECRET}", *relayed)
        assert said[-1].startswith("250")
        said = await client.say("STARTTLS", *relayed)
        assert said[0] == "220 2.0.0 Ready to start TLS"
        assert said[-1].startswith("554 5.7.1 <x@far.example>: Relay access denied")


@asynchronous
async def test_nobody_is_asked_before_tls_where_it_must_come_first(tmp_path: Path) -> None:
    for name in ("smtpd_tls_auth_only", "smtpd_enforce_tls"):
        home = tmp_path / name
        home.mkdir()
        async with logging_in(home, **{name: "yes", "smtpd_use_tls": "yes"}) as (peer, client):
            greeted, refused = await client.say("EHLO x", f"AUTH PLAIN {SECRET}")
            assert offered(greeted) == []
            expected = {
                "smtpd_tls_auth_only": "503 5.5.1 Error: authentication not enabled",
                "smtpd_enforce_tls": "530 5.7.0 Must issue a STARTTLS command first",
            }
            assert refused == expected[name]
            assert peer.requests == []


@asynchronous
async def test_whom_it_is_told(tmp_path: Path) -> None:
    for number, (values, expected) in enumerate(
        (
            ({"broken_sasl_auth_clients": "yes"}, ["PLAIN LOGIN CRAM-MD5", "PLAIN LOGIN CRAM-MD5"]),
            ({"smtpd_sasl_security_options": "noanonymous, noplaintext"}, ["CRAM-MD5"]),
            ({"smtpd_sasl_security_options": "noplaintext, mutual_auth"}, []),
            ({"smtpd_sasl_mechanism_filter": "!cram-md5, static:rest"}, ["PLAIN LOGIN"]),
            ({"smtpd_sasl_exceptions_networks": "192.0.2.0/24"}, []),
            ({"smtpd_discard_ehlo_keywords": "auth"}, []),
            ({"smtpd_sasl_type": "cyrus"}, []),
        )
    ):
        home = tmp_path / str(number)
        home.mkdir()
        async with logging_in(home, **values) as (_, client):
            [greeted] = await client.say("EHLO x")
            assert [line[5:] for line in offered(greeted)] == expected, values
            [reply] = await client.say(f"AUTH CRAM-MD5 {SECRET}")
            is_off = "discard" in str(values) or "cyrus" in str(values)
            if is_off:
                assert reply == "503 5.5.1 Error: authentication not enabled"
            else:
                assert reply.startswith("535" if "mutual" in str(values) else "235")


@asynchronous
async def test_a_dead_service_is_nobodys_fault(tmp_path: Path) -> None:
    async with logging_in(tmp_path, smtpd_sasl_path=f"{tmp_path}/nothing") as (_, client):
        greeted, *said = await client.say(
            "EHLO x", f"AUTH PLAIN {SECRET}", "MAIL FROM:<a@b.example>", "RCPT TO:<joe@example.com>"
        )
        assert offered(greeted) == []
        assert [reply[:3] for reply in said] == ["454", "250", "250"]
        assert said[0].startswith("454 4.7.0 Temporary authentication failure: ")


@asynchronous
async def test_a_service_that_dies_is_asked_again(tmp_path: Path) -> None:
    async with logging_in(tmp_path, "hang up", OK) as (_, client):
        _, *said = await client.say("EHLO x", f"AUTH PLAIN {SECRET}", f"AUTH PLAIN {SECRET}")
        assert [reply[:3] for reply in said] == ["454", "235"]


@asynchronous
async def test_a_flood_ends(tmp_path: Path) -> None:
    async with logging_in(tmp_path, FAIL, smtpd_client_auth_rate_limit="2") as (peer, client):
        said = await client.say("EHLO x", *[f"AUTH PLAIN {SECRET}"] * 3, "AUTH PLAIN a b c")
        assert [reply[:3] for reply in said[1:]] == ["535", "535", "450", "450"]
        assert said[-1] == "450 4.7.1 Error: too many AUTH commands from 192.0.2.7"
        assert len(peer.requests) == 2
    home = tmp_path / "errors"
    home.mkdir()
    async with logging_in(home, FAIL, smtpd_hard_error_limit="3") as (_, client):
        await client.say("EHLO x", *[f"AUTH PLAIN {SECRET}"] * 3)
        assert client.dialogue.faults.are_too_many


@asynchronous
async def test_the_service_sees_whom_xclient_names(tmp_path: Path) -> None:
    hosts = {"smtpd_authorized_xclient_hosts": "192.0.2.7"}
    async with logging_in(tmp_path, FAIL, **hosts) as (peer, client):
        await client.say("EHLO x", "XCLIENT ADDR=198.51.100.9", "EHLO x", f"AUTH PLAIN {SECRET}")
        assert "\trip=198.51.100.9\t" in peer.requests[0]


@asynchronous
async def test_secrets_are_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither those of AUTH, nor what a client says on when it was refused."""
    async with logging_in(tmp_path, MORE, MORE, FAIL, SILENCE) as (_, client):
        noted = Transcript(client.protocol.said)
        client.protocol.send(await client.dialogue.greet())
        lines = ["EHLO x", f"AUTH PLAIN {SECRET}", "am9l", "c2VjcmV0", "AUTH FOO", "c2VjcmV0"]
        for line in [*lines, "c2VjcmV1", "MAIL FROM:<>", "c2VjcmV2"]:
            client.protocol.receive_data(f"{line}\r\n".encode())
            event = client.protocol.next_event()
            assert "c2VjcmV0" not in repr(event) or event == Unknown(line.upper(), line)
            answer = client.dialogue.answer(event)  # type: ignore[arg-type]
            reply = answer if isinstance(answer, Reply) else await answer
            client.protocol.send(reply)
        text = "\n".join(noted.lines())
        assert SECRET not in text
        assert "c2VjcmV0" not in text
        assert "c2VjcmV1" not in text
        assert " In:  c2VjcmV2" in text, "after another command it is just nonsense"
    log = capsys.readouterr().out
    assert "c2Vj" not in log


def test_a_transcript_forgets_what_is_said_behind_a_refused_auth() -> None:
    transcript = Transcript(
        [
            ("AUTH LOGIN", replies.NO_AUTHENTICATION),
            ("am9l", replies.NOT_RECOGNIZED),
            ("c2VjcmV0", replies.NOT_RECOGNIZED),
            ("QUIT", replies.BYE),
        ]
    )
    said = [line for line in transcript.lines() if line.startswith(" In:")]
    assert said == [" In:  AUTH LOGIN", " In:  (hidden)", " In:  (hidden)", " In:  QUIT"]
