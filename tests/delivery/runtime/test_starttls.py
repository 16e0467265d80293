"""TLS over a real socket, by STARTTLS or from the first byte: the handshake, what is known
afterwards, and who is kept out.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from delivery.runtime.notices import Notices
from delivery.runtime.session import Session, Shared
from delivery.runtime.tlsserver import ServerTlsSettings, TlsServer
from delivery.smtp import replies
from delivery.smtp.replies import Reply
from tests.delivery.runtime.asynchronous import asynchronous, until
from tests.delivery.runtime.counts import CountsHere
from tests.delivery.runtime.test_session import LETTER, MAIL, House, house
from tests.delivery.spool.messages import leased, whole

CERTIFICATES = Path(__file__).parents[1] / "agents" / "certificates"
GOOD, SELF = str(CERTIFICATES / "good.pem"), str(CERTIFICATES / "self.pem")
AUTHORITY = str(CERTIFICATES / "ca.pem")
TLS = {
    "smtpd_tls_security_level": "may",
    "smtpd_tls_cert_file": GOOD,
    "smtpd_peername_lookup": "no",
}
ASKING = {**TLS, "smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": AUTHORITY}


class Peer:
    """A client with a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.port: int = writer.get_extra_info("peername")[1]

    async def hear(self) -> str:
        """One reply; '' at the end of the connection."""
        lines: list[str] = []
        while line := (await self.reader.readline()).decode().rstrip("\r\n"):
            lines.append(line)
            if line[3:4] == " ":
                break
        return "\n".join(lines)

    async def say(self, text: str) -> str:
        """The reply to a line."""
        self.writer.write(f"{text}\r\n".encode())
        return await self.hear()

    async def secure(self, certificate: str = "") -> None:
        """The handshake."""
        context = ssl.create_default_context(cafile=AUTHORITY)
        if certificate:
            context.load_cert_chain(certificate)
        await self.writer.start_tls(context, server_hostname="mx.far.example")


async def mailed(made: House, peer: Peer) -> str:
    """A message as it was queued, of a client that speaks TLS already."""
    assert "STARTTLS" not in await peer.say("EHLO c.example")
    assert await peer.say("STARTTLS") == "554 5.5.1 Error: TLS already active"
    for line in MAIL.decode().splitlines()[1:]:
        reply = await peer.say(line)
    assert reply.startswith("354")
    peer.writer.write(LETTER)
    assert (await peer.hear()).startswith("250")
    assert (await peer.say("QUIT")).startswith("221")
    [queue_id] = made.spool.fresh()
    content = await made.spool.content(await leased(made.spool, queue_id))
    return (await whole(content)).decode()


@asynccontextmanager
async def listening(
    path: Path, refusal: Reply | None = None, **values: str
) -> AsyncIterator[tuple[House, int]]:
    """Sessions on a port; `refusal`: nobody is let in."""
    async with house(path, **values) as made:
        loop = asyncio.get_running_loop()
        shared = Shared(
            cleanup=made.cleanup,
            asker=made.asker,
            notices=Notices(made.cleanup),
            counts=CountsHere(),
            loop=loop,
            admit=lambda session: refusal,
            gone=made.gone.append,
        )
        server = await loop.create_server(lambda: Session(made.service, shared), "127.0.0.1", 0)
        try:
            yield made, server.sockets[0].getsockname()[1]
        finally:
            server.close()


@asynccontextmanager
async def serving(path: Path, **values: str) -> AsyncIterator[tuple[House, Peer]]:
    async with listening(path, **values) as (made, port):
        peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
        try:
            assert (await peer.hear()).startswith("220")
            yield made, peer
        finally:
            peer.writer.close()
            await until(lambda: made.gone)


@asynccontextmanager
async def wrapped(path: Path, **values: str) -> AsyncIterator[tuple[House, Peer]]:
    """A client that speaks TLS from the first byte."""
    async with listening(path, **{**TLS, "smtpd_tls_wrappermode": "yes", **values}) as (made, port):
        context = ssl.create_default_context(cafile=AUTHORITY)
        opened = asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="mx.far.example"
        )
        peer = Peer(*await opened)
        try:
            yield made, peer
        finally:
            peer.writer.close()
            await until(lambda: made.gone)


