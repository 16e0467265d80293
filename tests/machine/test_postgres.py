"""The embedded Postgres: made once, kept, recognised, recovered; as every kind of user."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from machine.child import Child
from machine.errors import MachineError
from machine.postgres import Postgres, find_binaries
from machine.privilege import choose_privilege

from tests.machine.conftest import ROOT
from tests.machine.rig import until

as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root: run script/test as root")


@pytest.fixture
def postgres(tmp_path: Path, sockets: Path, server_environment: dict[str, str]) -> Postgres:
    home = tmp_path / "h"
    home.mkdir(mode=0o700)
    binaries = find_binaries()
    return Postgres(
        binaries=binaries,
        data=home / "postgres",
        sockets=sockets,
        privilege=choose_privilege(home, ROOT, {}),
        environment=server_environment,
        durable=False,
    )


@pytest.fixture
def start() -> Iterator[Callable[[Postgres], Child]]:
    children: list[Child] = []

    def start(postgres: Postgres) -> Child:
        program = postgres.program()
        child = Child.start(program)
        children.append(child)
        until(lambda: program.ready(child.pid), "Postgres is ready")
        return child

    yield start
    for child in children:
        end(child, signal.SIGQUIT)


def end(child: Child, how: signal.Signals) -> None:
    if child.status is None:
        child.signal(how)
        child.process.wait(timeout=20)
        child.ended()
    if child.output is not None:
        child.output.close()


def ask(postgres: Postgres, statement: str) -> str:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
    return str(row[0]) if row else ""


def run(postgres: Postgres, statement: str) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(statement)


def test_it_works(postgres: Postgres, start: Callable[[Postgres], Child]) -> None:
    assert postgres.prepare() is True
    child = start(postgres)
    assert ask(postgres, "SELECT current_database() || ' ' || current_user") == "waypost waypost"
    assert ask(postgres, "SHOW server_encoding") == "UTF8"
    assert ask(postgres, "SELECT lower('ÄÖ')") == "äö"
    assert ask(postgres, "SHOW listen_addresses") == ""
    run(postgres, "CREATE EXTENSION pg_trgm")
    end(child, signal.SIGINT)
    assert child.status == 0
    assert not (postgres.data / "postmaster.pid").exists()


def test_it_is_kept(postgres: Postgres, start: Callable[[Postgres], Child]) -> None:
    postgres.prepare()
    child = start(postgres)
    run(postgres, "CREATE TABLE kept AS SELECT 42 AS answer")
    end(child, signal.SIGINT)
    assert postgres.prepare() is False
    start(postgres)
    assert ask(postgres, "SELECT answer FROM kept") == "42"


def test_it_recovers_from_a_kill(postgres: Postgres, start: Callable[[Postgres], Child]) -> None:
    durable = replace(postgres, durable=True)
    durable.prepare()
    child = start(durable)
    run(durable, "CREATE TABLE kept AS SELECT 42 AS answer")
    end(child, signal.SIGKILL)
    assert (durable.data / "postmaster.pid").exists()
    start(durable)
    assert ask(durable, "SELECT answer FROM kept") == "42"


def test_a_lock_of_a_process_that_is_another_now(
    postgres: Postgres, start: Callable[[Postgres], Child]
) -> None:
    postgres.prepare()
    lock = f"{os.getpid()}\n{postgres.data}\n1\n5432\n{postgres.sockets}\n\n 1 2\nready\n"
    (postgres.data / "postmaster.pid").write_text(lock)
    start(postgres)
    assert ask(postgres, "SELECT 1") == "1"


def test_a_live_server_is_not_disturbed(
    postgres: Postgres, start: Callable[[Postgres], Child]
) -> None:
    postgres.prepare()
    child = start(postgres)
    with pytest.raises(MachineError) as caught:
        start(postgres)
    assert f"kill -INT {child.pid}" in str(caught.value)
    assert ask(postgres, "SELECT 1") == "1"


def test_an_older_database_is_refused(postgres: Postgres) -> None:
    postgres.prepare()
    (postgres.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(MachineError) as caught:
        postgres.prepare()
    text = str(caught.value)
    assert "was made by PostgreSQL 15, and this is 18" in text
    assert "DATABASE_URL" in text
    assert "\n" not in text


def test_a_torn_set_up_is_begun_anew(postgres: Postgres) -> None:
    torn = postgres.data.with_name("postgres.new")
    torn.mkdir()
    (torn / "PG_VERSION").write_text("18\n")
    assert postgres.prepare() is True
    assert not torn.exists()
    assert (postgres.data / "base").is_dir()


def test_a_folder_with_something_else_is_refused(postgres: Postgres) -> None:
    postgres.data.mkdir()
    (postgres.data / "letter").write_text("keep me")
    with pytest.raises(MachineError, match="holds no Postgres database"):
        postgres.prepare()
    assert (postgres.data / "letter").read_text() == "keep me"


@as_root
def test_root_runs_it_as_an_account(postgres: Postgres, start: Callable[[Postgres], Child]) -> None:
    account = postgres.privilege.account
    assert account is not None
    postgres.prepare()
    child = start(postgres)
    assert ask(postgres, "SELECT current_user") == "waypost"
    status = Path(f"/proc/{child.pid}/status").read_text()
    facts = dict(line.split(":", 1) for line in status.splitlines())
    assert facts["Uid"].split() == [str(account.uid)] * 4
    assert int(facts["CapEff"], 16) == 1 << 10  # CAP_NET_BIND_SERVICE
    assert postgres.data.stat().st_uid == account.uid


@as_root
def test_a_database_of_root_s_goes_on_with_the_account(
    postgres: Postgres, start: Callable[[Postgres], Child]
) -> None:
    postgres.prepare()
    home = postgres.data.parent
    for path in (home, *home.rglob("*")):
        os.lchown(path, 0, 0)
    choose_privilege(home, ROOT, {})
    assert postgres.prepare() is False
    start(postgres)
    assert ask(postgres, "SELECT 1") == "1"
