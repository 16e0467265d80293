"""control - the socket by which operators and the panel reach a running engine.

SUMMARY      ControlServer(path, commands): one JSON object a line in, one a line out
RULES        {"command": "status"} -> {"ok": true, ...}
             anything wrong        -> {"ok": false, "error": "..."}
             the socket is mode 0600 in a directory of mode 0700: who may open it may use it
             an engine that died leaves its socket; the next one takes its place, unless one answers
LIMITS       REQUEST_BYTES a request; IDLE_S between requests; CONNECTIONS at once
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from delivery import log
from delivery.errors import DeliveryError

REQUEST_BYTES = 64 * 1024
IDLE_S = 60.0
CONNECTIONS = 32

SOCKET_PATH_BYTES = 107  # unix(7) sun_path

Answer = dict[str, Any]
Command = Callable[[Mapping[str, Any]], Awaitable[Answer]]


class ControlError(DeliveryError):
    """A request that cannot be carried out; the text goes to whoever asked."""


class ControlServer:
    """Serves commands by name."""

    def __init__(self, path: Path, commands: Mapping[str, Command]) -> None:
        self._path = path
        self._commands = dict(commands)
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self) -> None:
        """Listen; raises ControlError when another engine answers on the same socket."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._path.exists():
            await self._take_over()
        before = os.umask(0o177)
        try:
            with reachable(self._path) as path:
                self._server = await asyncio.start_unix_server(
                    self._serve, path=path, limit=REQUEST_BYTES
                )
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _take_over(self) -> None:
        try:
            with reachable(self._path) as path:
                _, writer = await asyncio.open_unix_connection(path)
        except OSError:
            self._path.unlink(missing_ok=True)
            return
        writer.close()
        raise ControlError(f"another engine is running: {self._path} answers")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open > CONNECTIONS:
                _say(writer, {"ok": False, "error": "too many connections"})
                return
            while line := await asyncio.wait_for(reader.readline(), IDLE_S):
                _say(writer, await self._answer(line))
                await writer.drain()
        except ValueError:
            _say(writer, {"ok": False, "error": f"a request has at most {REQUEST_BYTES} bytes"})
        except (OSError, TimeoutError):
            return  # who asked is gone, or has nothing more to ask
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = json.loads(line)
        except ValueError:
            return {"ok": False, "error": "a request is one JSON object in one line"}
        if not isinstance(request, dict) or not isinstance(request.get("command"), str):
            return {"ok": False, "error": 'a request needs "command"'}
        command = self._commands.get(request["command"])
        if command is None:
            known = ", ".join(sorted(self._commands))
            return {"ok": False, "error": f"no such command; known are {known}"}
        try:
            return {"ok": True, **await command(request)}
        except DeliveryError as error:
            return {"ok": False, "error": str(error)}
        except Exception as error:  # noqa: BLE001 - the engine must outlive a bad command
            log.event("control", command=request["command"], problem=repr(error))
            return {"ok": False, "error": "the engine could not do this; its log says why"}


@contextlib.contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name of the socket that fits into an address, however deep its directory is. unix(7)"""
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _say(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")


def ask(path: Path, request: Mapping[str, Any], *, timeout_s: float = 10.0) -> Answer:
    """One request from another process, blocking. Raises ControlError when nobody answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        try:
            with reachable(path) as short:
                connection.connect(short)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answers:
                line = answers.readline()
        except OSError as error:
            raise ControlError(f"no engine answers on {path}: {error}") from error
    if not line:
        raise ControlError(f"the engine on {path} hung up")
    answer: Answer = json.loads(line)
    return answer
