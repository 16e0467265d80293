"""engine - the engine of a machine, from outside.

SUMMARY      Engine(...).start(); settle(); events(); ask(...); command(...); left_in_queue();
             delete_all(); stop()
RULES        started as `python -m delivery serve` in the server's network; spoken to over its
             control socket and with its commands, as an operator would; what it did is read in its
             journal.
ERRORS       EngineTrouble when it does not start or does not answer
SOURCE       README, "Commands"; delivery/runtime/control.py, delivery/journal.py
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from conformance_machine.places import PLACES
from privilege import Account, become

START_S = 30.0
ANSWER_S = 10.0
SETTLE_S = 25.0
POLL_S = 0.004
QUIET_POLLS = 2
JOURNAL_S = 2.0  # how late its lines may be
FINAL_EVENTS = {
    "delivered": "sent",
    "deferred": "deferred",
    "bounced": "bounced",
    "expired": "expired",
    "deliverable": "deliverable",
    "undeliverable": "undeliverable",
}


class EngineTrouble(Exception):
    """The engine does not do what every engine does."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the engine's things are."""

    code: Path  # of the repository
    python: Path
    home: Path  # WAYPOST_HOME
    log: Path

    @property
    def socket(self) -> Path:
        return self.home / "run" / "engine.sock"


class Engine:
    """One engine process."""

    def __init__(self, places: Places, enter: Callable[[], None]) -> None:
        """`enter` puts a process that is about to be into the server's network."""
        self._places = places
        self._enter = enter
        self._process: subprocess.Popen[bytes] | None = None
        self._read: dict[Path, int] = {}  # journal file -> bytes read
        self._seen = 0  # final events
        self._connection: BinaryIO | None = None  # to its control socket

    @property
    def environment(self) -> dict[str, str]:
        """What the engine is told of its surroundings."""
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONNOUSERSITE": "1",
            "WAYPOST_HOME": str(self._places.home),
            "WAYPOST_SMTP": ":25",
            "WAYPOST_SUBMISSION": ":587",
            "WAYPOST_SMTPS": ":465",
            "WAYPOST_RESOLVER": "127.0.0.1:53",
            "WAYPOST_MAIL_SPOOLS": PLACES["{MAIL}"],
            "MAIL_CONFIG": "/etc/postfix",  # export_environment hands it on, as Postfix does
        }

    def start(self) -> None:
        """Begin, and wait until it answers. Raises EngineTrouble."""
        with self._places.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._places.python), "-m", "delivery", "serve"],
                cwd=self._places.code,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=self._enter,
            )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise EngineTrouble(f"the engine ended at once: {self.last_words()}")
            with contextlib.suppress(OSError, EngineTrouble):
                self.ask({"command": "status"})
                return
            time.sleep(POLL_S)
        raise EngineTrouble(f"the engine does not answer: {self.last_words()}")

    def stop(self) -> None:
        """End it without ceremony: what it holds is forgotten with the machine."""
        self._hang_up()
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def begin_anew(self) -> None:
        """Start again with an empty queue. Raises EngineTrouble."""
        self.stop()
        shutil.rmtree(self._places.home / "spool", ignore_errors=True)
        list(self._new_lines())  # of what went wrong
        self._seen = 0
        self.start()

    def last_words(self) -> str:
        """The end of its log."""
        return self._places.log.read_bytes()[-1500:].decode("utf-8", "replace").strip()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One request over the control socket. Raises OSError, EngineTrouble."""
        line = self._answer(json.dumps(request).encode() + b"\n")
        answer: dict[str, Any] = json.loads(line) if line else {}
        if not answer.get("ok"):
            raise EngineTrouble(str(answer.get("error", "it hung up")))
        return answer

    def _answer(self, request: bytes) -> bytes:
        """One line for another; the connection stays open, and an engine may end an idle one."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                if line := self._exchange(self._connection, request):
                    return line
            self._hang_up()
        with socket.socket(socket.AF_UNIX) as made:
            made.settimeout(ANSWER_S)
            made.connect(str(self._places.socket))
            self._connection = made.makefile("rwb")
        return self._exchange(self._connection, request)

    @staticmethod
    def _exchange(connection: BinaryIO, request: bytes) -> bytes:
        connection.write(request)
        connection.flush()
        return connection.readline()

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    def command(
        self, words: Sequence[str], *, said: bytes = b"", user: tuple[str, int, int] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `python -m delivery WORDS` on the server, as (name, uid, gid) or as root."""

        def enter() -> None:
            self._enter()
            if user is not None and os.geteuid() != user[1]:
                # the interpreter may lie where only root can go
                become(Account(*user), file_access=True, ambient=True)

        return subprocess.run(
            [str(self._places.python), "-m", "delivery", *words],
            cwd=self._places.code,
            env={**self.environment, "LOGNAME": user[0] if user else "root"},
            input=said,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=enter,
            timeout=SETTLE_S,
            check=False,
        )

    def delete_all(self) -> None:
        """Empty the queue, as postsuper(1) has it done."""
        self.ask({"command": "remove", "ids": None})

    def settle(self) -> None:
        """Wait until nothing is being received or delivered. Raises EngineTrouble."""
        deadline = time.monotonic() + SETTLE_S
        quiet = 0
        while time.monotonic() < deadline:
            status = self._status()
            busy = status["queue"].get("active", 0) or status["queue"].get("incoming", 0)
            quiet = 0 if busy or status.get("sessions", 0) else quiet + 1
            if quiet >= QUIET_POLLS:
                return
            time.sleep(POLL_S)
        raise EngineTrouble(f"the queue did not come to rest within {SETTLE_S:.0f} s")

    def events(self) -> list[dict[str, Any]]:
        """What it wrote into its journal since the last time; waits for the last lines."""
        deadline = time.monotonic() + JOURNAL_S
        found: list[dict[str, Any]] = []
        while True:
            wanted = self._counted()
            new = list(self._new_lines())
            self._seen += sum(each["event"] in FINAL_EVENTS for each in new)
            found += new
            if self._seen >= wanted or time.monotonic() > deadline:
                return found
            time.sleep(POLL_S)

    def left_in_queue(self) -> list[dict[str, Any]]:
        """The messages that stayed."""
        found: list[dict[str, Any]] = []
        after, more = "", True
        while more:
            answer = self.ask({"command": "queue", "after": after, "limit": 500})
            found += answer["messages"]
            more = answer["more"]
            after = found[-1]["id"] if found else ""
        return found

    def _status(self) -> dict[str, Any]:
        try:
            return self.ask({"command": "status"})
        except OSError as error:
            raise EngineTrouble(f"the engine is gone ({error}): {self.last_words()}") from error

    def _counted(self) -> int:
        """Deliveries that it has counted since it started."""
        counters = self._status().get("counters", {})
        return sum(int(counters.get(name, 0)) for name in FINAL_EVENTS)

    def _new_lines(self) -> Iterator[dict[str, Any]]:
        for path in sorted((self._places.home / "journal").glob("*.jsonl")):
            with path.open("rb") as stream:
                stream.seek(self._read.get(path, 0))
                data = stream.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            yield from map(json.loads, whole.splitlines())
