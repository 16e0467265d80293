"""instance - one Waypost per WAYPOST_HOME: the lock, the list of its processes, its remnants.

SUMMARY      with Instance(run) as instance: instance.record({...}); instance.clear_remnants()
             WAYPOST_HOME/run/serve.json (0600): {"pid", "guard", "boot", "urls",
             "state": "starting|running|stopping", "pids": {name: pid},
             "started": {name: clock ticks since boot}}
RULES        The lock is flock(2) on run/serve.lock: the kernel gives it back when the holder ends,
             so a stale one cannot exist. serve.json is replaced as a whole, and removed after an
             orderly stop; one that is found later lists what a kill -9 may have left, and a process
             is ours only if it started when we noted that it did.
ERRORS       MachineError when another supervisor has this WAYPOST_HOME
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from machine.errors import MachineError
from machine.linux import started_at

STOPPING_LIMIT_S = 20.0  # how long to wait for an instance that is on its way out
REMNANT_LIMIT_S = 6.0
POLL_S = 0.1
BOOT = Path("/proc/sys/kernel/random/boot_id")


class Instance:
    """Holds a WAYPOST_HOME while it is entered."""

    def __init__(self, run: Path, say: Callable[[str], None]) -> None:
        self._file = run / "serve.json"
        self._lock_file = run / "serve.lock"
        self._say = say
        self._lock = -1
        self._facts: dict[str, Any] = {
            "pid": os.getpid(), "guard": os.getppid(), "boot": BOOT.read_text().strip(),
            "state": "starting", "urls": {}, "pids": {}, "started": {},
        }  # fmt: skip

    def __enter__(self) -> Instance:
        self._lock = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + STOPPING_LIMIT_S
        waited = False
        while not self._try_lock():
            other = self._read()
            leaving = other.get("state") == "stopping" or started_at(other.get("guard", 0)) is None
            if not leaving or time.monotonic() > deadline:
                os.close(self._lock)
                raise MachineError(
                    f"Waypost is already running in {self._file.parent.parent} (process"
                    f" {other.get('guard', 'unknown')}): stop that one, or set WAYPOST_HOME"
                )
            if not waited:
                self._say("the one before is still stopping; waiting for it")
            waited = True
            time.sleep(POLL_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._file.unlink()
        os.close(self._lock)

    def clear_remnants(self) -> None:
        """End what a killed supervisor left running in this WAYPOST_HOME."""
        facts = self._read()
        if facts.get("boot") != self._facts["boot"]:
            return
        started = facts.get("started", {})
        left = {
            name: pid
            for name, pid in facts.get("pids", {}).items()
            if started.get(name) and started_at(pid) == started[name]
        }
        for name, pid in left.items():
            self._say(f"ending {name} (process {pid}), left over from before")
            # postgres takes SIGTERM for "wait until all clients have gone"
            _send(os.kill, pid, signal.SIGINT if name == "postgres" else signal.SIGTERM)
        deadline = time.monotonic() + REMNANT_LIMIT_S
        while any(started_at(pid) == started[name] for name, pid in left.items()):
            if time.monotonic() > deadline:
                for pid in left.values():
                    _send(os.killpg, pid, signal.SIGKILL)
            time.sleep(POLL_S)

    def record(self, pids: Mapping[str, int]) -> None:
        """Note which processes there are now."""
        started = {name: started_at(pid) for name, pid in pids.items()}
        self._write(pids=dict(pids), started=started)

    def note(self, **facts: Any) -> None:
        """Note state or urls."""
        self._write(**facts)

    def _write(self, **facts: Any) -> None:
        self._facts.update(facts)
        aside = self._file.with_suffix(".new")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(self._facts, out, indent=1)
            out.write("\n")
        aside.replace(self._file)

    def _read(self) -> dict[str, Any]:
        try:
            facts = json.loads(self._file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return facts if isinstance(facts, dict) else {}

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _send(how: Callable[[int, int], None], pid: int, sent: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        how(pid, sent)
