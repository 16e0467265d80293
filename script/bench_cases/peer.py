"""peer - Postfix's postmap, with a configuration of its own; and how programs are measured.

SUMMARY      Peer(folder).build("cdb", source) -> Run; .ask("cdb:/path", keys) -> Run
             run_measured(command) -> Run: seconds, seconds of CPU, peak memory
RULES        without postmap (Debian: postfix, postfix-cdb, postfix-pcre) Peer.find gives None, and
             figures have no peer
             peak memory is VmHWM as last seen while it ran: rusage would tell the parent's size
             one program at a time: the CPU time is what all children together have used
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench_cases.figures import median

SAMPLE_S = 0.004  # between two looks at the memory of a program


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a program."""

    seconds: float
    cpu: float
    peak_mib: float


def middle(runs: Sequence[Run]) -> Run:
    """The medians of several runs, and the highest peak."""
    return Run(
        median(run.seconds for run in runs),
        median(run.cpu for run in runs),
        max(run.peak_mib for run in runs),
    )


class Peer:
    """postmap."""

    def __init__(self, program: str, folder: Path) -> None:
        self._command = (program, "-c", str(folder))

    @classmethod
    def find(cls, folder: Path) -> Peer | None:
        """The installed one; `folder` will hold its configuration."""
        program = shutil.which("postmap", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if program is None:
            return None
        folder.mkdir()
        (folder / "main.cf").write_text("compatibility_level = 3.6\n")
        (folder / "master.cf").touch()
        return cls(program, folder)

    def build(self, table_type: str, source: Path) -> Run:
        """Make the table of a source text."""
        return run_measured((*self._command, f"{table_type}:{source}"))

    def ask(self, reference: str, keys: Path | None) -> Run:
        """Ask for all keys of a file; without one, start, open the table and end."""
        return run_measured((*self._command, "-q", "-", reference), stdin=keys)


def run_measured(command: tuple[str, ...], stdin: Path | None = None, **options: object) -> Run:
    """Run to the end; raises CalledProcessError above status 1 (1: nothing found)."""
    peak = [0]
    source = stdin.open("rb") if stdin else None
    used = _children_cpu()
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        stdin=source or subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        **options,  # type: ignore[call-overload]
    ) as process:
        watcher = threading.Thread(target=_watch, args=(process, peak))
        watcher.start()
        status = process.wait()
        seconds = time.perf_counter() - started
        watcher.join()
    if source:
        source.close()
    if status not in (0, 1):
        raise subprocess.CalledProcessError(status, command)
    return Run(seconds, _children_cpu() - used, peak[0] / 1024)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _watch(process: subprocess.Popen[bytes], peak: list[int]) -> None:
    while process.returncode is None:
        peak[0] = max(peak[0], memory_kib(process.pid, "VmHWM"))
        time.sleep(SAMPLE_S)


def memory_kib(pid: int, name: str) -> int:
    """A line of /proc/PID/status; 0 when the process has gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith(name)), 0)
