"""environment - what the environment variables say, checked, with the folders they name.

SUMMARY      read_environment(os.environ, root, here) -> Machine; Machine.make_folders()
RULES        the variables and defaults of the contract (README, "Environment"); an empty one counts
             as absent. Programs get absolute paths, and only the variables that concern them.
ERRORS       MachineError naming the variable
NOT DONE     the meaning of DATABASE_URL and CELERY_BROKER_URL: panel/settings.py reads those
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from machine.errors import MachineError

# Given to nobody but the program that makes the first administrator.
FIRST_START_ONLY = ("WAYPOST_ADMIN_PASSWORD",)
# The engine moves mail without database, broker or browser: it is not told their secrets.
PANEL_ONLY = ("DATABASE_URL", "CELERY_BROKER_URL", "WAYPOST_SECRET_KEY", *FIRST_START_ONLY)
# Would lead the virtual environment's interpreter to other packages than the pinned ones.
MISLEADING = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


@dataclass(frozen=True, slots=True)
class Listener:
    """An address to listen on: host without brackets, port, and the variable that sets it."""

    variable: str
    host: str
    port: int

    @property
    def text(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where things are on this machine. Every path is absolute."""

    root: Path  # of the clone
    home: Path  # WAYPOST_HOME
    http: Listener
    smtp: Listener
    database_url: str  # empty: the embedded server
    broker_url: str  # empty: the embedded server
    variables: Mapping[str, str]  # everything else, to be passed on
    user: str = ""  # whom programs run as, when root started this

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def log(self) -> Path:
        return self.home / "log"

    def make_folders(self) -> None:
        """Make WAYPOST_HOME and what the supervisor keeps in it, for this user alone (0700)."""
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.run, self.log):
                folder.mkdir(mode=0o700, exist_ok=True)
                folder.chmod(0o700)
        except OSError as error:
            raise MachineError(
                f"{self.home} cannot be used ({error.strerror}: {error.filename}): make it writable"
                " for this user, or set WAYPOST_HOME to another folder"
            ) from error

    def for_panel(self, database_url: str, broker_url: str) -> dict[str, str]:
        """The environment of panel, worker and scheduler."""
        urls = {"DATABASE_URL": database_url, "CELERY_BROKER_URL": broker_url}
        return {**self._common(without=FIRST_START_ONLY), **urls}

    def for_first_start(self, database_url: str, broker_url: str) -> dict[str, str]:
        """The environment of the one program that may read WAYPOST_ADMIN_PASSWORD."""
        given = {name: self.variables[name] for name in FIRST_START_ONLY if name in self.variables}
        return {**self.for_panel(database_url, broker_url), **given}

    def for_engine(self) -> dict[str, str]:
        return self._common(without=PANEL_ONLY)

    def for_server(self) -> dict[str, str]:
        """The environment of database and broker: nothing of ours, and no locale."""
        kept = ("PATH", "TMPDIR", "TZ", "LD_LIBRARY_PATH")
        return {**{n: v for n, v in self.variables.items() if n in kept}, "LC_ALL": "C"}

    def _common(self, without: tuple[str, ...]) -> dict[str, str]:
        left_out = {*without, *MISLEADING}
        passed = {name: text for name, text in self.variables.items() if name not in left_out}
        own = {
            "WAYPOST_HOME": str(self.home),
            "WAYPOST_HTTP": self.http.text,
            "WAYPOST_SMTP": self.smtp.text,
            "PYTHONUNBUFFERED": "1",
            "PYTHONNOUSERSITE": "1",
        }
        if self.user:
            own |= {"HOME": str(self.home), "USER": self.user, "LOGNAME": self.user}
        return {**passed, **own}


def read_environment(variables: Mapping[str, str], root: Path, here: Path) -> Machine:
    """The machine that the variables describe; a relative WAYPOST_HOME counts from `here`."""
    home = variables.get("WAYPOST_HOME", "").strip()
    return Machine(
        root=root,
        home=Path(os.path.realpath(here / Path(home).expanduser())) if home else root / "var",
        http=read_listener(variables, "WAYPOST_HTTP", "127.0.0.1:8000"),
        smtp=read_listener(variables, "WAYPOST_SMTP", "127.0.0.1:2525", any_host=True),
        database_url=variables.get("DATABASE_URL", "").strip(),
        broker_url=variables.get("CELERY_BROKER_URL", "").strip(),
        variables=dict(variables),
    )


def read_listener(
    variables: Mapping[str, str], name: str, default: str, *, any_host: bool = False
) -> Listener:
    """The listener that a variable names as "host:port", an IPv6 host in brackets.

    With any_host ":port" and "port" stand for every address of this machine; the host is then ''.
    """
    text = variables.get(name, "").strip() or default
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not (any_host or (colon and bare)) or not (port.isascii() and port.isdigit()):
        raise MachineError(f"{name} must look like {default}, not {text!r}")
    if int(port) > 65535:
        raise MachineError(f"{name} must look like {default}, not {text!r}")
    return Listener(name, bare, int(port))
