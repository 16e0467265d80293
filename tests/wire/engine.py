"""engine - the real engine as a process of its own, with a home that holds generations.

house = Home(tmp_path); house.publish(values={...}, mailboxes=[...])
with Running(house) as engine: ...
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from delivery.runtime.control import ControlError, ask
from privilege import files_of
from tables.writing.compiler import compile_rows
from tables.writing.rows import DomainRecord, MailboxRecord, TableRecord
from tables.writing.store import Store
from tests.ports import free_port
from tests.tables.writing.records import domain, mailbox, rows, service, table
from tests.wire.polling import eventually

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = {
    "myhostname": "mx.test.example",
    "mydestination": "",
    "mynetworks": "127.0.0.1/32",
    "virtual_alias_maps": "hash:virtual",
    "smtpd_peername_lookup": "no",
    "smtpd_error_sleep_time": "0s",
}


class Home:
    """A directory as WAYPOST_HOME: what a panel would have published, and what came out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Store(path / "maps")
        path.mkdir(exist_ok=True)

    def publish(
        self,
        *,
        values: Mapping[str, str] | None = None,
        mailboxes: Iterable[str] = ("joe@example.com", "ann@example.com"),
        boxes: Iterable[MailboxRecord] = (),
        virtual: Mapping[str, str] | None = None,
        tables: Iterable[TableRecord] = (),
        services: Iterable[str] = (),
        domains: Iterable[DomainRecord] = (),
        guard: bool = True,
    ) -> int:
        """Build a generation and switch to it; its number."""
        virtual_boxes = [mailbox(address) for address in mailboxes]
        names = dict.fromkeys(box.address.domain for box in virtual_boxes)
        with files_of(self.path), self.store.begin() as build:
            content, report = compile_rows(
                rows(
                    values={**DEFAULTS, **(values or {})},
                    tables=[table("virtual", virtual or {}), *tables],
                    services=[service(line) for line in services],
                    domains=[*map(domain, names), *domains],
                    mailboxes=[*virtual_boxes, *boxes],
                    guard=guard,
                ),
                build,
            )
            assert not report.errors, report.errors
            number = self.store.latest() + 1
            build.finish(number, number, content)
        with files_of(self.path):
            self.store.switch(number)
        return number

    def letters(self, address: str) -> list[bytes]:
        """Messages in the mailbox, oldest first."""
        local, _, name = address.partition("@")
        new = self.path / "mail" / name / local / "Maildir" / "new"
        return [path.read_bytes() for path in sorted(new.glob("*"))]

    def letter(self, address: str, *, within_s: float = 20.0) -> bytes:
        """The only message in the mailbox, once it is there."""
        eventually(lambda: self.letters(address), within_s=within_s, what=f"mail for {address}")
        [found] = self.letters(address)
        return found


class Running:
    """An engine at work in a home."""

    def __init__(
        self,
        home: Home,
        *,
        command: Sequence[str] = (sys.executable, "-m", "delivery", "serve"),
        **environment: str,
    ) -> None:
        self.home = home
        self.command = command
        self.port = free_port()
        self.log = home.path.with_name(f"{home.path.name}.engine.log")
        self._environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it and wait until it is ready."""
        self.spawn()
        eventually(self._is_ready, within_s=120, what="an engine that is ready")
        return self

    def start_again(self) -> None:
        """Start it after kill() and wait until it has the port for itself.

        Those that clients spoke to outlive the other process for a moment, and say 421.
        """
        self.start()
        eventually(lambda: not self.ask("status")["listener_errors"], within_s=60)

    def spawn(self) -> None:
        """Start it."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("WAYPOST")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env={
                    **clean,
                    "WAYPOST_HOME": str(self.home.path),
                    "WAYPOST_SMTP": f"127.0.0.1:{self.port}",
                    **self._environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the engine ended with {self.process.returncode}:\n{self.tail()}")
        try:
            status = self.ask("status")
        except ControlError:
            return False
        # one of a start before may still be about to end
        ours = psutil.Process(self.process.pid)
        return bool(status["ok"]) and status["pid"] in {
            ours.pid,
            *(each.pid for each in ours.children(recursive=True)),
        }

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        if error is not None:
            print(self.tail())

    def ask(self, command: str, **values: Any) -> dict[str, Any]:
        """An answer of the control socket."""
        socket = self.home.path / "run" / "engine.sock"
        return ask(socket, {"command": command, **values})

    def reload(self) -> dict[str, Any]:
        """Put the current generation in force."""
        return self.ask("reload")

    def is_idle(self) -> bool:
        """True when nothing is queued."""
        return not any(self.ask("status")["queue"].values())

    def kill(self) -> None:
        """As by kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self) -> None:
        """SIGTERM; the process may go on for a while."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def wait(self, within_s: float = 30) -> int:
        """Its exit status."""
        assert self.process is not None
        return self.process.wait(within_s)

    def pids(self) -> list[int]:
        """Of its processes: that with the queue, then those that clients speak to."""
        status = self.ask("status")
        return [status["pid"], *status["smtpd_pids"]]

    def memory(self) -> int:
        """Resident bytes of all of them."""
        return sum(psutil.Process(pid).memory_info().rss for pid in self.pids())

    def tail(self, lines: int = 60) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
