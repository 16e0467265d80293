"""serve - the command behind script/serve: everything in order, in one place.

SUMMARY      serve(arguments, root) -> exit status
RULES        lock, ports, servers, database, programs; then watch until asked to stop. Whatever
             fails before the programs run ends in one line and status 1, with nothing left running.
ERRORS       MachineError becomes that line
"""

from __future__ import annotations

import argparse
import compileall
import os
import sys
from dataclasses import replace
from pathlib import Path

from machine.addresses import check_free, forget_socket_folder, socket_folder
from machine.broker import Broker, find_binary
from machine.console import Console, for_terminal
from machine.environment import Listener, Machine, read_environment
from machine.errors import MachineError
from machine.instance import Instance
from machine.postgres import Postgres, find_binaries
from machine.privilege import Privilege, choose_privilege
from machine.program import Program
from machine.programs import NODE, PANEL_SIDE, PARTS, SERVERS, program_table, setup_program
from machine.supervisor import Supervisor

SERVERS_LIMIT_S = 120.0  # recovery after a crash may have much to read
PROGRAMS_LIMIT_S = 40.0
ROOMS = ("privilege", "tables", "delivery", "panel")
DESCRIPTION = """\
Run Waypost: panel, worker, scheduler, engine, and, where DATABASE_URL and
CELERY_BROKER_URL do not name others, a Postgres and a task broker of its own.
Ctrl-C stops all of it."""
ENVIRONMENT = """\
environment:
  WAYPOST_HOME            state (default: var/ in the clone)
  WAYPOST_HTTP            panel and REST (default 127.0.0.1:8000)
  WAYPOST_SMTP            engine (default 127.0.0.1:2525)
  DATABASE_URL            postgresql://...
  CELERY_BROKER_URL       redis://... or amqp://...
  WAYPOST_USER            started by root: the account to run as
  WAYPOST_ADMIN_PASSWORD  of the first administrator; first start only
The README has the others."""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/serve",
        description=DESCRIPTION,
        epilog=ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        metavar="NAME[,NAME]",
        type=_parts,
        default=PARTS,
        help=f"run these parts, and the servers they need: {', '.join(PARTS)}",
    )
    parser.add_argument(
        "--node", default=NODE, help="name of this machine among the nodes (default: %(default)s)"
    )
    return parser.parse_args(arguments)


def _parts(text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in PARTS]:
        raise argparse.ArgumentTypeError(f"no part is called {unknown[0]!r}: {', '.join(PARTS)}")
    if any(name in PANEL_SIDE for name in names):
        names.extend(SERVERS)
    return tuple(name for name in PARTS if name in names)


def serve(arguments: argparse.Namespace, root: Path) -> int:
    """Run the parts asked for until a stop is asked for."""
    if os.geteuid() == 0:
        _compile(root)
    os.umask(0o077)  # everything below WAYPOST_HOME is private
    console = for_terminal(None)
    try:
        machine = read_environment(os.environ, root, Path.cwd())
        privilege = choose_privilege(machine.home, root, os.environ)
        privilege.settle()
        if privilege.account is not None:
            machine = replace(machine, user=privilege.account.name)
        machine.make_folders()
        console = for_terminal(machine.log)
        with Instance(machine.run, console.say) as instance:
            instance.clear_remnants()
            instance.note(state="starting")
            _say_who(console, privilege)
            _check_listeners(machine, arguments.only)
            supervisor = Supervisor(console, instance.record)
            sockets = socket_folder(machine.run, machine.variables, privilege.account)
            start = _Start(machine, privilege, console, instance, supervisor, arguments, sockets)
            try:
                return start.run()
            finally:
                instance.note(state="stopping")
                supervisor.stop()
                forget_socket_folder(sockets, machine.run)
                console.say("stopped")
    except MachineError as error:
        print(f"waypost: {error}", file=sys.stderr)
        return 1
    finally:
        console.close()


def _compile(root: Path) -> None:
    """Keep the bytecode of the clone, as the account that programs run as could not."""
    for room in ROOMS:
        compileall.compile_dir(root / room, quiet=2)


def _check_listeners(machine: Machine, parts: tuple[str, ...]) -> None:
    listeners: dict[str, Listener] = {"panel": machine.http, "engine": machine.smtp}
    for part, listener in listeners.items():
        if part in parts:
            check_free(listener)


