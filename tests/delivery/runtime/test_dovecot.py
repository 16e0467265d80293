"""What Dovecot is asked, what its answers mean, and that it may be gone, silent or mad."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from delivery.runtime import dovecot as module
from delivery.runtime.dovecot import (
    Answer,
    AuthService,
    AuthUnavailable,
    Circumstances,
    Logins,
    Mechanism,
    Verdict,
)
from tests.delivery.runtime.asynchronous import asynchronous, until
from tests.delivery.runtime.dovecotpeer import (
    FAIL,
    HANG_UP,
    INTRODUCTION,
    OK,
    SILENCE,
    DovecotPeer,
    dovecot,
)

ABOUT = Circumstances(
    service="smtp", server_address="192.0.2.1", client_address="192.0.2.7", is_encrypted=False
)


@asynccontextmanager
async def asking(
    path: Path, *answers: str, introduction: tuple[str, ...] = INTRODUCTION
) -> AsyncIterator[tuple[DovecotPeer, AuthService]]:
    logins = Logins()
    async with dovecot(path, *answers, introduction=introduction) as peer:
        try:
            yield peer, logins.at(f"unix:{path}/auth")
        finally:
            logins.close()


@asynchronous
async def test_it_works(tmp_path: Path) -> None:
    async with asking(tmp_path, OK) as (peer, service):
        mechanisms = await service.mechanisms()
        assert mechanisms[:2] == (
            Mechanism("PLAIN", frozenset({"plaintext"})),
            Mechanism("LOGIN", frozenset({"plaintext"})),
        )
        _, answer = await service.begin("PLAIN", "AGpvZQBz", ABOUT)
        assert answer == Answer(Verdict.DONE, user="joe")
        assert peer.requests == [
            "AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=192.0.2.1\trip=192.0.2.7\tresp=AGpvZQBz"
        ]
        assert peer.connections == 1


@asynchronous
async def test_it_is_told_of_tls(tmp_path: Path) -> None:
    async with asking(tmp_path) as (peer, service):
        about = Circumstances(
            service="smtp", server_address="a\tb", client_address="c\n", is_encrypted=True
        )
        await service.begin("LOGIN", None, about)
        assert peer.requests == [
            "AUTH\t1\tLOGIN\tservice=smtp\tnologin\tlip=a\x01tb\trip=c\x01n\tsecured"
        ]


@asynchronous
async def test_a_challenge_is_answered(tmp_path: Path) -> None:
    async with asking(tmp_path, "CONT\t{}\tVXNlcm5hbWU6", "CONT\t{}\t", OK) as (peer, service):
        exchange, answer = await service.begin("LOGIN", None, ABOUT)
        assert (answer.verdict, answer.challenge) == (Verdict.MORE, "VXNlcm5hbWU6")
        assert (await exchange.go_on("am9l")).verdict is Verdict.MORE
        assert (await exchange.go_on("")).verdict is Verdict.DONE
        assert peer.requests[1:] == ["CONT\t1\tam9l", "CONT\t1\t"]


@pytest.mark.parametrize(
    "line, expected",
    [
        (FAIL, Answer(Verdict.FAILED, user="joe")),
        ("FAIL\t{}", Answer(Verdict.FAILED)),
        ("FAIL\t{}\treason=no\x01tway", Answer(Verdict.FAILED, reason="no\tway")),
        ("FAIL\t{}\ttemp", Answer(Verdict.FAILED, is_temporary=True)),
        ("FAIL\t{}\tcode=temp_fail", Answer(Verdict.FAILED, is_temporary=True)),
        ("OK\t{}\tuser=a\x01nb\x011\tx=y", Answer(Verdict.DONE, user="a\nb\x01")),
    ],
)
def test_answers(tmp_path: Path, line: str, expected: Answer) -> None:
    @asynchronous
    async def run() -> None:
        async with asking(tmp_path, line) as (_, service):
            assert (await service.begin("PLAIN", "", ABOUT))[1] == expected

    run()


@asynchronous
async def test_clients_share_the_connection(tmp_path: Path) -> None:
    async with asking(tmp_path, SILENCE, FAIL) as (peer, service):
        first = asyncio.create_task(service.begin("PLAIN", "YQ==", ABOUT))
        await until(lambda: len(peer.requests) == 1)
        _, second = await service.begin("PLAIN", "Yg==", ABOUT)
        assert second.verdict is Verdict.FAILED
        assert not first.done()
        peer.answers = ["OK\t1\tuser=first"]  # whoever asks, the first is answered
        asyncio.get_running_loop().create_task(service.begin("PLAIN", "Yw==", ABOUT))
        assert (await first)[1].user == "first"
        assert peer.connections == 1


@asynchronous
async def test_nobody_is_there(tmp_path: Path) -> None:
    service = AuthService(f"unix:{tmp_path}/nothing")
    for _ in range(2):
        with pytest.raises(AuthUnavailable):
            await service.begin("PLAIN", "", ABOUT)
    service.wake()
    assert not service.is_awaited, "it was tried a moment ago"


@asynchronous
async def test_one_that_hung_up_is_connected_to_again(tmp_path: Path) -> None:
    async with asking(tmp_path, HANG_UP, OK) as (peer, service):
        with pytest.raises(AuthUnavailable):
            await service.begin("PLAIN", "", ABOUT)
        assert service.known, "what it offers is not forgotten"
        assert (await service.begin("PLAIN", "", ABOUT))[1].verdict is Verdict.DONE
        assert peer.connections == 2


@asynchronous
async def test_an_exchange_does_not_outlive_its_connection(tmp_path: Path) -> None:
    async with asking(tmp_path, "CONT\t{}\t", HANG_UP) as (_, service):
        exchange, _ = await service.begin("PLAIN", None, ABOUT)
        for _ in range(2):
            with pytest.raises(AuthUnavailable):
                await exchange.go_on("YQ==")


@asynchronous
async def test_silence_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.01)
    async with asking(tmp_path, SILENCE) as (_, service):
        with pytest.raises(AuthUnavailable):
            await service.begin("PLAIN", "", ABOUT)


@pytest.mark.parametrize(
    "introduction",
    [
        (),
        ("VERSION\t2\t0", "DONE"),
        ("VERSION", "DONE"),
        ("MECH", "DONE"),
        ("x" * (module.LINE_BYTES + 70_000),),
    ],
    ids=["none", "another version", "no version", "no mechanism", "too much"],
)
def test_one_that_is_no_dovecot_is_not_used(
    tmp_path: Path, introduction: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_S", 1.0 if introduction else 0.01)

    @asynchronous
    async def run() -> None:
        async with asking(tmp_path, introduction=introduction) as (_, service):
            with pytest.raises(AuthUnavailable):
                await service.mechanisms()
            assert service.known == ()

    run()


@asynchronous
async def test_nobody_is_let_in_without_a_name(tmp_path: Path) -> None:
    for answer in ("OK\t{}", "OK\t{}\tuser=", "OK\tx\tuser=joe"):
        home = tmp_path / str(len(answer))
        home.mkdir()
        async with asking(home, answer) as (_, service):
            with pytest.raises(AuthUnavailable):
                await service.begin("PLAIN", "", ABOUT)


def test_secrets_are_in_no_text() -> None:
    assert "c2VjcmV0" not in repr(Answer(Verdict.MORE, challenge="c2VjcmV0"))
