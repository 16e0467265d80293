"""load - mail for a server under test, by the programs that come with Postfix.

SUMMARY      send(port, Load(...)) -> Sent; with Sink() as sink: sink.port
RULES        smtp-source sends each message to a recipient of its own: 1user@..., 2user@...
SOURCE       smtp-source(1), smtp-sink(1)
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import Self

from bench_cases.house import free_port

SBIN = "/usr/sbin:/sbin:/usr/bin:/bin"
START_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is sent."""

    messages: int
    size: int = 4096
    sessions: int = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """What it took until the last 250."""

    seconds: float
    cpu_s: float  # of the sender: it works on the same cores


def find(name: str) -> str | None:
    """A program of Postfix's package."""
    return shutil.which(name, path=SBIN)


def send(port: int, load: Load, recipient: str) -> Sent:
    """Send it all. Raises CalledProcessError when the server refused anything."""
    program = find("smtp-source")
    assert program is not None
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(
        [
            program,
            *("-s", str(load.sessions)),
            *("-m", str(load.messages)),
            *("-l", str(load.size)),
            *("-M", "client.bench.test", "-f", "sender@sender.test"),
            *("-N", "-t", recipient),
            f"127.0.0.1:{port}",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Sent(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


class Sink:
    """A next hop that takes everything and keeps nothing."""

    def __init__(self) -> None:
        self.port = free_port()

    def __enter__(self) -> Self:
        program = find("smtp-sink")
        assert program is not None
        account = ("-u", "nobody") if os.geteuid() == 0 else ()
        self._process = subprocess.Popen(
            [program, *account, f"inet:127.0.0.1:{self.port}", "1000"],
            stdout=subprocess.DEVNULL,
        )
        wait_for_greeting(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def wait_for_greeting(port: int) -> None:
    """Until a server answers. Raises SystemExit when none does."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as made:
                made.settimeout(5)
                if made.recv(3) == b"220":
                    made.sendall(b"QUIT\r\n")
                    return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing answers on port {port}")
