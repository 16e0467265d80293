"""programs - the parts of Waypost: what each needs, and how it is run.

SUMMARY      PARTS in starting order; program_table(machine, ...) -> programs by name
RULES        Everything is run as `python -m`: the scripts of a virtual environment begin with a
             line that a deep path or a blank in it breaks (execve(2)). No pid files: the supervisor
             knows.
ERRORS       none
SOURCE       gunicorn and Celery settings, each with its reason
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from machine.environment import Listener, Machine
from machine.privilege import Privilege
from machine.program import Program

SERVERS = ("postgres", "broker")
PANEL_SIDE = ("panel", "worker", "scheduler")  # they need the servers
PARTS = (*SERVERS, *PANEL_SIDE, "engine")
NODE = "local"  # the name of this machine among the nodes, unless --node says otherwise

GUNICORN = (
    "--worker-class", "gthread", "--workers", "2", "--threads", "4",  # two cores, waiting for SQL
    "--timeout", "120",  # a bulk edit of 100,000 rows may take a minute
    "--graceful-timeout", "4",  # below the supervisor's patience
    "--no-control-socket",  # it would be made outside WAYPOST_HOME
)  # fmt: skip
CELERY_WORKER = (
    "--concurrency", "2", "--loglevel", "INFO",
    "--without-gossip", "--without-mingle",  # workers have nothing to tell each other
)  # fmt: skip


def panel_answers(listener: Listener) -> Callable[[int], bool]:
    """A readiness test: the panel answers a request, whatever it says."""

    def ready(_pid: int) -> bool:
        connection = http.client.HTTPConnection(listener.host, listener.port, timeout=1.0)
        try:
            connection.request("HEAD", "/", headers={"Host": "localhost"})
            return connection.getresponse().status > 0
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ready


def engine_answers(control_socket: Path) -> Callable[[int], bool]:
    """A readiness test: the engine answers "status" on its control socket."""

    def ready(_pid: int) -> bool:
        folder = os.open(control_socket.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1.0)
                # short, however deep the folder is: unix(7)
                connection.connect(f"/proc/self/fd/{folder}/{control_socket.name}")
                connection.sendall(b'{"command": "status"}\n')
                with connection.makefile("rb") as answer:
                    return bool(json.loads(answer.readline(1 << 20)).get("ok"))
        except (OSError, ValueError):
            return False
        finally:
            os.close(folder)

    return ready


def program_table(
    machine: Machine, privilege: Privilege, database_url: str, broker_url: str, node: str
) -> dict[str, Program]:
    """Panel, worker, scheduler and engine."""
    python = (sys.executable, "-m")
    celery = (*python, "celery", "--quiet", "-A", "panel")
    panel = machine.for_panel(database_url, broker_url)
    schedule = machine.run / "celerybeat-schedule"
    programs = (
        Program(
            name="panel",
            command=(
                *python, "gunicorn", "panel.wsgi:application",
                "--bind", machine.http.text, *GUNICORN,
            ),
            environment=panel,
            directory=machine.root,
            enter=privilege.enter,
            ready=panel_answers(machine.http),
            stop_at_once=signal.SIGQUIT,
        ),
        Program(
            name="worker",
            command=(
                *celery, "worker", "-Q", f"publish,node.{node}", "--hostname", f"{node}@%h",
                *CELERY_WORKER,
            ),
            environment=panel,
            directory=machine.root,
            enter=privilege.enter,
            ready_mark=" ready.",
            stop_at_once=signal.SIGQUIT,  # leaves the task to be done again
        ),
        Program(
            name="scheduler",
            command=(
                *celery, "beat", "--loglevel", "WARNING",
                "--schedule", str(schedule), "--pidfile=",
            ),
            environment=panel,
            directory=machine.root,
            enter=privilege.enter,
        ),
        Program(
            name="engine",
            command=(*python, "delivery", "serve"),
            environment=machine.for_engine(),
            directory=machine.root,
            enter=privilege.enter_as_root,  # it starts its courier, and then gives up root
            ready=engine_answers(machine.run / "engine.sock"),
            patience_s=6.0,  # transactions under way are finished
        ),
    )  # fmt: skip
    return {program.name: program for program in programs}


def setup_program(
    machine: Machine, privilege: Privilege, database_url: str, broker_url: str
) -> Program:
    """Brings the database up to this code; see prepare.py."""
    return Program(
        name="setup",
        command=(sys.executable, str(Path(__file__).with_name("prepare.py"))),
        environment=machine.for_first_start(database_url, broker_url),
        directory=machine.root,
        kept=False,
        enter=privilege.enter,
    )
