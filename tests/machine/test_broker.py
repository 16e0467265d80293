"""The embedded broker: answers, keeps what it was told through a kill -9."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from kombu import Connection
from machine.broker import Broker, find_binary
from machine.child import Child

from tests.machine.rig import until


@pytest.fixture
def broker(tmp_path: Path, sockets: Path, server_environment: dict[str, str]) -> Broker:
    return Broker(
        binary=find_binary(),
        data=tmp_path / "broker",
        sockets=sockets,
        environment=server_environment,
    )


@pytest.fixture
def start(broker: Broker) -> Iterator[Callable[[], Child]]:
    children: list[Child] = []

    def start() -> Child:
        program = broker.program()
        child = Child.start(program)
        children.append(child)
        until(lambda: program.ready(child.pid), "the broker is ready")
        return child

    yield start
    for child in children:
        end(child, signal.SIGTERM)


def end(child: Child, how: signal.Signals) -> None:
    if child.status is None:
        child.signal(how)
        child.process.wait(timeout=20)
        child.ended()
    if child.output is not None:
        child.output.close()


def test_it_works(broker: Broker, start: Callable[[], Child]) -> None:
    child = start()
    with Connection(broker.url) as connection:
        queue = connection.SimpleQueue("test")
        queue.put({"generation": 7})
        message = queue.get(timeout=5)
        assert message.payload == {"generation": 7}
        message.ack()
        queue.close()
    assert broker.socket.stat().st_mode & 0o777 == 0o700
    end(child, signal.SIGTERM)
    assert child.status == 0


def test_it_keeps_tasks_through_a_kill(broker: Broker, start: Callable[[], Child]) -> None:
    child = start()
    with redis.Redis(unix_socket_path=str(broker.socket)) as client:
        client.lpush("queue", "task")
    end(child, signal.SIGKILL)
    start()
    with redis.Redis(unix_socket_path=str(broker.socket)) as client:
        assert client.lrange("queue", 0, -1) == [b"task"]
