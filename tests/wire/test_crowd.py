"""Ten thousand clients that say nothing, and some that say it slowly: others are served.

In the suite fewer of them; WAYPOST_FAULTS=long has as many as there may be.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Callable

import psutil
import pytest

from tests.wire.engine import Home, Running
from tests.wire.polling import eventually
from tests.wire.talk import Talk

IS_LONG = os.environ.get("WAYPOST_FAULTS") == "long"
MOST = 10_000 if IS_LONG else 2_000
BEYOND = 50
KIB = 1024
GREETING = b"220 mx.test.example ESMTP Waypost\r\n"
PATIENT = {
    "smtpd_client_event_limit_exceptions": "127.0.0.0/8",
    "smtpd_timeout": "600s",
    "smtpd_peername_lookup": "no",
}


def test_a_crowd_of_idle_clients(
    home: Home, record_property: Callable[[str, object], None]
) -> None:
    needed = MOST + 2 * BEYOND + 1000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"needs {needed} file descriptors, has {hard}: raise it with ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    home.publish(values=PATIENT)
    one = min(os.sched_getaffinity(0))  # process for all of them: its share is a number to count
    limit = ("taskset", "-c", str(one), "prlimit", f"--nofile={MOST + 800}:{MOST + 800}", "--")
    engine = Running(home)
    engine.command = (*limit, *engine.command)
    with engine, contextlib.ExitStack() as stack:
        process = psutil.Process(engine.pids()[1])
        before = engine.memory()
        idle = [stack.enter_context(_connected(engine.port, n)) for n in range(MOST)]
        for client in idle:
            assert client.recv(1000) == GREETING
        for _ in range(BEYOND):
            with _connected(engine.port, 0) as late:
                assert late.recv(1000).startswith(b"421 4.7.0 mx.test.example Error: too many")
                assert late.recv(1000) == b""
        memory = (engine.memory() - before) / MOST / KIB
        opened = process.num_fds()
        assert engine.ask("status")["sessions"] == MOST
        assert memory < 40
        assert opened < MOST + 200
        for client in idle[:200]:  # they begin, a byte at a time
            client.sendall(b"E")
        for client in idle[:BEYOND]:
            client.close()
        eventually(lambda: engine.ask("status")["sessions"] == MOST - BEYOND)
        with Talk(engine.port) as talk:
            talk.greet().begin("a@sender.example", "joe@example.com")
            talk.message("Subject: x", "", "y")
        home.letter("joe@example.com")
        stack.pop_all().close()
        eventually(lambda: engine.ask("status")["sessions"] == 0)
        eventually(lambda: process.num_fds() < 200)
    record_property("figures", f"clients={MOST} kib_each={memory:.1f} descriptors={opened}")


def _connected(port: int, number: int) -> socket.socket:
    source = (f"127.0.{2 + number // 250}.{1 + number % 250}", 0)
    return socket.create_connection(("127.0.0.1", port), timeout=60, source_address=source)
