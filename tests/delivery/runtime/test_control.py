"""The control socket."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from delivery.runtime import control
from delivery.runtime.control import ControlError, ControlServer, EngineLock, ask
from tests.delivery.runtime.asynchronous import asynchronous, until


async def echo(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"said": request.get("say")}


async def refuse(request: Mapping[str, Any]) -> dict[str, Any]:
    raise ControlError("not today")


async def break_down(request: Mapping[str, Any]) -> dict[str, Any]:
    raise ZeroDivisionError


async def strange(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"set": {1, 2}}


COMMANDS = {"echo": echo, "refuse": refuse, "break": break_down, "strange": strange}


async def exchange(path: Path, *lines: bytes) -> list[Any]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"".join(lines))
    writer.write_eof()
    answers = [json.loads(line) async for line in reader]
    writer.close()
    return answers


@asynchronous
async def test_it_works(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    server = ControlServer(path, COMMANDS)
    await server.start()
    assert path.stat().st_mode & 0o777 == 0o600
    answer = await asyncio.to_thread(ask, path, {"command": "echo", "say": "hällo"})
    assert answer == {"ok": True, "said": "hällo"}
    answers = await exchange(path, *[b'{"command":"echo","say":%d}\n' % n for n in range(3)])
    assert [answer["said"] for answer in answers] == [0, 1, 2]
    await server.stop()
    assert not path.exists()
    await server.stop()


@asynchronous
async def test_nobody_takes_the_name_of_the_public_socket(tmp_path: Path) -> None:
    path = tmp_path / "queue.sock"
    path.mkdir()
    (path / "kept").write_text("x")
    server = ControlServer(path, COMMANDS, is_public=True)
    await server.start()
    assert path.stat().st_mode & 0o777 == 0o666
    answer = await asyncio.to_thread(ask, path, {"command": "echo", "say": "x"})
    assert answer["ok"]
    await server.stop()
    [bad] = os.listdir(tmp_path)
    assert bad.endswith(".bad")


@pytest.mark.parametrize(
    "line, error",
    [
        (b"status\n", "one JSON object"),
        (b"[1]\n", 'needs "command"'),
        (b'{"command": 1}\n', 'needs "command"'),
        (b'{"command": "none"}\n', "known are break, echo, refuse, strange"),
        (b'{"command": "refuse"}\n', "not today"),
        (b'{"command": "break"}\n', "see its log"),
        (b'{"command": "strange"}\n', "see its log"),
        (b"\xff\xfe\n", "one JSON object"),
        (b"[" * 60_000 + b"\n", "one JSON object"),
        (b"x" * (control.REQUEST_BYTES + 10) + b"\n", "at most"),
    ],
)
@asynchronous
async def test_what_is_wrong_is_said(tmp_path: Path, line: bytes, error: str) -> None:
    server = ControlServer(tmp_path / "s", COMMANDS)
    await server.start()
    [answer, *rest] = await exchange(tmp_path / "s", line)
    assert answer["ok"] is False
    assert error in answer["error"]
    assert await exchange(tmp_path / "s", b'{"command":"echo"}\n') == [{"ok": True, "said": None}]
    assert all(not more["ok"] for more in rest)
    await server.stop()


@pytest.mark.parametrize(
    ("is_public", "limit"), [(False, control.CONNECTIONS), (True, control.USER_CONNECTIONS)]
)
@asynchronous
async def test_connections_are_bounded(tmp_path: Path, is_public: bool, limit: int) -> None:
    """The public socket has a limit for each user."""
    server = ControlServer(tmp_path / "s", COMMANDS, is_public=is_public)
    await server.start()
    idle = []
    for _ in range(limit):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(b'{"command":"echo"}\n')
        await reader.readline()
        idle.append(writer)
    assert (await exchange(tmp_path / "s"))[0]["error"] == "too many connections"
    for writer in idle:
        writer.close()
    await until(lambda: not server._open)
    assert (await exchange(tmp_path / "s", b'{"command":"echo"}\n'))[0]["ok"]
    await server.stop()


@asynchronous
async def test_the_public_socket_makes_one_answer_at_a_time(tmp_path: Path) -> None:
    at_work, most, gate = 0, 0, asyncio.Event()

    async def slow(request: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await gate.wait()
        at_work -= 1
        return {}

    server = ControlServer(tmp_path / "s", {"slow": slow}, is_public=True)
    await server.start()
    asking = [
        asyncio.create_task(exchange(tmp_path / "s", b'{"command":"slow"}\n')) for _ in range(3)
    ]
    await until(lambda: server._open.total() == 3 and at_work == 1)
    gate.set()
    assert all(answer["ok"] for [answer] in await asyncio.gather(*asking))
    assert most == 1
    await server.stop()


@asynchronous
async def test_a_deep_home_is_reached(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["x" * 30] * 6)
    deep.mkdir(parents=True)
    server = ControlServer(deep / "engine.sock", COMMANDS)
    await server.start()
    answer = await asyncio.to_thread(ask, deep / "engine.sock", {"command": "echo"})
    assert answer["ok"]
    await server.stop()


def test_a_lock_is_for_one(tmp_path: Path) -> None:
    lock = EngineLock(tmp_path / "engine.lock")
    with pytest.raises(ControlError, match="another engine is running"):
        EngineLock(tmp_path / "engine.lock")
    lock.release()
    EngineLock(tmp_path / "engine.lock").release()


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no engine answers"):
        ask(tmp_path / "engine.sock", {"command": "status"})


@pytest.mark.parametrize(
    "answer, error",
    [(b"", "hung up"), (b"half", "hung up"), (b"no\n", "no engine"), (b"[]\n", "no")],
)
def test_something_else_answers(tmp_path: Path, answer: bytes, error: str) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ControlError, match=error):
            ask(path, {"command": "status"}, timeout_s=5)
        thread.join()
