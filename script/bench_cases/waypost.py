"""waypost - a private engine: a generation and a home of its own, on a free port, no panel.

SUMMARY      with WaypostServer(folder, setting) as server: server.port, .is_empty(), .meter
RULES        as it is run for real: journal and log on, limits as they come, but for what
             postfix.py tunes as well
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from bench_cases.house import ROOT, free_port
from bench_cases.load import wait_for_greeting
from bench_cases.meter import Meter
from bench_cases.setting import MAILBOXES, Setting
from delivery.runtime.control import ask
from tables.addresses import Address
from tables.writing.compiler import compile_rows
from tables.writing.rows import (
    DomainKind,
    DomainRecord,
    EntryRecord,
    MailboxRecord,
    ParameterRecord,
    Rows,
    TableRecord,
)
from tables.writing.store import Store

TUNING = {
    "virtual_alias_maps": "hash:virtual",
    "transport_maps": "hash:transport",
    "default_destination_concurrency_limit": "50",
    "initial_destination_concurrency": "20",
}
BUSY = ("active", "incoming")


class WaypostServer:
    """One that runs."""

    name = "Waypost"

    def __init__(self, folder: Path, setting: Setting) -> None:
        self.port = free_port()
        self.meter = Meter()
        self._home = folder / "home"
        self._home.mkdir(parents=True)
        self._log = folder / "engine.log"
        _publish(Store(self._home / "maps"), setting)

    def __enter__(self) -> Self:
        self.meter.__enter__()
        clean = {name: text for name, text in os.environ.items() if not name.startswith("WAYPOST")}
        with self._log.open("wb") as log:
            self._process = self.meter.start(
                [sys.executable, "-m", "delivery", "serve"],
                cwd=ROOT,
                env={
                    **clean,
                    "WAYPOST_HOME": str(self._home),
                    "WAYPOST_SMTP": f"127.0.0.1:{self.port}",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for_greeting(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)
        self.meter.__exit__()

    def is_empty(self) -> bool:
        """True when nothing is under way (deferred mail is not)."""
        queue = ask(self._home / "run/engine.sock", {"command": "status"})["queue"]
        return not any(queue[state] for state in BUSY)

    def letters(self) -> int:
        """How many are in Maildirs."""
        return sum(1 for _ in (self._home / "mail/box.test").glob("*/Maildir/new/*"))


def _publish(store: Store, setting: Setting) -> None:
    parameters = setting.parameters | TUNING
    domains = [
        DomainRecord(name="bench.test", kind=DomainKind.VIRTUAL_ALIAS, row="domain:1"),
        DomainRecord(name="box.test", kind=DomainKind.VIRTUAL_MAILBOX, row="domain:2"),
    ]
    mailboxes = [
        MailboxRecord(
            address=Address(box, "box.test"),
            domain_kind=DomainKind.VIRTUAL_MAILBOX,
            row=f"mailbox:{box}",
        )
        for box in MAILBOXES
    ]
    with store.begin() as build:
        content, report = compile_rows(
            Rows(
                parameters=tuple(
                    ParameterRecord(name=name, value=value, row=f"parameter:{name}")
                    for name, value in parameters.items()
                ),
                services=(),
                tables=(
                    _table("virtual", "virtual", setting.virtual),
                    _table("transport", "transport", setting.transport),
                ),
                restriction_lists=(),
                domains=lambda: domains,
                mailboxes=lambda: mailboxes,
            ),
            build,
        )
        if report.errors:
            raise SystemExit(f"the generation has errors: {report.errors}")
        build.finish(1, 1, content)
    store.switch(1)


def _table(name: str, kind: str, pairs: Iterable[tuple[str, str]]) -> TableRecord:
    entries = [
        EntryRecord.of(key=key, value=value, row=f"{name}:{number}")
        for number, (key, value) in enumerate(pairs, 1)
    ]
    return TableRecord(
        name=name, type="hash", kind=kind, row=f"table:{name}", entries=lambda: entries
    )
