"""A database server and a broker of one's own take the place of the embedded ones, by URL alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.ports import free_port
from tests.system.house import House, eventually

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("production")]
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # Debian's wrapper changes the user


@pytest.fixture
def database_url() -> Iterator[str]:
    """A database of its own on the server that the tests have."""
    server = os.environ["DATABASE_URL"]
    name = f"production_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextlib.contextmanager
def running(argv: list[str], port: int, **environment: str) -> Iterator[None]:
    """A server that listens on `port` while the block runs."""
    process = subprocess.Popen(
        argv,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )

    def answers() -> bool:
        assert process.poll() is None, f"{argv[0]} ended with {process.returncode}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    try:
        eventually(answers, within_s=60, what=argv[0])
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


@contextlib.contextmanager
def redis(directory: Path) -> Iterator[str]:
    """A Redis server; its URL."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    port = free_port()
    argv = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory)]
    with running([*argv, "--save", ""], port):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def rabbitmq(directory: Path) -> Iterator[str]:
    """A RabbitMQ node of its own; its URL."""
    if not RABBITMQ.exists():
        pytest.skip("rabbitmq-server is not installed: apt-get install rabbitmq-server")
    port, between, names = free_port(), free_port(), free_port()
    (directory / "enabled_plugins").write_text("[].\n")
    (directory / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    environment = {
        "HOME": str(directory),
        "RABBITMQ_NODENAME": f"waypost{port}@localhost",
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_DIST_PORT": str(between),
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_PID_FILE": str(directory / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(names),
    }
    try:
        with running([str(RABBITMQ)], port, **environment):
            yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:  # Erlang's port mapper goes on by itself: this one was ours
        subprocess.run(["epmd", "-port", str(names), "-kill"], capture_output=True, check=True)


@pytest.mark.parametrize("broker", [redis, rabbitmq], ids=["redis", "rabbitmq"])
def test_it_works(
    broker: Callable[[Path], contextlib.AbstractContextManager[str]],
    database_url: str,
    tmp_path: Path,
) -> None:
    directory = tmp_path / "broker"
    directory.mkdir()
    with broker(directory) as url:
        house = House(tmp_path / "home", DATABASE_URL=database_url, CELERY_BROKER_URL=url)
        with house:
            assert not {"postgres", "broker"} & set(house.pids())
            house.live("POST", "domains/", {"name": "real.test", "kind": "virtual_mailbox"})
            house.live(
                "POST", "mailboxes/", {"address": "joe@real.test", "password": "s3cret-enough"}
            )
            house.send("ann@sender.test", "joe@real.test", "by servers of one's own")
            house.arrived("joe@real.test", "by servers of one's own")
    assert not (tmp_path / "home/postgres").exists()
