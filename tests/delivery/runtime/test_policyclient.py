"""Policy services: what they are asked, which answers count, connections, tries and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from delivery.policy.facts import PolicyService, PolicyServiceUnavailable
from delivery.runtime.policyclient import PolicyClient
from tests.delivery.runtime.asynchronous import asynchronous, until

HANG_UP = b""
SILENCE = b"silence"
ASKED = [("request", "x")]


class Service:
    """A policy service that gives the answers of a script, the last one for ever."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.answers = list(answers)
        self.requests: list[str] = []
        self.connections = 0
        self.open = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while True:
                self.requests.append((await reader.readuntil(b"\n\n")).decode())
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer == HANG_UP:
                    return
                writer.write(b"" if answer == SILENCE else answer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            self.open -= 1
            writer.close()


def service(endpoint: str, **given: float) -> PolicyService:
    settings = {
        "timeout_s": 5.0,
        "max_idle_s": 60.0,
        "max_ttl_s": 60.0,
        "request_limit": 0,
        "try_limit": 2,
        "retry_delay_s": 0.0,
    } | given
    return PolicyService(
        endpoint=endpoint,
        default_action="DUNNO",
        policy_context="",
        **settings,  # type: ignore[arg-type]
    )


@asynccontextmanager
async def listening(
    path: Path, *answers: bytes
) -> AsyncIterator[tuple[Service, str, PolicyClient]]:
    spoken = Service(answers)
    server = await asyncio.start_unix_server(spoken, path / "policy")
    client = PolicyClient()
    try:
        yield spoken, f"unix:{path / 'policy'}", client
    finally:
        client.close()
        server.close()
        await until(lambda: spoken.open == 0)


@asynchronous
async def test_a_request_is_lines_and_an_empty_line(tmp_path: Path) -> None:
    async with listening(tmp_path, b"action=OK\n\n") as (spoken, endpoint, client):
        asked = await client.ask(service(endpoint), [("request", "x"), ("helo_name", "a\nb=\0c")])
        assert asked == "OK"
        assert spoken.requests == ["request=x\nhelo_name=a b= c\n\n"]


@asynchronous
async def test_an_inet_service_is_asked(tmp_path: Path) -> None:
    spoken = Service([b"action=REJECT no\n\n"])
    server = await asyncio.start_server(spoken, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = PolicyClient()
    assert await client.ask(service(f"inet:127.0.0.1:{port}"), ASKED) == "REJECT no"
    client.close()
    server.close()
    await until(lambda: spoken.open == 0)


@pytest.mark.parametrize(
    ("answer", "action"),
    [
        (b"action=\n\n", ""),
        (b"other=x\naction=REJECT x\n\n", "REJECT x"),
        (b"action=DUNNO\naction=REJECT y\n\n", "DUNNO"),
        (b"action=PREPEND X-A: 1\tx\n\n", "PREPEND X-A: 1\tx"),
    ],
)
@asynchronous
async def test_the_first_action_counts(tmp_path: Path, answer: bytes, action: str) -> None:
    async with listening(tmp_path, answer) as (spoken, endpoint, client):
        assert await client.ask(service(endpoint), ASKED) == action
        assert len(spoken.requests) == 1


@pytest.mark.parametrize(
    "answer", [b"garbage\n\n", b"\n\n", b"ACTION=OK\n\n", b"action = OK\n\n", HANG_UP]
)
@asynchronous
async def test_what_is_no_answer_is_asked_for_again(tmp_path: Path, answer: bytes) -> None:
    async with listening(tmp_path, answer) as (spoken, endpoint, client):
        with pytest.raises(PolicyServiceUnavailable):
            await client.ask(service(endpoint), ASKED)
        assert len(spoken.requests) == 2
        spoken.answers = [b"action=OK\n\n"]
        assert await client.ask(service(endpoint), ASKED) == "OK"


@asynchronous
async def test_silence_ends_in_time(tmp_path: Path) -> None:
    async with listening(tmp_path, b"action=OK\n", b"action=OK\n\n") as (spoken, endpoint, client):
        assert await client.ask(service(endpoint, timeout_s=0.05), ASKED) == "OK"
        assert len(spoken.requests) == 2


@asynchronous
async def test_a_connection_is_used_again(tmp_path: Path) -> None:
    async with listening(tmp_path, b"action=OK\n\n") as (spoken, endpoint, client):
        for _ in range(3):
            await client.ask(service(endpoint), ASKED)
        assert (spoken.connections, len(spoken.requests)) == (1, 3)
        await asyncio.gather(*(client.ask(service(endpoint), ASKED) for _ in range(3)))
        assert spoken.connections == 3


@asynchronous
async def test_a_connection_is_used_for_so_many_requests(tmp_path: Path) -> None:
    async with listening(tmp_path, b"action=OK\n\n") as (spoken, endpoint, client):
        for _ in range(4):
            await client.ask(service(endpoint, request_limit=2), ASKED)
        assert spoken.connections == 2


@asynchronous
async def test_a_connection_does_not_rest_for_ever(tmp_path: Path) -> None:
    async with listening(tmp_path, b"action=OK\n\n") as (spoken, endpoint, client):
        await client.ask(service(endpoint, max_idle_s=0.02), ASKED)
        await until(lambda: spoken.open == 0)
        await client.ask(service(endpoint, max_ttl_s=0.0), ASKED)
        await until(lambda: spoken.open == 0)
        assert spoken.connections == 2


@asynchronous
async def test_more_than_an_answer_is_no_answer_to_the_next_request(tmp_path: Path) -> None:
    answers = (b"action=DUNNO\n\naction=OK\n\n", b"action=REJECT\n\n")
    async with listening(tmp_path, *answers) as (spoken, endpoint, client):
        assert await client.ask(service(endpoint), ASKED) == "DUNNO"
        assert await client.ask(service(endpoint), ASKED) == "REJECT"
        assert spoken.connections == 2


@asynchronous
async def test_an_endless_answer_is_cut(tmp_path: Path) -> None:
    async with listening(tmp_path, b"x" * 200_000) as (_, endpoint, client):
        with pytest.raises(PolicyServiceUnavailable, match="more than"):
            await client.ask(service(endpoint, try_limit=1), ASKED)


@asynchronous
async def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(PolicyServiceUnavailable):
        await PolicyClient().ask(service(f"unix:{tmp_path / 'none'}"), ASKED)


@asynchronous
async def test_a_busy_connection_has_no_timers_left(tmp_path: Path) -> None:
    """One for each request would stay for max_idle seconds."""
    async with listening(tmp_path, b"action=OK\n\n") as (_, endpoint, client):
        for _ in range(5):
            await client.ask(service(endpoint), ASKED)
        [connection] = client._idle[endpoint]
        first = connection.timer
        await client.ask(service(endpoint), ASKED)
        assert first is not None
        assert first.cancelled()
