"""throwaway - where programs run for a moment: a supervisor, a folder, a Postgres that forgets.

SUMMARY      with surroundings("waypost-test-", root) as around: around.supervisor, around.home;
             around.start_postgres() -> its URL
RULES        in the end all programs are stopped and nothing is left of the folder
ERRORS       MachineError
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from machine.addresses import forget_socket_folder, socket_folder
from machine.console import for_terminal
from machine.errors import MachineError
from machine.postgres import Postgres, find_binaries
from machine.privilege import Privilege, choose_privilege
from machine.supervisor import Supervisor

SERVER_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run has around it."""

    supervisor: Supervisor
    home: Path
    privilege: Privilege
    sockets: Path

    def start_postgres(self) -> str:
        """Start a server with an empty database; its URL."""
        postgres = Postgres(
            binaries=find_binaries(),
            data=self.home / "postgres",
            sockets=self.sockets,
            privilege=self.privilege,
            environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            durable=False,
        )
        postgres.prepare()
        self.supervisor.start(postgres.program())
        is_ready = not self.supervisor.wait_until_ready(["postgres"], SERVER_LIMIT_S)
        if not is_ready and not self.supervisor.is_stopping:
            raise MachineError("the throw-away Postgres did not start")
        return postgres.url


@contextmanager
def surroundings(prefix: str, root: Path) -> Iterator[Surroundings]:
    """A temporary folder whose name begins with `prefix`; `root` is that of the clone."""
    console = for_terminal(None)
    home = Path(tempfile.mkdtemp(prefix=prefix))
    sockets = home
    supervisor = Supervisor(console, lambda _processes: None)
    try:
        privilege = choose_privilege(home, root, os.environ)
        sockets = socket_folder(home, os.environ, privilege.account)
        yield Surroundings(supervisor, home, privilege, sockets)
    finally:
        supervisor.stop()
        console.close()
        forget_socket_folder(sockets, home)
        shutil.rmtree(home, ignore_errors=True)
