"""TLS and logging in at scripted servers on loopback; the certificates are made for tests."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest
import uvloop

from delivery import certificates
from delivery.agents.base import Result
from delivery.agents.credentials import Account, Credentials, LoginSettings
from delivery.agents.patience import Timeouts
from delivery.agents.remote import RemoteAgent
from tables.addresses import Address
from tables.errors import TableUnavailable
from tables.formats.base import FailMap
from tables.keys import address_keys
from tables.reading.lookup import Maps
from tests.delivery.agents.peer import KEYWORDS, Dns, Mx, Peer, serving
from tests.delivery.agents.remotes import LOCAL, letter, maps, remote_agent, summary
from tests.delivery.spool.messages import asynchronous

CERTIFICATES = Path(__file__).parent / "certificates"
OFFER = (*KEYWORDS, "STARTTLS")
HOST = "mx.far.example[127.0.0.1]"
DNS = {"far.example": [Mx(10, "mx.far.example")]}


def der(name: str) -> bytes:
    text = (CERTIFICATES / f"{name}.pem").read_text()
    return ssl.PEM_cert_to_DER_cert(text[: text.index("-----END CERTIFICATE-----") + 25] + "\n")


def server(name: str = "good") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / f"{name}.pem")
    return context


def make(
    peer: Peer,
    level: str = "",
    *,
    policies: dict[str, str] | None = None,
    passwords: dict[str, str] | None = None,
    now: float = 0.0,
    **settings: object,
) -> RemoteAgent:
    given = {
        "smtp_tls_security_level": level,
        "smtp_tls_CAfile": str(CERTIFICATES / "ca.pem"),
        "smtp_connection_cache_on_demand": False,
        **settings,
    }
    return remote_agent(
        given,
        Dns(DNS, {"mx.far.example": [LOCAL]}),
        timeouts=Timeouts(smtp_starttls_timeout=2.0),
        policies=policies,
        passwords=passwords,
        default_port=peer.port,
        clock=lambda: now,
    )


def one(result: Result) -> tuple[str, str]:
    [(status, dsn, _)] = summary(result)
    return status, dsn


@asynchronous
async def test_it_works() -> None:
    async with serving(Peer(keywords=OFFER, tls=server())) as peer:
        assert one(await make(peer, "may").deliver(letter())) == ("sent", "2.0.0")
        assert peer.lines[:4] == ["EHLO mx.example.net", "STARTTLS", "(TLS)", "EHLO mx.example.net"]


def test_it_works_in_the_loop_of_the_engine() -> None:
    async def run() -> None:
        async with serving(Peer(keywords=OFFER, tls=server())) as peer:
            assert one(await make(peer, "secure").deliver(letter())) == ("sent", "2.0.0")
            assert "(TLS)" in peer.lines

    uvloop.run(run())


@pytest.mark.parametrize(
    "level, certificate, expected",
    [
        ("none", "good", ("sent", "2.0.0")),
        ("encrypt", "self", ("sent", "2.0.0")),
        ("verify", "good", ("sent", "2.0.0")),
        ("verify", "wild", ("sent", "2.0.0")),
        ("verify", "named", ("sent", "2.0.0")),
        ("verify", "self", ("deferred", "4.7.5")),
        ("secure", "good", ("sent", "2.0.0")),  # far.example is in it
        ("secure", "wild", ("sent", "2.0.0")),  # below far.example: dot-nexthop
        ("secure match=nexthop", "wild", ("deferred", "4.7.5")),
        ("secure match=nexthop", "named", ("deferred", "4.7.5")),
        ("secure match=mx.far.example", "named", ("sent", "2.0.0")),
        ("secure match=.far.example", "good", ("sent", "2.0.0")),
        ("verify match=nexthop:hostname", "named", ("sent", "2.0.0")),
        ("encrypt protocols=TLSv1.3:!TLSv1.2", "good", ("sent", "2.0.0")),
        ("encrypt protocols=>=TLSv1.3", "good", ("sent", "2.0.0")),
        ("fingerprint", "good", ("deferred", "4.7.5")),
        ("encrypt match=mx.far.example", "good", ("deferred", "4.7.5")),
        ("bogus", "good", ("deferred", "4.7.5")),
        ("encrypt ciphers=unheard-of", "good", ("deferred", "4.7.5")),
        ("encrypt protocols=TLSv9", "good", ("deferred", "4.7.5")),
        ("dane-only", "good", ("deferred", "4.7.5")),
    ],
)
def test_the_policy_decides(level: str, certificate: str, expected: tuple[str, str]) -> None:
    @asynchronous
    async def run() -> None:
        async with serving(Peer(keywords=OFFER, tls=server(certificate))) as peer:
            agent = make(peer, policies={"far.example": level})
            assert one(await agent.deliver(letter())) == expected
            is_plain = level == "none" and bool(peer.taken)
            assert is_plain or ("(TLS)" in peer.lines) >= bool(peer.taken), "never in the clear"

    run()


@asynchronous
async def test_a_policy_that_is_none_talks_to_nobody() -> None:
    async with serving(Peer(keywords=OFFER)) as peer:
        agent = make(peer, "may", policies={"far.example": "secure tafile=/x"})
        [(_, _, reason)] = summary(await agent.deliver(letter()))
        assert (reason, peer.sessions) == ("client TLS configuration problem", 0)


@asynchronous
async def test_fingerprints_are_those_of_certificate_or_key() -> None:
    whole = hashlib.sha256(der("self")).hexdigest()
    key = certificates.public_key(der("self"))
    assert key is not None
    shown = ":".join(hashlib.sha256(key).hexdigest().upper()[i : i + 2] for i in range(0, 64, 2))
    other = "00" * 32
    async with serving(Peer(keywords=OFFER, tls=server("self"))) as peer:
        for match, expected in ((whole, "sent"), (f"{other}|{shown}", "sent"), (other, "deferred")):
            agent = make(peer, "fingerprint", smtp_tls_fingerprint_cert_match=(match,))
            assert one(await agent.deliver(letter()))[0] == expected


def test_what_is_no_certificate_has_no_key() -> None:
    for data in (b"", b"\x30", b"\x30\x82\xff\xff", b"\x30\x02\x30\x00", der("good")[:100]):
        assert certificates.public_key(data) is None


@pytest.mark.parametrize(
    "level, rules, expected",
    [
        ("may", [("STARTTLS", "454 4.7.0 not now")], ("sent", "2.0.0")),
        ("may", [("STARTTLS", "!421 4.3.0 go away")], ("deferred", "4.4.2")),
        ("may", [("STARTTLS", "!close")], ("deferred", "4.4.2")),
        ("encrypt", [("STARTTLS", "454 4.7.0 not now")], ("deferred", "4.7.0")),
        ("encrypt", [("STARTTLS", "502 5.5.1 what")], ("bounced", "5.5.1")),
        ("encrypt", [("STARTTLS", "250 fine")], ("deferred", "4.5.0")),
        ("may", [("STARTTLS", "!220 go")], ("deferred", "4.7.5")),  # no handshake
        # RFC 3207 6: whatever somebody put behind the reply must not count
        ("encrypt", [("STARTTLS", "220 go\r\n250 injected")], ("deferred", "4.4.2")),
    ],
)
def test_a_server_that_does_not_start_tls(
    level: str, rules: list[tuple[str, str]], expected: tuple[str, str]
) -> None:
    @asynchronous
    async def run() -> None:
        async with serving(Peer(rules, keywords=OFFER, tls=server())) as peer:
            assert one(await make(peer, level).deliver(letter())) == expected
            assert len(peer.taken) == (expected[0] == "sent")

    run()


@asynchronous
async def test_required_tls_that_is_not_offered() -> None:
    async with serving(Peer()) as peer:
        result = await make(peer, "encrypt").deliver(letter())
        reason = f"TLS is required, but was not offered by host {HOST}"
        assert summary(result) == [("deferred", "4.7.4", reason)]


@pytest.mark.parametrize(
    "now, passwords, level, expected",
    [
        (299.0, {}, "may", "deferred"),
        (301.0, {}, "may", "sent"),
        (301.0, {"far.example": "joe:secret"}, "may", "deferred"),
        (301.0, {}, "encrypt", "deferred"),
    ],
)
def test_only_old_mail_without_a_password_goes_in_the_clear(
    now: float, passwords: dict[str, str], level: str, expected: str
) -> None:
    @asynchronous
    async def run() -> None:
        rules = [("STARTTLS", "!220 go")]
        async with serving(Peer(rules, keywords=OFFER)) as peer:
            agent = make(peer, level, passwords=passwords, now=now, smtp_sasl_auth_enable=True)
            assert one(await agent.deliver(letter()))[0] == expected
            assert len(peer.taken) == (expected == "sent")

    run()


@asynchronous
async def test_a_broken_client_certificate_is_left_out_or_stops_mail() -> None:
    async with serving(Peer(keywords=OFFER, tls=server())) as peer:
        for level, expected in (("may", "sent"), ("encrypt", "deferred")):
            agent = make(peer, level, smtp_tls_cert_file="/not/there")
            assert one(await agent.deliver(letter()))[0] == expected


PLAIN_REPLY = [("AUTH PLAIN AGpvZQBzZWNyZXQ=", "235 2.7.0 ok"), ("AUTH", "535 5.7.8 no")]
LOGIN_REPLY = [
    ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
    ("am9l", "334 UGFzc3dvcmQ6"),
    ("c2VjcmV0", "235 2.7.0 ok"),
]
CRAM_REPLY = [
    ("AUTH CRAM-MD5", "334 PDEuMkBzaW5rPg=="),
    ("am9lIDNmMTA0Mjg5NjU3ZjIyYzUzYjRmOWMzNDM4YTA1MmMw", "235 ok"),
]


@pytest.mark.parametrize(
    "offered, rules, settings, expected",
    [
        ("AUTH PLAIN LOGIN", PLAIN_REPLY, {}, ("sent", "2.0.0")),
        ("AUTH=PLAIN", PLAIN_REPLY, {}, ("sent", "2.0.0")),
        ("AUTH LOGIN", LOGIN_REPLY, {}, ("sent", "2.0.0")),
        ("AUTH GSSAPI", [], {}, ("deferred", "4.7.0")),
        (
            "AUTH PLAIN",
            PLAIN_REPLY,
            {"smtp_sasl_security_options": ("noplaintext",)},
            ("deferred", "4.7.0"),
        ),
        ("AUTH PLAIN", [("AUTH", "535 5.7.8 no")], {}, ("deferred", "4.7.8")),
        (
            "AUTH PLAIN",
            [("AUTH", "535 5.7.8 no")],
            {"smtp_sasl_auth_soft_bounce": False},
            ("bounced", "5.7.8"),
        ),
        ("AUTH PLAIN", [("AUTH", "334 more")], {}, ("deferred", "4.7.0")),
        ("AUTH CRAM-MD5", [("AUTH", "334 not base64")], {}, ("deferred", "4.7.0")),
        ("AUTH PLAIN", [("AUTH", "!close")], {}, ("deferred", "4.4.2")),
        ("HELP", [], {}, ("sent", "2.0.0")),  # nothing offered
    ],
)
def test_logging_in(
    offered: str,
    rules: list[tuple[str, str]],
    settings: dict[str, object],
    expected: tuple[str, str],
) -> None:
    @asynchronous
    async def run() -> None:
        async with serving(Peer(rules, keywords=(*KEYWORDS, offered))) as peer:
            agent = make(
                peer,
                passwords={"mx.far.example": "joe:secret"},
                smtp_sasl_auth_enable=True,
                **{"smtp_sasl_security_options": ("noanonymous",), **settings},
            )
            result = await agent.deliver(letter())
            assert one(result) == expected
            assert "c2VjcmV0" not in repr(result)
            assert "secret" not in repr(result)

    run()


@asynchronous
async def test_a_filter_leaves_mechanisms_out() -> None:
    async with serving(Peer(LOGIN_REPLY, keywords=(*KEYWORDS, "AUTH PLAIN LOGIN"))) as peer:
        agent = remote_agent(
            {
                "smtp_sasl_auth_enable": True,
                "smtp_sasl_security_options": (),
                "smtp_connection_cache_on_demand": False,
            },
            Dns(DNS, {"mx.far.example": [LOCAL]}),
            passwords={"far.example": "joe:secret"},
            mechanisms=("!plain", "login"),
            default_port=peer.port,
        )
        assert one(await agent.deliver(letter())) == ("sent", "2.0.0")
        assert "AUTH LOGIN" in peer.lines


@asynchronous
async def test_the_sender_may_have_an_account_of_its_own() -> None:
    passwords = maps({"ann@sender.example": "ann:x:y", "far.example": "joe:secret", "mx": "only"})
    settings = LoginSettings(smtp_sasl_auth_enable=True, smtp_sender_dependent_authentication=True)
    found = Credentials(settings, passwords, address_keys).find
    assert found("mx.far.example", "far.example", Address("ann", "sender.example")) == Account(
        "ann", "x:y"
    )
    nobody = Address("", "")
    assert found("mx.far.example", "far.example", nobody) == Account("joe", "secret")
    assert found("mx", "far.example", nobody) == Account("only", "")
    assert found("other", "other", nobody) is None


def test_what_is_wrong_with_passwords_is_told_without_them() -> None:
    settings = LoginSettings(smtp_sasl_auth_enable=True)
    broken = Maps([("inline:{mx joe:geheim}", FailMap("bad syntax: inline:{mx joe:geheim}"))])
    find = Credentials(settings, broken).find
    with pytest.raises(TableUnavailable, match="smtp_sasl_password_maps") as caught:
        find("mx", "mx", Address("", ""))
    assert "geheim" not in str(caught.value)
