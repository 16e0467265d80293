"""The disk below the queue is full, read-only or broken: clients hear 452, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.wire import load
from tests.wire.engine import Home, Running
from tests.wire.polling import eventually
from tests.wire.talk import Talk, mail

LINES = ("y" * 98,) * 200  # 20 KB: kept in the database
LARGE = ("y" * 98,) * (load.LARGE // 100)
SERVE = (sys.executable, "-m", "delivery", "serve")
ROOM = 8 * 1024 * 1024
LIMIT = {"message_size_limit": "1000000"}  # one and a half times that must be free


def on_small_disk(home: Home) -> Running:
    """An engine whose queue has a file system of its own."""
    spool = home.path / "spool"
    spool.mkdir(exist_ok=True)
    users = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    mount = f'mount -t tmpfs -o size={ROOM},mode=0777 tmpfs "$0" && exec "$@"'
    command = ("unshare", *users, "--mount", "sh", "-c", mount, str(spool), *SERVE)
    return Running(home, command=command)


@contextlib.contextmanager
def failing(engine: Running, error: str) -> Iterator[None]:
    """Every write to the queue's files fails like this meanwhile."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace: install the package strace")
    calls = "pwrite64,fdatasync,fsync,ftruncate"
    command = ["strace", "-f", "-e", f"trace={calls}"]
    command += [word for pid in engine.pids() for word in ("-p", str(pid))]
    command += ["-e", f"inject={calls}:error={error}"]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        assert tracer.stderr is not None
        assert b"attached" in tracer.stderr.readline()
        yield
    finally:
        tracer.terminate()
        tracer.communicate()


def answer(port: int, *lines: str) -> str:
    """What is said to a message for joe; to its sender already, perhaps."""
    with Talk(port, timeout_s=60) as talk:
        talk.greet().send("MAIL FROM:<a@sender.example>")
        reply = talk.reply()
        if reply[0] != "2":
            return reply
        talk.say("RCPT TO:<joe@example.com>", "250 *")
        talk.say("DATA", "354 *")
        talk.send("Subject: x", "", *lines, ".")
        return talk.reply()


def test_a_full_disk_refuses_mail_until_there_is_room(home: Home) -> None:
    home.publish(values={"defer_transports": "virtual", **LIMIT})
    with on_small_disk(home) as engine:
        taken = 0
        for lines in (LARGE, LINES, ()):
            while (reply := answer(engine.port, *lines)).startswith("250 2.0.0 Ok: queued as"):
                taken += 1
            assert reply == "452 4.3.1 Insufficient system storage"
        assert taken > 20
        home.publish(values=LIMIT)
        engine.reload()
        engine.ask("flush")
        eventually(lambda: len(home.letters("joe@example.com")) >= taken, within_s=60)
        eventually(engine.is_idle, within_s=60)
        assert len(home.letters("joe@example.com")) == taken
        mail(engine.port, "a@sender.example", "ann@example.com", lines=LARGE)
        home.letter("ann@example.com")


@pytest.mark.parametrize("error", ["EROFS", "EIO", "ENOSPC"])
def test_a_disk_that_takes_nothing(home: Home, error: str) -> None:
    home.publish()
    with Running(home) as engine:
        before = mail(engine.port, "a@sender.example", "joe@example.com")
        home.letter("joe@example.com")
        eventually(engine.is_idle)
        with failing(engine, error):
            for lines in (LINES, LARGE):
                assert answer(engine.port, *lines).startswith("452 4.3.1 ")
        after = mail(engine.port, "a@sender.example", "ann@example.com", lines=LARGE)
        home.letter("ann@example.com")
        assert after != before
        eventually(engine.is_idle)
        assert len(home.letters("joe@example.com")) == 1
    with Running(home) as engine:  # and the next start finds nothing wrong
        assert engine.ask("status")["queue"] == dict.fromkeys(engine.ask("status")["queue"], 0)
