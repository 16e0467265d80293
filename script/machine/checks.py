"""checks - what script/test runs: the checks of the code, then the tests.

SUMMARY      check(arguments, root) -> exit status; with arguments only pytest runs, with these
RULES        Every step runs, whatever the ones before said; the closing line names those that
             failed. Without DATABASE_URL the tests get a Postgres of their own, that forgets
             everything, in a temporary folder. WAYPOST_HOME is a temporary folder always.
ERRORS       status 1 when a step failed; pytest's own status when it was called with arguments
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from machine.environment import MISLEADING
from machine.errors import MachineError
from machine.program import Program
from machine.supervisor import Supervisor
from machine.throwaway import surroundings

SOURCES = ("privilege", "tables", "delivery", "panel", "script/machine")
CONTRACTS = (
    "import sys; from importlinter.cli import lint_imports;"
    "sys.exit(lint_imports(no_cache=True, no_logo=True))"
)
STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("lint", ("-m", "ruff", "check", ".")),
    ("format", ("-m", "ruff", "format", "--check", ".")),
    ("types", ("-m", "mypy", *SOURCES)),
    ("imports", ("-c", CONTRACTS)),
    ("django", ("manage.py", "check", "--fail-level", "WARNING")),
    ("migrations", ("manage.py", "makemigrations", "--check", "--dry-run")),
    (
        "openapi",
        ("manage.py", "spectacular", "--fail-on-warn", "--validate", "--file", os.devnull),
    ),
    ("tests", ("-m", "pytest", "-n", "auto", "--dist", "loadgroup")),
)


def check(arguments: list[str], root: Path) -> int:
    """Run the steps, or pytest alone with the arguments given."""
    steps = (("tests", ("-m", "pytest", *arguments)),) if arguments else STEPS
    try:
        with surroundings("waypost-test-", root) as around:
            supervisor = around.supervisor
            environment = _environment(around.home)
            if not environment.get("DATABASE_URL"):
                environment["DATABASE_URL"] = around.start_postgres()
            failed = _run(supervisor, steps, environment, root)
    except MachineError as error:
        print(f"waypost: {error}", file=sys.stderr)
        return 1
    if supervisor.is_stopping:
        return 130
    return _conclude(steps, failed)


def _environment(home: Path) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name not in MISLEADING}
    return {**kept, "WAYPOST_HOME": str(home / "home"), "PYTHONNOUSERSITE": "1"}


def _run(
    supervisor: Supervisor,
    steps: tuple[tuple[str, tuple[str, ...]], ...],
    environment: Mapping[str, str],
    root: Path,
) -> dict[str, int]:
    """Run the steps in turn; return the status of those that failed."""
    failed = {}
    for name, command in steps:
        if supervisor.is_stopping:
            break
        started = time.monotonic()
        program = Program(
            name=name,
            command=(sys.executable, *command),
            environment=environment,
            directory=root,
            on_terminal=True,
            stop_signal=signal.SIGINT,  # pytest then tells what it has so far
        )
        status = supervisor.complete(program)
        if status:
            failed[name] = status
        if status is not None and len(steps) > 1:
            verdict = "failed" if status else "passed"
            print(f"== {name} {verdict} in {time.monotonic() - started:.0f} s", flush=True)
    return failed


def _conclude(steps: tuple[tuple[str, tuple[str, ...]], ...], failed: dict[str, int]) -> int:
    if len(steps) == 1:
        return next(iter(failed.values()), 0)
    if failed:
        print(f"== failed: {', '.join(failed)}")
        return 1
    print("== all passed")
    return 0
