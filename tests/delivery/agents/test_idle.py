"""Connections that are kept for the next message."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from delivery.agents.idle import IdleConnections
from tables.addresses import Address
from tests.delivery.agents.peer import Peer, serving
from tests.delivery.agents.remotes import (
    letter,
    make,
    summary,
)
from tests.delivery.runtime.asynchronous import until
from tests.delivery.spool.messages import asynchronous, recipient


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
async def test_421_ends_the_use_of_a_connection() -> None:
    async with serving(Peer([("RCPT TO:<a", "421 4.3.2 closing")])) as peer:
        idle = IdleConnections()
        agent = make(peer, idle=idle, smtp_connection_cache_time_limit=30.0)
        people = (recipient("a@far.example"), recipient("b@far.example"))
        await agent.deliver(letter(*people))
        assert len(idle) == 0


@asynchronous
async def test_connections_are_kept_only_where_that_is_worth_it() -> None:
    async with serving(Peer()) as peer:
        idle = IdleConnections()
        kept = {"smtp_connection_cache_time_limit": 30.0, "idle": idle}
        agent = make(peer, **kept)  # type: ignore[arg-type]
        for is_busy in (False, False, True, True):
            await agent.deliver(replace(letter(), is_busy=is_busy))
        assert peer.sessions == 3
        named = make(peer, smtp_connection_cache_destinations=("far.example",), **kept)  # type: ignore[arg-type]
        for _ in range(2):
            await named.deliver(replace(letter(), is_busy=False))
        assert peer.sessions == 4
        idle.close()