async def heard_in_the_clear(path: Path, refusal: Reply | None = None, **values: str) -> bytes:
    """What a service with TLS from the first byte tells a client that knows of none."""
    values = {**TLS, "smtpd_tls_wrappermode": "yes", **values}
    async with listening(path, refusal, **values) as (made, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"EHLO c.example\r\n")
        heard = b""
        with contextlib.suppress(ConnectionError):
            heard = await reader.read()
        writer.close()
        await until(lambda: made.gone)
        return heard


@asynchronous
async def test_it_works(tmp_path: Path) -> None:
    async with serving(tmp_path, smtpd_tls_received_header="yes", **TLS) as (made, peer):
        assert "STARTTLS" in await peer.say("EHLO c.example")
        assert await peer.say("STARTTLS") == "220 2.0.0 Ready to start TLS"
        await peer.secure()
        text = await mailed(made, peer)
        assert " with ESMTPS id " in text
        assert "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n" in text
        assert "\t(No client certificate requested)\r\n" in text


@asynchronous
async def test_what_is_injected_before_the_handshake_is_never_read(tmp_path: Path) -> None:
    """CVE-2011-0411, CVE-2021-38371; the EHLO name and the sender are forgotten, too."""
    async with serving(tmp_path, **TLS) as (made, peer):
        await peer.say("EHLO evil.example")
        await peer.say("MAIL FROM:<evil@example.org>")
        injected = "RSET\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<joe@example.com>\r\nDATA\r\n"
        assert (await peer.say(f"STARTTLS\r\n{injected}"[:-2])).startswith("220")
        await peer.secure()
        assert await peer.say("NOOP") == "250 2.0.0 Ok"
        assert await peer.say("RCPT TO:<joe@example.com>") == "503 5.5.1 Error: need MAIL command"
        assert (await peer.say("DATA")).startswith("503")
        assert not made.spool.fresh()


@asynchronous
async def test_what_is_no_handshake_ends_the_connection(tmp_path: Path) -> None:
    async with serving(tmp_path, **TLS) as (made, peer):
        assert (await peer.say("STARTTLS")).startswith("220")
        assert await peer.say("EHLO c.example") == ""
        await until(lambda: made.gone)


@asynchronous
async def test_who_leaves_in_the_handshake_is_forgotten(tmp_path: Path) -> None:
    async with serving(tmp_path, **TLS) as (made, peer):
        assert (await peer.say("STARTTLS")).startswith("220")
        peer.writer.close()
        await until(lambda: made.gone)


@asynchronous
async def test_a_handshake_has_its_time(tmp_path: Path) -> None:
    async with serving(tmp_path, smtpd_starttls_timeout="1s", **TLS) as (made, peer):
        assert (await peer.say("STARTTLS")).startswith("220")
        assert await peer.hear() == ""
        await until(lambda: made.gone)


@asynchronous
async def test_a_good_certificate_is_known(tmp_path: Path) -> None:
    values = {
        **ASKING,
        "smtpd_relay_restrictions": "permit_tls_all_clientcerts, reject_unauth_destination",
    }
    async with serving(tmp_path, **values) as (_, peer):
        await peer.say("STARTTLS")
        await peer.secure(GOOD)
        await peer.say("EHLO x")
        await peer.say("MAIL FROM:<>")
        assert (await peer.say("RCPT TO:<x@far.example>")).startswith("250")


@asynchronous
async def test_one_of_nobody_we_trust_gets_no_tls(tmp_path: Path) -> None:
    async with serving(tmp_path, **ASKING) as (_, peer):
        await peer.say("STARTTLS")
        with contextlib.suppress(ssl.SSLError, ConnectionError):  # with TLS 1.3, only on reading
            await peer.secure(SELF)
            assert not await peer.say("NOOP")


