"""What an alias hands on: as new mail, with its own end."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

from tests.delivery.runtime.asynchronous import asynchronous, until
from tests.delivery.runtime.rig import queue
from tests.delivery.spool.messages import envelope

HOUR = 3600.0


@asynchronous
async def test_an_alias_is_handed_on_with_its_end(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.forwards["team"] = ("one@far.example", "two@far.example")
        await made.enter(envelope("team@far.example"))
        await made.run()
        await made.quiet()
        assert sorted(made.agent.tried) == ["one", "team", "two"]
        assert made.agent.contents[1].startswith(b"Received: by mx.test.example (Waypost)\r\n")
        assert b"Delivered-To: origin\r\nReceived: here\r\n" in made.agent.contents[1]
        assert await made.states() == {}


@asynchronous
async def test_an_alias_does_not_wait_for_others(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.forwards["team"] = ("one@far.example",)
        made.agent.gate = asyncio.Event()
        await made.enter(envelope("slow@slow.example"))
        made.attempts.wake()
        await until(lambda: made.agent.tried == ["slow"])
        stuck, made.agent.gate = made.agent.gate, None
        await made.enter(envelope("team@far.example", "other@slow.example"))
        made.attempts.wake()
        await until(lambda: "one" in made.agent.tried)
        stuck.set()
        await made.quiet()


@asynchronous
async def test_an_alias_that_the_disk_refuses_is_expanded_again(tmp_path: Path) -> None:
    """While others of its message are still being tried."""
    async with queue(tmp_path) as made:
        made.agent.forwards["team"] = ("one@far.example",)
        stuck = made.agent.gate = asyncio.Event()
        await made.enter(envelope("slow@slow.example"))
        made.attempts.wake()
        await until(lambda: made.agent.tried == ["slow"])
        await made.enter(envelope("team@far.example", "other@other.example"))
        room = made.spool.limits
        made.spool.limits = replace(room, free_bytes=1 << 62)
        made.attempts.wake()
        await until(lambda: "team" in made.agent.tried)
        stuck.set()
        await made.quiet()
        assert made.counters.values == {"delivered": 2, "deferred": 1}
        made.spool.limits = room
        made.clock.now += HOUR
        await made.look()
        await until(lambda: "one" in made.agent.tried)
        assert made.agent.tried.count("team") == 2
        assert made.agent.tried.count("other") == 1


@asynchronous
async def test_an_alias_that_comes_back_for_ever_is_returned(tmp_path: Path) -> None:
    async with queue(tmp_path) as made:
        made.agent.forwards["team"] = ("team@far.example",)
        await made.enter(envelope("team@far.example"), b"Received: x\r\n" * 40 + b"\r\n")
        await made.run()
        assert made.agent.tried == ["team"] * 9 + ["ann"]
        assert b"Status: 5.4.0" in made.agent.contents[-1]
        assert await made.states() == {}
    told = [json.loads(line) for line in journal_lines(tmp_path)]
    [bounced] = [each for each in told if each["event"] == "bounced"]
    assert bounced["recipient"] == "team@far.example"
    assert "transport" not in bounced


def journal_lines(path: Path) -> list[str]:
    [file] = (path / "journal").glob("*.jsonl")
    return file.read_text().splitlines()
