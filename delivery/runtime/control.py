"""control - the socket by which operators and the panel reach a running engine.

SUMMARY      ControlServer(path, commands): one JSON object a line in, one a line out
             with is_public, any user of this machine may ask, and requests say who: "caller"
             ask(path, request): the other side, blocking
RULES        {"command": "status"} -> {"ok": true, ...}
             anything wrong        -> {"ok": false, "error": "..."}
             the socket is mode 0600 in a directory of mode 0700: who may open it may use it
             an engine that died leaves its socket; the next one takes its place, once it has the
             lock of the home (EngineLock): only one engine can be at work in a home
             the public socket is where all may make files: nothing of theirs keeps it from its
             name; one answer is made for it at a time, so that no user keeps the engine busy
LIMITS       REQUEST_BYTES a request; IDLE_S between requests, and for an answer to be taken;
             CONNECTIONS at once, USER_CONNECTIONS of them of one user of the public socket
ERRORS       ControlError, for both sides
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from delivery import log
from delivery.errors import DeliveryError
from delivery.runtime.callers import UNKNOWN, name_of

REQUEST_BYTES = 64 * 1024
IDLE_S = 60.0
CONNECTIONS = 32
USER_CONNECTIONS = 4
RENAMES = 100  # tries, when another user takes the name again and again

SOCKET_PATH_BYTES = 107  # unix(7) sun_path

Answer = dict[str, Any]
Command = Callable[[Mapping[str, Any]], Awaitable[Answer]]


class ControlError(DeliveryError):
    """A request that cannot be carried out; the text goes to whoever asked."""


class EngineLock:
    """Held by the one engine of a home as long as it runs; released by its death too."""

    def __init__(self, path: Path) -> None:
        """Take it. Raises ControlError when another engine has it."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise ControlError(f"another engine is running: {path} is locked") from None

    def release(self) -> None:
        """Let another engine take it."""
        os.close(self._file)


class ControlServer:
    """Serves commands by name."""

    def __init__(
        self, path: Path, commands: Mapping[str, Command], *, is_public: bool = False
    ) -> None:
        self._path = path
        self._is_public = is_public
        self._commands = dict(commands)
        self._server: asyncio.Server | None = None
        self._open: Counter[int | None] = Counter()  # connections of each user, where it counts
        self._turn = asyncio.Lock() if is_public else contextlib.nullcontext()

    async def start(self) -> None:
        """Listen, in place of whatever is there; the caller holds the EngineLock."""
        made = self._path.with_name(f".{secrets.token_hex(8)}.sock")  # others cannot know it
        before = os.umask(0o111 if self._is_public else 0o177)
        try:
            with reachable(made) as path:
                self._server = await asyncio.start_unix_server(
                    self._serve, path=path, limit=REQUEST_BYTES
                )
        finally:
            os.umask(before)
        _take_place(made, self._path)

    async def stop(self) -> None:
        """Stop listening and remove the socket; harmless a second time."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = _user_of(writer) if self._is_public else None
        self._open[uid] += 1
        try:
            most = USER_CONNECTIONS if self._is_public else CONNECTIONS
            if self._open[uid] > most or self._open.total() > CONNECTIONS:
                writer.write(_encoded({"ok": False, "error": "too many connections"}))
                return
            caller = None if uid is None else await _caller(uid)
            while line := await asyncio.wait_for(reader.readline(), IDLE_S):
                async with self._turn:
                    answer = await self._answer(line, caller)
                writer.write(answer)
                await asyncio.wait_for(writer.drain(), IDLE_S)
        except ValueError:  # of readline(): beyond the limit
            error = f"a request has at most {REQUEST_BYTES} bytes"
            writer.write(_encoded({"ok": False, "error": error}))
        except (OSError, TimeoutError):
            return  # who asked is gone, or has nothing more to ask
        finally:
            self._open -= Counter([uid])  # and forgets who has none
            writer.close()

    async def _answer(self, line: bytes, caller: str | None) -> bytes:
        try:
            return _encoded({"ok": True, **await self._carry_out(line, caller)})
        except DeliveryError as error:
            return _encoded({"ok": False, "error": str(error)})
        except Exception as error:  # noqa: BLE001 - the engine must outlive a bad command
            log.event("control", problem=repr(error))
            return _encoded({"ok": False, "error": "the engine could not do this; see its log"})

    async def _carry_out(self, line: bytes, caller: str | None) -> Answer:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            raise ControlError("a request is one JSON object in one line") from None
        if not isinstance(request, dict) or not isinstance(request.get("command"), str):
            raise ControlError('a request needs "command"')
        command = self._commands.get(request["command"])
        if command is None:
            known = ", ".join(sorted(self._commands))
            raise ControlError(f"no such command; known are {known}")
        return await command(request if caller is None else {**request, "caller": caller})


def _user_of(writer: asyncio.StreamWriter) -> int:
    """The number of the user at the other end. unix(7) SO_PEERCRED"""
    peer = writer.get_extra_info("socket")
    size = struct.calcsize("3i")
    uid: int
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return uid


async def _caller(uid: int) -> str:
    try:
        return await name_of(uid)
    except OSError:
        return UNKNOWN


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


def _take_place(made: Path, path: Path) -> None:
    """Give a new socket its name. What has it, be it a directory of another user's, has to go."""
    for _ in range(RENAMES):
        try:
            made.rename(path)
            return
        except OSError:  # EISDIR; a file of whatever kind is replaced
            with contextlib.suppress(FileNotFoundError):
                path.rename(path.with_name(f"{path.name}.{secrets.token_hex(8)}.bad"))
    made.rename(path)


def _encoded(answer: Answer) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode() + b"\n"


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
    if not line.endswith(b"\n"):
        raise ControlError(f"the engine on {path} hung up")
    try:
        answer = json.loads(line)
    except ValueError:
        raise ControlError(f"what answers on {path} is no engine") from None
    if not isinstance(answer, dict):
        raise ControlError(f"what answers on {path} is no engine")
    return answer
