"""What outsiders can do to the engine's memory, time and descriptors: little."""

from __future__ import annotations

import contextlib
import resource
import socket

import pytest

from tests.wire.engine import Home, Running
from tests.wire.polling import eventually
from tests.wire.talk import Talk, mail

MIB = 1024 * 1024


def test_it_streams_large_messages(home: Home) -> None:
    home.publish(values={"message_size_limit": str(40 * MIB), "virtual_mailbox_limit": "0"})
    with Running(home) as engine:
        mail(engine.port, "a@sender.example", "joe@example.com")
        before = engine.memory()
        line = b"x" * 998 + b"\r\n"
        for _ in range(3):
            with Talk(engine.port, timeout_s=60) as talk:
                talk.greet().begin("a@sender.example", "ann@example.com").say("DATA", "354 *")
                talk.raw(b"Subject: large\r\n\r\n")
                for _ in range(10):
                    talk.raw(line * 1024)  # a MiB
                talk.raw(b".\r\n")
                talk.expect("250 2.0.0 *")
        eventually(lambda: len(home.letters("ann@example.com")) == 3, within_s=60)
        assert engine.memory() - before < 15 * MIB
        for letter in home.letters("ann@example.com"):
            assert letter.count(b"x" * 998 + b"\n") == 10 * 1024


def test_it_does_not_buffer_for_a_client_that_does_not_read(home: Home) -> None:
    home.publish(values={"smtpd_junk_command_limit": "100000000"})
    with Running(home) as engine:
        before = engine.memory()
        with Talk(engine.port, timeout_s=2.0) as talk:
            talk.expect("220 *")
            talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sent = 0
            with contextlib.suppress(TimeoutError):  # our own send buffer is full at last
                while sent < 400 * MIB:
                    sent += talk.socket.send(b"EHLO client.example\r\n" * 10_000)
            assert sent < 100 * MIB
            assert engine.memory() - before < 15 * MIB
            with Talk(engine.port) as other:
                other.greet()


def test_it_says_421_to_the_silent(home: Home) -> None:
    home.publish(values={"smtpd_timeout": "1s"})
    with Running(home) as engine:
        with Talk(engine.port) as early, Talk(engine.port) as late, Talk(engine.port) as partial:
            early.expect("220 *")
            late.greet().begin("a@sender.example", "joe@example.com").say("DATA", "354 *")
            late.send("Subject: never ends")
            partial.greet().raw(b"MAIL FR")
            for talk in (early, late, partial):
                talk.expect("421 4.4.2 mx.test.example Error: timeout exceeded")
                talk.expect_end()
        eventually(lambda: engine.ask("status")["sessions"] == 0)
        assert home.letters("joe@example.com") == []


def test_it_lets_one_client_have_so_many_connections(home: Home) -> None:
    home.publish(
        values={
            "smtpd_client_connection_count_limit": "3",
            "smtpd_client_event_limit_exceptions": "127.0.0.8/32",
        }
    )
    with Running(home) as engine, contextlib.ExitStack() as stack:
        for source, allowed in (("127.0.0.7", 3), ("127.0.0.8", 6), ("127.0.0.9", 3)):
            for _ in range(allowed):
                stack.enter_context(Talk(engine.port, source=source)).expect("220 *")
        with Talk(engine.port, source="127.0.0.7") as talk:
            text = "Error: too many connections from 127.0.0.7"
            talk.expect(f"421 4.7.0 mx.test.example {text}")
            talk.expect_end()
        stack.pop_all().close()
        eventually(lambda: engine.ask("status")["sessions"] == 0)
        with Talk(engine.port, source="127.0.0.7") as talk:
            talk.greet()


def test_it_holds_a_thousand_connections(home: Home) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip(f"needs 4,096 file descriptors, has {hard}: raise it with ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    home.publish(values={"smtpd_client_event_limit_exceptions": "127.0.0.0/8"})
    with Running(home) as engine, contextlib.ExitStack() as stack:
        before = engine.memory()
        talks = [stack.enter_context(Talk(engine.port)) for _ in range(1000)]
        for talk in talks:
            talk.expect("220 *")
        for talk in talks:
            talk.send("EHLO client.example")
        for talk in talks:
            talk.expect("250*CHUNKING")
        assert engine.ask("status")["sessions"] == 1000
        assert engine.memory() - before < 40 * MIB
        talks[500].begin("a@sender.example", "joe@example.com").message("Subject: x", "", "y")
        home.letter("joe@example.com")
