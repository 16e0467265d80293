"""twins - complete stand-ins for what the panel talks to.

SUMMARY      EngineTwin: a control socket that answers as the engine does, reading maps/current
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from pathlib import Path
from typing import Any, Self

from tables.errors import GenerationError
from tables.writing.store import Store


class EngineTwin:
    """Listens on WAYPOST_HOME/run/engine.sock; runs the generation that was there at reload."""

    def __init__(self, home: Path) -> None:
        self.path = home / "run" / "engine.sock"
        self.store = Store(home / "maps")
        self.requests: list[dict[str, Any]] = []
        self.raw_reply: bytes | None = None  # said instead of an answer
        self.silent = False  # takes requests and says nothing
        self.generation: int | None = None
        self.digest = ""

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.path))
        self.socket.listen(8)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        self.reload()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.socket.close()
        self.path.unlink()

    def reload(self) -> None:
        """Looks at maps/current, as the engine does on start and when told."""
        with contextlib.suppress(GenerationError):
            manifest = self.store.current()
            if manifest is not None:
                self.generation, self.digest = manifest.number, manifest.digest

    def _serve(self) -> None:
        held = []
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                for each in held:
                    each.close()
                return
            if self.silent:
                held.append(connection)
                continue
            with connection, connection.makefile("rb") as lines:
                request = json.loads(lines.readline())
                self.requests.append(request)
                reply = self.raw_reply or json.dumps(self._answer(request)).encode() + b"\n"
                with contextlib.suppress(OSError):
                    connection.sendall(reply)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        match request["command"]:
            case "reload":
                self.reload()
            case "status":
                pass
            case "flush":
                return {"ok": True, "scheduled": 3}
            case "queue":
                return {"ok": True, "messages": [], "more": False}
            case other:
                return {"ok": False, "error": f"unknown command {other}"}
        return {
            "ok": True,
            "pid": 1,
            "generation": self.generation,
            "generation_digest": self.digest or None,
            "generation_error": None,
        }
