"""A server that stalls, hangs up or says 421 at any stage: the next one gets the message, once."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from delivery.values import Status
from tests.delivery.agents.peer import Dns, Mx, Peer, serving
from tests.delivery.agents.remotes import LOCAL, QUICK, letter, make
from tests.delivery.spool.messages import asynchronous

OTHER = "127.0.0.2"
DNS = Dns(
    {"far.example": [Mx(10, "bad.far.example"), Mx(20, "good.far.example")]},
    {"bad.far.example": [LOCAL], "good.far.example": [OTHER]},
)
FAULTS = {
    "stall": "!hang",
    "hang up": "!close",
    "421 and hang up": "!421 4.3.2 closing",
    "421 and stay": "421 4.3.2 closing",
    "no SMTP": "HTTP/1.1 400 Bad Request",
    "too much": "450-" + "x" * 100_000,
}
STAGES = ("connect", "EHLO", "MAIL", "RCPT", "DATA", ".")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", STAGES)
def test_the_next_server_gets_it(stage: str, fault: str) -> None:
    @asynchronous
    async def run() -> None:
        bad, good = Peer([(stage, FAULTS[fault])]), Peer()
        if stage == "connect":
            bad.greeting = FAULTS[fault]
        async with serving(bad):
            good.port = bad.port
            async with serving(good, OTHER):
                timeouts = QUICK if fault == "stall" else None  # nobody else is waited for
                result = await make(bad, DNS, timeouts=timeouts).deliver(letter())
                [outcome] = result.outcomes
                assert outcome.status is Status.SENT, outcome
                assert bad.taken == []
                assert len(good.taken) == 1

    run()


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose server takes no connection: its queue of them is full."""
    with socket.socket() as server, contextlib.ExitStack() as stack:
        server.bind((LOCAL, 0))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@asynchronous
async def test_a_server_that_takes_no_connection_is_given_up() -> None:
    with deaf_port() as port:
        good = Peer()
        good.port = port
        async with serving(good, OTHER):
            result = await make(good, DNS, timeouts=QUICK).deliver(letter())
            assert [item.status for item in result.outcomes] == [Status.SENT]


@asynchronous
async def test_a_goodbye_that_is_not_answered_delays_nothing() -> None:
    async with serving(Peer([("QUIT", "!hang")])) as peer:
        result = await make(peer).deliver(letter())
        assert [item.status for item in result.outcomes] == [Status.SENT]
        assert len(peer.taken) == 1
