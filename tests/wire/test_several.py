"""Several processes speak to clients; nobody outside can tell."""

from __future__ import annotations

import socket

import pytest

from delivery.runtime.reception import NUMBER
from delivery.spool import queueid
from tests.ports import free_port
from tests.wire.engine import Home, Running
from tests.wire.polling import eventually
from tests.wire.talk import Talk, mail

MANY = 40  # connections, dealt out by the kernel
FREE = {"smtpd_client_event_limit_exceptions": "127.0.0.0/8"}


def _last(text: str) -> str:
    return text.splitlines()[-1][:3]


def test_each_of_them_takes_clients(home: Home) -> None:
    home.publish(values=FREE)
    with Running(home) as engine:
        processes = len(engine.pids()) - 1
        names = [mail(engine.port, "a@sender.example", "joe@example.com") for _ in range(MANY)]
        givers = {queueid.shard_of(queueid.to_number(name)) for name in names}
        assert len(set(names)) == MANY
        assert len(givers) == processes
        assert min(givers) == NUMBER
        status = engine.ask("status")
        assert status["counters"]["accepted"] == MANY
        eventually(lambda: len(home.letters("joe@example.com")) == MANY)
        assert len(status["listeners"]) == 1


def test_messages_are_counted_once(home: Home) -> None:
    home.publish(values={"smtpd_client_message_rate_limit": "5", "mynetworks": "192.0.2.1"})
    with Running(home) as engine:
        said = []
        for _ in range(12):
            with Talk(engine.port, source="127.0.0.9") as talk:
                talk.reply()
                talk.send("EHLO client.example", "MAIL FROM:<a@sender.example>")
                talk.reply()
                said.append(_last(talk.reply()))
        assert said == ["250"] * 5 + ["450"] * 7


@pytest.mark.parametrize("shares", [False, True])
def test_a_port_is_not_shared_with_others(home: Home, shares: bool) -> None:
    """Not even with who would: half of the mail would go there."""
    home.publish()
    engine = Running(home)
    with (
        socket.create_server(("127.0.0.1", engine.port), reuse_port=shares) as taken,
        engine,
    ):
        status = engine.ask("status")
        assert "cannot listen" in status["listener_errors"]["smtp"]
        assert status["listeners"] == []
        taken.close()
        eventually(lambda: engine.ask("status")["listeners"], what="a free port")
        for _ in range(MANY):
            with Talk(engine.port) as talk:
                assert _last(talk.reply()) == "220"
        assert engine.tail().count("cannot listen") == 1


def test_they_move_together(home: Home) -> None:
    port = free_port()
    service = f"{port} inet n - n - - smtpd"
    home.publish(values={"inet_interfaces": "127.0.0.1"}, services=[service])
    with Running(home) as engine:
        assert f"{port} 127.0.0.1:{port}" not in engine.ask("status")["listener_errors"]
        for interfaces, source in (("all", "127.0.0.2"), ("127.0.0.1", "127.0.0.1")):
            number = home.publish(values={"inet_interfaces": interfaces}, services=[service])
            engine.ask("reload")
            status = engine.ask("status")
            assert status["generation"] == number
            assert status["listener_errors"] == {}
            for _ in range(MANY):
                with socket.create_connection((source, port), timeout=20) as client:
                    assert client.recv(3) == b"220"
