"""script/serve's own part: servers, ports, one at a time, clear words."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.machine.conftest import ROOT
from tests.machine.rig import LIMIT_S, is_alive, until
from tests.ports import free_port

MACHINE = ROOT / "script" / "machine"


class Serve:
    """script/serve after its set-up, on a WAYPOST_HOME of the test's."""

    def __init__(self, home: Path, *arguments: str, **variables: str) -> None:
        self.home = home
        self.output = home.with_name(home.name + ".output")
        clean = {n: v for n, v in os.environ.items() if n not in ("DATABASE_URL",)}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                (sys.executable, str(MACHINE), "serve", *arguments),
                env={**clean, "WAYPOST_HOME": str(home), **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.seen: set[int] = set()

    @property
    def text(self) -> str:
        return self.output.read_text()

    def facts(self) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError):
            facts = json.loads((self.home / "run" / "serve.json").read_text())
            self.seen.update({facts["pid"], facts["guard"], *facts["pids"].values()})
            return facts
        return {}

    def until_running(self) -> dict[str, Any]:
        def found() -> dict[str, Any]:
            assert self.process.poll() is None, self.text
            facts = self.facts()
            is_ours = facts.get("guard") == self.process.pid  # not of a start before
            return facts if is_ours and facts.get("state") == "running" else {}

        return until(found, "it runs")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=LIMIT_S)


@pytest.fixture
def started() -> Iterator[list[Serve]]:
    serves: list[Serve] = []
    yield serves
    for serve in serves:
        if serve.process.poll() is None:
            serve.stop()
    left = [pid for serve in serves for pid in serve.seen if is_alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == [], [serve.text for serve in serves]


def test_it_works(tmp_path: Path, started: list[Serve]) -> None:
    serve = Serve(tmp_path / "home", "--only", "postgres,broker")
    started.append(serve)
    facts = serve.until_running()
    assert set(facts["pids"]) == {"postgres", "broker"}
    with psycopg.connect(facts["urls"]["database"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert serve.stop(signal.SIGINT) == 0, serve.text
    assert [pid for pid in serve.seen if is_alive(pid)] == []
    assert "Waypost is running." in serve.text
    assert not (tmp_path / "home" / "run" / "serve.json").exists()


@pytest.mark.parametrize("name", ["with blank", "deep/" * 30 + "home"])
def test_any_path_will_do(name: str, tmp_path: Path, started: list[Serve]) -> None:
    home = tmp_path / name
    home.parent.mkdir(parents=True, exist_ok=True)
    serve = Serve(home, "--only", "postgres,broker")
    started.append(serve)
    facts = serve.until_running()
    with psycopg.connect(facts["urls"]["database"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert serve.stop() == 0
    assert not Path(facts["urls"]["broker"].partition("://")[2]).parent.exists()


@pytest.mark.parametrize("victims", [("guard",), ("pid",), ("guard", "pid")])
def test_nothing_is_left_after_a_kill(
    victims: tuple[str, ...], tmp_path: Path, started: list[Serve]
) -> None:
    serve = Serve(tmp_path / "home", "--only", "postgres,broker")
    started.append(serve)
    facts = serve.until_running()
    for victim in victims:
        os.kill(facts[victim], signal.SIGKILL)
    until(lambda: not [pid for pid in serve.seen if is_alive(pid)], "all have ended")
    again = Serve(tmp_path / "home", "--only", "postgres,broker")
    started.append(again)
    again.until_running()


def test_a_second_one_is_refused(tmp_path: Path, started: list[Serve]) -> None:
    first = Serve(tmp_path / "home", "--only", "broker")
    started.append(first)
    guard = first.until_running()["guard"]
    second = subprocess.run(
        (sys.executable, str(MACHINE), "serve", "--only", "broker"),
        env={**os.environ, "WAYPOST_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert f"(process {guard})" in second.stderr


@pytest.mark.parametrize(
    ("part", "variable"), [("panel", "WAYPOST_HTTP"), ("engine", "WAYPOST_SMTP")]
)
def test_a_taken_port_is_told_before_anything_starts(
    part: str, variable: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            (sys.executable, str(MACHINE), "serve", "--only", part),
            env={
                **os.environ,
                "WAYPOST_HOME": str(tmp_path / "home"),
                variable: f"127.0.0.1:{port}",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        f"waypost: port {port} is taken: stop what listens on 127.0.0.1:{port},"
        f" or set {variable} to another address\n"
    )
    assert not (tmp_path / "home" / "postgres").exists()


def test_an_older_database_is_one_line(tmp_path: Path) -> None:
    data = tmp_path / "home" / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("13\n")
    done = subprocess.run(
        (sys.executable, str(MACHINE), "serve", "--only", "postgres"),
        env={**os.environ, "WAYPOST_HOME": str(tmp_path / "home"), "DATABASE_URL": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "was made by PostgreSQL 13" in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: run script/test as root")
def test_nothing_of_root_s_faces_the_network(tmp_path: Path, started: list[Serve]) -> None:
    smtp = f"127.0.0.1:{free_port()}"
    serve = Serve(tmp_path / "home", "--only", "postgres,broker,engine", WAYPOST_SMTP=smtp)
    started.append(serve)
    facts = serve.until_running()
    owner = (tmp_path / "home").stat().st_uid
    assert owner != 0
    users = {name: psutil.Process(pid).uids().real for name, pid in facts["pids"].items()}
    assert users == dict.fromkeys(("postgres", "broker", "engine"), owner)
    below = psutil.Process(facts["pids"]["engine"]).children()
    started_as = {each.cmdline()[2]: each.uids().effective for each in below}
    assert started_as == {"delivery.courier": 0, "delivery": owner}
    os.kill(facts["pids"]["engine"], signal.SIGKILL)  # a new one has a courier with root's rights
    until(lambda: serve.facts()["pids"]["engine"] != facts["pids"]["engine"], "another engine")
    until(lambda: "rootless" in serve.text.partition("starting it again")[2], "without root")
    assert serve.stop() == 0, serve.text
    assert "everything runs as" in serve.text
    paths = (tmp_path / "home").rglob("*")
    assert [path for path in paths if path.lstat().st_uid != owner] == []


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: run script/test as root")
def test_a_folder_of_somebody_else_s_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("keep me")
    done = subprocess.run(
        (sys.executable, str(MACHINE), "serve", "--only", "broker"),
        env={**os.environ, "WAYPOST_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "name an empty folder" in done.stderr


def test_an_unknown_part_is_named() -> None:
    done = subprocess.run(
        (sys.executable, str(MACHINE), "serve", "--only", "engines"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no part is called 'engines'" in done.stderr
