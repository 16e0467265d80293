"""The disk below the queue is full, read-only or broken: clients hear 452, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from privilege import files_of
from tests.wire import load
from tests.wire.engine import Home, Running
from tests.wire.polling import eventually
from tests.wire.talk import Talk, mail

LINES = ("y" * 98,) * 200  # 20 KB: kept in the database
LARGE = ("y" * 98,) * (load.LARGE // 100)
SERVE = (sys.executable, "-m", "delivery", "serve")
ROOM = 8 * 1024 * 1024
LIMIT = {"message_size_limit": "1000000"}  # one and a half times that must be free


def with_mounted(place: Path, mount: str, home: Home) -> Running:
    """An engine that sees a file system of its own at that place, `$0` of the commands."""
    with files_of(home.path):
        place.mkdir(exist_ok=True)
    users = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    command = ("unshare", *users, "--mount", "sh", "-c", f'{mount} && exec "$@"', str(place))
    return Running(home, command=(*command, *SERVE))


def on_small_disk(home: Home) -> Running:
    """An engine whose queue has a small disk for itself."""
    mount = f'mount -t tmpfs -o size={ROOM},mode=0777 tmpfs "$0"'
    return with_mounted(home.path / "spool", mount, home)


def read_only(place: Path, home: Home) -> Running:
    """An engine that can read what is there, and nothing else."""
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'
    return with_mounted(place, mount, home)


def make_writable(place: Path, engine: Running) -> None:
    """End that while it runs."""
    assert engine.process is not None
    users = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
    inside = ("nsenter", "--target", str(engine.process.pid), *users, "--mount")
    subprocess.run((*inside, "mount", "-o", "remount,bind,rw", str(place)), check=True)


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
    """What is said to a message for joe; to its sender or recipient already, perhaps.

    The disk is looked at before the sender and again before the first recipient, unless that was a
    moment ago (`Intake.check_room`).
    """
    with Talk(port, timeout_s=60) as talk:
        talk.greet()
        for command in ("MAIL FROM:<a@sender.example>", "RCPT TO:<joe@example.com>"):
            talk.send(command)
            reply = talk.reply()
            if reply[0] != "2":
                return reply
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


def test_a_read_only_queue_is_told_at_the_start(home: Home) -> None:
    home.publish(values={"defer_transports": "virtual"})
    with Running(home) as engine:
        mail(engine.port, "a@sender.example", "joe@example.com")
        eventually(lambda: engine.ask("status")["queue"]["deferred"] == 1)
        engine.terminate()
        assert engine.wait() == 0
    refused = read_only(home.path / "spool", home)
    refused.spawn()
    assert refused.wait() != 0
    assert "waypost: Read-only file system: " in refused.tail(1)
    home.publish()
    with Running(home) as engine:
        engine.ask("flush")
        home.letter("joe@example.com")


def test_mail_waits_for_mailboxes_that_are_read_only(home: Home) -> None:
    home.publish()
    with Running(home):
        pass  # WAYPOST_HOME is its own now
    place = home.path / "mail"
    with read_only(place, home) as engine:
        mail(engine.port, "a@sender.example", "joe@example.com")
        eventually(lambda: engine.ask("status")["queue"]["deferred"] == 1)
        [waiting] = engine.ask("queue")["messages"]
        assert waiting["recipients"][0]["dsn"].startswith("4.")
        assert "Read-only file system" in waiting["recipients"][0]["reason"]
        make_writable(place, engine)
        engine.ask("flush")
        home.letter("joe@example.com")
        eventually(engine.is_idle)