def _say_who(console: Console, privilege: Privilege) -> None:
    """Whom root's programs run as."""
    if privilege.account is not None:
        console.say(
            f"started by root: everything runs as {privilege.account.name}, and only the helper"
            " for mail to this machine's users as root"
        )
    if privilege.warning:
        console.say(privilege.warning)


class _Start:
    """One start, step by step."""

    def __init__(
        self,
        machine: Machine,
        privilege: Privilege,
        console: Console,
        instance: Instance,
        supervisor: Supervisor,
        arguments: argparse.Namespace,
        sockets: Path,
    ) -> None:
        self.sockets = sockets
        self.machine = machine
        self.privilege = privilege
        self.console = console
        self.instance = instance
        self.supervisor = supervisor
        self.parts: tuple[str, ...] = arguments.only
        self.node: str = arguments.node
        self.database_url = machine.database_url
        self.broker_url = machine.broker_url

    def run(self) -> int:
        self._start_servers()
        if self.supervisor.is_stopping:
            return 0
        if any(part in PANEL_SIDE for part in self.parts):
            status = self.supervisor.complete(
                setup_program(self.machine, self.privilege, self.database_url, self.broker_url)
            )
            if status is None:
                return 0
            if status:
                raise MachineError("the database could not be set up; the reason is above")
        programs = program_table(
            self.machine, self.privilege, self.database_url, self.broker_url, self.node
        )
        chosen = [programs[part] for part in self.parts if part in programs]
        self.supervisor.keep_running()
        for program in chosen:
            self.supervisor.start(program)
        late = self.supervisor.wait_until_ready([p.name for p in chosen], PROGRAMS_LIMIT_S)
        if not self.supervisor.is_stopping:
            self.instance.note(state="running", urls=self._urls())
            self.console.block(self._welcome(late))
            self.supervisor.run()
        self.console.say("stopping")
        return 0

    def _start_servers(self) -> None:
        chosen: list[Program] = []
        if "postgres" in self.parts and not self.machine.database_url:
            postgres = self._postgres()
            if not (postgres.data / "PG_VERSION").exists():
                self.console.say(f"making a database in {postgres.data}")
            postgres.prepare()
            self.database_url = postgres.url
            chosen.append(postgres.program())
        if "broker" in self.parts and not self.machine.broker_url:
            broker = Broker(
                binary=find_binary(),
                data=self.machine.home / "broker",
                sockets=self.sockets,
                environment=self.machine.for_server(),
                enter=self.privilege.enter,
            )
            self.broker_url = broker.url
            chosen.append(broker.program())
        for program in chosen:
            self.supervisor.start(program)
        names = [program.name for program in chosen]
        late = self.supervisor.wait_until_ready(names, SERVERS_LIMIT_S)
        if late and not self.supervisor.is_stopping:
            raise MachineError(
                f"{late[0]} is not ready after {SERVERS_LIMIT_S:.0f} s:"
                f" see {self.machine.log / late[0]}.log"
            )

    def _postgres(self) -> Postgres:
        binaries = find_binaries()
        return Postgres(
            binaries=binaries,
            data=self.machine.home / "postgres",
            sockets=self.sockets,
            privilege=self.privilege,
            environment=self.machine.for_server(),
        )

    def _urls(self) -> dict[str, str]:
        """Where to reach the parts; of the servers only our own, which have no password."""
        urls = {"http": f"http://{self.machine.http.text}", "smtp": self.machine.smtp.text}
        if not self.machine.database_url:
            urls["database"] = self.database_url
        if not self.machine.broker_url:
            urls["broker"] = self.broker_url
        return urls

    def _welcome(self, late: list[str]) -> str:
        http, smtp = self.machine.http.text, self.machine.smtp.text
        told = [line for line in self.supervisor.last_lines("setup") if "password" in line]
        lines = ["  Waypost is running." if not late else f"  Not ready yet: {', '.join(late)}."]
        if "panel" in self.parts:
            lines += [f"  panel     http://{http}/", f"  REST      http://{http}/api/v1/docs/"]
        if "engine" in self.parts:
            lines += [f"  SMTP      {smtp}"]
        lines += [f"  state     {self.machine.home}"]
        lines += [f"  {line}" for line in told]
        lines += ["  Ctrl-C stops it."]
        return "\n".join(lines)