@asynchronous
async def test_where_one_is_required_nobody_goes_without(tmp_path: Path) -> None:
    values = {**ASKING, "smtpd_tls_security_level": "encrypt", "smtpd_tls_req_ccert": "yes"}
    async with serving(tmp_path, **values) as (_, peer):
        await peer.say("STARTTLS")
        await peer.secure()
        refused = (await peer.hear()).partition(" ")[2]
        assert refused.startswith("4.7.1 ")
        assert refused.endswith(" Error: No client certificate presented")
        assert await peer.hear() == ""


@asynchronous
async def test_too_many_handshakes_end(tmp_path: Path) -> None:
    values = {**TLS, "smtpd_client_new_tls_session_rate_limit": "1"}
    values["smtpd_client_event_limit_exceptions"] = ""
    async with serving(tmp_path, **values) as (made, first):
        await first.say("STARTTLS")
        await first.secure()
        assert (await first.say("NOOP")).startswith("250")
        port = first.port
        second = Peer(*await asyncio.open_connection("127.0.0.1", port))
        await second.hear()
        await second.say("STARTTLS")
        await second.secure()
        assert "421 4.7.0" in (refused := await second.hear())
        assert "too many new TLS sessions" in refused
        assert await second.hear() == ""
        second.writer.close()
        third = Peer(*await asyncio.open_connection("127.0.0.1", port))
        await third.hear()
        assert (await third.say("STARTTLS")).startswith("454 4.7.0 Error: too many new TLS")
        assert (await third.say("NOOP")).startswith("250")
        third.writer.close()
        await until(lambda: len(made.gone) == 2)


@asynchronous
async def test_without_a_certificate_it_is_454(tmp_path: Path) -> None:
    for number, values in enumerate(({"smtpd_tls_cert_file": "/nonexistent"}, {})):
        home = tmp_path / str(number)
        home.mkdir()
        given = {"smtpd_tls_security_level": "may", "smtpd_peername_lookup": "no", **values}
        async with serving(home, **given) as (_, peer):
            assert "STARTTLS" in await peer.say("EHLO x")
            assert await peer.say("STARTTLS") == str(replies.TLS_UNAVAILABLE)
            assert (await peer.say("MAIL FROM:<>")).startswith("250")


@asynchronous
async def test_tls_from_the_first_byte(tmp_path: Path) -> None:
    async with wrapped(tmp_path) as (made, peer):
        assert (await peer.hear()).startswith("220 ")
        assert " with ESMTPS id " in await mailed(made, peer)


@asynchronous
async def test_nothing_is_said_in_the_clear(tmp_path: Path) -> None:
    refusal = replies.too_many_connections("mx.example", "127.0.0.1")
    # a TLS alert at most: RFC 8446 5.1, ContentType 21
    assert (await heard_in_the_clear(tmp_path / "a"))[:1] in (b"", b"\x15")
    assert await heard_in_the_clear(tmp_path / "b", refusal) == b""
    assert await heard_in_the_clear(tmp_path / "c", smtpd_tls_cert_file="/nonexistent") == b""


@asynchronous
async def test_too_many_handshakes_from_the_first_byte(tmp_path: Path) -> None:
    values = {"smtpd_client_new_tls_session_rate_limit": "1"}
    values["smtpd_client_event_limit_exceptions"] = ""
    async with wrapped(tmp_path, **values) as (_, first):
        await first.hear()
        for number in range(2):
            context = ssl.create_default_context(cafile=AUTHORITY)
            try:
                second = Peer(
                    *await asyncio.open_connection(
                        "127.0.0.1", first.port, ssl=context, server_hostname="mx.far.example"
                    )
                )
            except (ConnectionError, ssl.SSLError):
                assert number == 1, "the first one too many is told so"
                continue
            assert "421 4.7.0" in await second.hear()
            assert await second.hear() == ""
            second.writer.close()


# contexts


def settings(**given: object) -> ServerTlsSettings:
    values = {"smtpd_tls_security_level": "may", **given}
    return ServerTlsSettings(**values)  # type: ignore[arg-type]


