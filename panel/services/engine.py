"""engine - asks the engine of this host over its control socket.

SUMMARY      EngineControl(path).status() / reload() / flush() / queue(limit, after)
RULES        one JSON object a line, one request a connection; the panel never imports the engine.
             Nothing waits longer than `timeout_s`, no reply is longer than ENGINE_REPLY_LIMIT.
             Only a worker on the engine's own host can ask; others go through the node's queue.
ERRORS       EngineUnreachable: nobody listens, or not in time; EngineRefused: it said no
SOURCE       unix(7): a path has at most 107 bytes, so a longer one is reached by its directory
"""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from panel.constants import ENGINE_REPLY_LIMIT, ENGINE_TIMEOUT_S

SOCKET_PATH_LIMIT = 107  # bytes; unix(7)


class EngineError(Exception):
    """The engine did not do what was asked."""


class EngineUnreachable(EngineError):
    """The engine does not run, or does not answer in time."""


class EngineRefused(EngineError):
    """The engine answered that it could not; the text is its own."""


class EngineControl:
    """The control socket at `path`."""

    def __init__(self, path: Path, *, timeout_s: float = ENGINE_TIMEOUT_S) -> None:
        self.path = path
        self.timeout_s = timeout_s

    def status(self) -> dict[str, Any]:
        """What it runs: pid, version, generation, generation_digest, listeners, queue, counters."""
        return self.ask({"command": "status"})

    def reload(self) -> dict[str, Any]:
        """Has it look at maps/current now; answers as status."""
        return self.ask({"command": "reload"})

    def flush(self) -> int:
        """Has it try all deferred mail now; how many messages that are."""
        return int(self.ask({"command": "flush"}).get("scheduled", 0))

    def queue(self, *, limit: int = 100, after: str = "") -> dict[str, Any]:
        """A page of queued messages: {"messages": [...], "more": bool}."""
        request: dict[str, Any] = {"command": "queue", "limit": limit}
        return self.ask(request | ({"after": after} if after else {}))

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request. Raises EngineUnreachable or EngineRefused."""
        deadline = time.monotonic() + self.timeout_s
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self.timeout_s)
                self._connect(connection)
                connection.sendall(json.dumps(request).encode() + b"\n")
                line = _read_line(connection, deadline)
        except OSError as error:
            raise EngineUnreachable(
                f"The engine does not answer on its control socket ({error})."
            ) from error
        try:
            reply = json.loads(line)
        except ValueError as error:
            raise EngineUnreachable("The engine's answer is not understood.") from error
        if not isinstance(reply, dict):
            raise EngineUnreachable("The engine's answer is not understood.")
        if reply.get("ok") is not True:
            raise EngineRefused(str(reply.get("error", "no reason given"))[:1000])
        return reply

    def _connect(self, connection: socket.socket) -> None:
        if len(os.fsencode(self.path)) <= SOCKET_PATH_LIMIT:
            connection.connect(str(self.path))
            return
        directory = os.open(self.path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connection.connect(f"/proc/self/fd/{directory}/{self.path.name}")
        finally:
            os.close(directory)


def _read_line(connection: socket.socket, deadline: float) -> bytes:
    """Bytes up to the line end. Raises OSError (TimeoutError included)."""
    received = bytearray()
    while b"\n" not in received[-65536:]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        connection.settimeout(left)
        data = connection.recv(65536)
        if not data:
            raise ConnectionError("it closed the connection")
        received += data
        if len(received) > ENGINE_REPLY_LIMIT:
            raise ConnectionError("its answer is too long")
    return bytes(received.partition(b"\n")[0])
