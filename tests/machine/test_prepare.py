"""A database is brought up to this code, once; one that is ahead of it is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from machine.child import Child
from machine.postgres import Postgres, find_binaries
from machine.privilege import choose_privilege

from tests.machine.conftest import ROOT
from tests.machine.rig import until
from tests.machine.test_postgres import end

PREPARE = ROOT / "script" / "machine" / "prepare.py"


@pytest.fixture
def url(tmp_path: Path, sockets: Path, server_environment: dict[str, str]) -> str:
    """An empty database."""
    binaries = find_binaries()
    folder = tmp_path / "db"
    folder.mkdir()
    postgres = Postgres(
        binaries=binaries,
        data=folder / "postgres",
        sockets=sockets,
        privilege=choose_privilege(folder, ROOT, {}),
        environment=server_environment,
        durable=False,
    )
    postgres.prepare()
    program = postgres.program()
    child = Child.start(program)
    until(lambda: program.ready(child.pid), "Postgres is ready")
    yield postgres.url
    end(child, program.stop_at_once)


def prepare(url: str, home: Path) -> subprocess.CompletedProcess[str]:
    home.mkdir(exist_ok=True)
    return subprocess.run(
        (sys.executable, PREPARE),
        env={**os.environ, "DATABASE_URL": url, "WAYPOST_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_works(url: str, tmp_path: Path) -> None:
    first = prepare(url, tmp_path / "home")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "migrating the database" in first.stdout
    assert "Administrator: admin, password: " in first.stdout
    # a second time there is nothing to do, and no password to tell
    second = prepare(url, tmp_path / "home")
    assert (second.returncode, second.stdout) == (0, "")
    # a newer Waypost was here
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('panel', '9999_of_tomorrow', now())"
        )
    third = prepare(url, tmp_path / "home")
    assert third.returncode == 1
    assert third.stdout.count("\n") == 1
    assert "panel.9999_of_tomorrow" in third.stdout


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    done = prepare(f"postgresql://nobody@/none?host={tmp_path}", tmp_path / "home")
    assert done.returncode == 1
    assert done.stdout.startswith("database: ")
    assert done.stdout.count("\n") == 1


def test_settings_that_make_no_sense(tmp_path: Path) -> None:
    done = prepare("mysql://nowhere", tmp_path / "home")
    assert done.returncode == 1
    assert done.stdout.startswith("settings: DATABASE_URL must begin with postgresql://")