def test_a_renewed_certificate_is_used(tmp_path: Path) -> None:
    file = tmp_path / "own.pem"
    shutil.copy(GOOD, file)
    server = TlsServer(settings(smtpd_tls_cert_file=str(file), smtpd_tls_key_file=str(file)))
    first = server.context()
    assert first is not None
    assert server.context() is first
    shutil.copy(SELF, tmp_path / "new")
    (tmp_path / "new").rename(file)
    second = server.context()
    assert second is not None
    assert second is not first
    file.write_text("half a file")
    assert server.context() is second, "what cannot be read changes nothing"
    assert str(file) in server.problem


def test_keys_of_all_forms(tmp_path: Path) -> None:
    text = Path(GOOD).read_text()
    end = text.index("-----END CERTIFICATE-----") + 26
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    first, second = text[:end], text[end:]
    certificate.write_text(first)
    key.write_text(second)
    for given in (
        {"smtpd_tls_chain_files": (str(key), str(certificate))},
        {"smtpd_tls_chain_files": (GOOD,)},
        {"smtpd_tls_cert_file": str(certificate), "smtpd_tls_key_file": str(key)},
    ):
        assert TlsServer(settings(**given)).context() is not None, given
    for given in (
        {"smtpd_tls_cert_file": str(certificate), "smtpd_tls_key_file": str(certificate)},
        {"smtpd_tls_chain_files": (str(certificate),)},
        {"smtpd_tls_cert_file": "none"},
        {"smtpd_tls_cert_file": GOOD, "smtpd_tls_protocols": ("TLSv9",)},
        {"smtpd_tls_cert_file": GOOD, "smtpd_tls_ciphers": "best"},
        {"smtpd_tls_cert_file": GOOD, "smtpd_tls_ask_ccert": True, "smtpd_tls_CAfile": "/no"},
    ):
        made = TlsServer(settings(**given))
        assert made.context() is None, given
        assert made.problem


def test_a_key_that_wants_a_password_asks_nobody(tmp_path: Path) -> None:
    file = tmp_path / "locked.pem"
    text = Path(GOOD).read_text()
    file.write_text(text[: text.index("-----END CERTIFICATE-----") + 26] + LOCKED)
    made = TlsServer(settings(smtpd_tls_cert_file=str(file), smtpd_tls_key_file=str(file)))
    assert made.context() is None


def test_nobody_is_asked_for_a_certificate_that_cannot_be_checked() -> None:
    made = TlsServer(
        settings(smtpd_tls_cert_file=GOOD, smtpd_tls_key_file=GOOD, smtpd_tls_ask_ccert=True)
    )
    assert made.context() is not None
    assert not made.asks


@pytest.mark.parametrize(
    "given, offered, required",
    [
        ({}, True, False),
        ({"smtpd_tls_security_level": "none", "smtpd_use_tls": True}, False, False),
        ({"smtpd_tls_security_level": "", "smtpd_use_tls": True}, True, False),
        ({"smtpd_tls_security_level": "", "smtpd_enforce_tls": True}, True, True),
        ({"smtpd_tls_security_level": ""}, False, False),
        ({"smtpd_tls_security_level": "encrypt"}, True, True),
    ],
)
def test_levels(given: dict[str, object], offered: bool, required: bool) -> None:
    made = settings(**given)
    assert (made.is_offered, made.is_required) == (offered, required)
    assert not settings(**given, smtpd_tls_req_ccert=True).requires_certificate or required


LOCKED = """\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAi+R34DZy4LKwICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEPuhsqFg5SDjB/vRrNUirzMEgZC+
IoHysMwpEHTjwWnWGNzcbPXKcByz1EyI5/GicHJdNlNxvkjCBDBi3ail+Yjmrf6/
mImIJFX+Ze5+svdFB8lUlVJqY9H7TBma7iJI9GEL+T8UEIQ5fkVgtKyGnPvE+4qd
e8eVbYdwMJn0aTo+mZ05l3ymZ5M+CQu/cX7Y3NM/RxCZ0+7/d2I6eH3xHVxBtVI=
-----END ENCRYPTED PRIVATE KEY-----
"""  # the key of good.pem; the password is waypost
