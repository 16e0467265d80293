"""workers - the processes that run scenarios, from outside.

SUMMARY      Worker(database_url, work, way, migrate=...).observe(scenario, out) -> Observation
             close(); kill() ends it and the machine that it runs
SOURCE       worker.py is the program
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance_machine.namespaces import Way
from conformance_machine.suite import Scenario, load


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of one scenario."""

    problems: tuple[str, ...]  # of the publish and of the machine
    cases: Mapping[str, Mapping[str, Any]]  # by id
    times: str
    has_users: bool = True  # False: all users of the machine were one


class WorkerEnded(Exception):
    """The process is gone."""


class Worker:
    """One worker process; another one takes the place of one that ended."""

    def __init__(self, database_url: str, work: Path, way: Way, *, migrate: bool) -> None:
        self._about = {
            "database_url": database_url,
            "work": str(work),
            "way": way.options,
            "migrate": migrate,
        }
        self._has_users = way.has_users
        self._start()

    def _start(self) -> None:
        program = Path(__file__).with_name("worker.py")
        self._process = subprocess.Popen(
            [sys.executable, str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self._ask(self._about)

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One line there, one line back."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # no answer tells
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise WorkerEnded(f"a worker ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def observe(self, scenario: Scenario, out: Path, *, keep: bool = False) -> Observation:
        """Have one scenario run; the observations are also left in `out`."""
        folder = out / scenario.name
        folder.mkdir(parents=True, exist_ok=True)
        output = folder / "cases.json"
        output.unlink(missing_ok=True)
        job = {
            "directory": str(scenario.directory),
            "name": scenario.name,
            "family": scenario.family,
            "legacy": scenario.legacy,
            "output": str(output),
            "keep": keep,
        }
        try:
            answer = self._ask(job)
        except WorkerEnded as error:
            self._start()
            return Observation((str(error),), {}, "")
        problems = (*answer["refused"], *filter(None, [answer["trouble"]]))
        cases = load(output, {"cases": []})["cases"]
        found = {case["id"]: case["observed"] for case in cases}
        return Observation(problems, found, f"{answer['seconds']} s", self._has_users)

    def kill(self) -> None:
        """End it and the machine that it runs, when it has not ended."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()

    def close(self) -> None:
        """No more work."""
        self._process.communicate()
