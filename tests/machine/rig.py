"""rig - runs the real supervisor on small real programs, and watches it from outside.

SUMMARY      Rig(folder).run(program(...), ...) · .signal(...) · .until(...) · .text · .facts
             as a program: python rig.py FOLDER TABLE.json
RULES        waiting means looking again until it is so, at most LIMIT_S
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMIT_S = 20.0


def is_alive(pid: int) -> bool:
    """Whether a process exists and has not ended."""
    from machine.linux import started_at

    return started_at(pid) is not None


def until(found: Callable[[], Any], what: str) -> Any:
    """What `found` returns once that is true; fails after LIMIT_S."""
    deadline = time.monotonic() + LIMIT_S
    while not (value := found()):
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.02)
    return value


def program(name: str, code: str, **fields: Any) -> dict[str, Any]:
    """A table entry: Python code to run, and fields of machine.program.Program."""
    return {"name": name, "command": (sys.executable, "-u", "-c", code), **fields}


class Rig:
    """One run of the supervisor under its guard."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_folder = folder / "run"
        self.run_folder.mkdir()
        (folder / "log").mkdir()
        self.output = folder / "output"
        self.process: subprocess.Popen[bytes] | None = None
        self.seen: set[int] = set()

    def run(self, *programs: dict[str, Any]) -> None:
        table = self.folder / "table.json"
        table.write_text(json.dumps(programs))
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                (sys.executable, __file__, str(self.folder), str(table)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        until(lambda: "all ready" in self.text or self.process.poll() is not None, "ready")
        self.seen.update(self.facts.get("pids", {}).values())
        self.seen.update(pid for pid in (self.facts.get("pid"), self.facts.get("guard")) if pid)

    @property
    def text(self) -> str:
        return self.output.read_text()

    @property
    def facts(self) -> dict[str, Any]:
        try:
            return json.loads((self.run_folder / "serve.json").read_text())
        except FileNotFoundError:
            return {}

    def pid(self, name: str) -> int:
        found = until(lambda: self.facts.get("pids", {}).get(name), f"{name} runs")
        self.seen.add(found)
        return found

    def said_pid(self, word: str) -> int:
        """The process id that a program printed after a word."""
        text = until(lambda: [p for p in self.text.split(f"{word}=")[1:] if "\n" in p], word)[-1]
        found = int(text.split()[0])
        self.seen.add(found)
        return found

    def signal(self, sent: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(sent)

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(timeout=LIMIT_S)

    def wait_until_gone(self) -> None:
        until(lambda: not [pid for pid in self.seen if is_alive(pid)], "all processes ended")

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=LIMIT_S)


def _main() -> int:
    folder, table = map(Path, sys.argv[1:])
    root = Path(__file__).resolve().parents[2]
    sys.path[0:1] = [str(root / "script"), str(root)]
    from machine.console import Console
    from machine.errors import MachineError
    from machine.guard import guarded
    from machine.instance import Instance
    from machine.program import Program
    from machine.supervisor import Supervisor

    def run() -> int:
        console = Console(sys.stdout, folder / "log")
        programs = [
            Program(environment=os.environ, directory=folder, **_typed(fields))
            for fields in json.loads(table.read_text())
        ]
        try:
            with Instance(folder / "run", console.say) as instance:
                instance.clear_remnants()
                supervisor = Supervisor(console, instance.record)
                try:
                    for program in programs:
                        supervisor.start(program)
                    supervisor.wait_until_ready([p.name for p in programs], LIMIT_S)
                    instance.note(state="running")
                    console.say("all ready")
                    supervisor.run()
                    instance.note(state="stopping")
                    console.say("stopping")
                finally:
                    supervisor.stop()
        except MachineError as error:
            console.say(f"error: {error}")
            return 1
        return 0

    return guarded(run, grace_s=0.5)


def _typed(fields: dict[str, Any]) -> dict[str, Any]:
    typed = dict(fields, command=tuple(fields["command"]))
    for name in ("stop_signal", "stop_at_once"):
        if name in typed:
            typed[name] = signal.Signals[typed[name]]
    return typed


if __name__ == "__main__":
    sys.exit(_main())
