"""meter - processor time and memory of a server, with all processes that it has and had.

SUMMARY      with Meter() as meter: meter.start(command) -> Popen; .cpu_s(), .peak_mib, .reset()
RULES        processes are counted by a control group where one can be made, so that those that have
             ended count too; elsewhere the living process tree with what its ended children used
             memory is proportional (PSS): what processes share counts once
SOURCE       cgroups(7), proc(5)
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import psutil

SAMPLE_S = 1.0  # adding up the pages of a hundred processes takes a while, and processors
# where a group may be made, the file that counts, and how many of its units are a second
GROUPS = (
    ("/sys/fs/cgroup/cpuacct", "cpuacct.usage", 1e9),
    ("/sys/fs/cgroup", "cpu.stat", 1e6),
    ("/sys/fs/cgroup/unified", "cpu.stat", 1e6),
)


class Meter:
    """One server's."""

    def __init__(self) -> None:
        self._peak = 0.0
        self._roots: list[int] = []
        self._group, self._file, self._unit = _make_group()
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._sampler.join()
        if self._group is not None:
            try:
                self._group.rmdir()
            except OSError:
                return  # a process of it still ends; an empty group costs nothing

    def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a program that is measured, and all that it starts."""
        # one write between fork and exec, which no lock of another thread can stop
        process = subprocess.Popen(command, preexec_fn=self._join, **options)
        self._roots.append(process.pid)
        return process

    def follow(self, pid: int) -> None:
        """A process that made itself independent of who started it."""
        self._roots.append(pid)

    @property
    def peak_mib(self) -> float:
        """The most memory that was seen, now included."""
        self._look()
        return self._peak

    def reset(self) -> None:
        """Forget the peak."""
        self._peak = 0.0

    def cpu_s(self) -> float:
        """Seconds so far, user and system."""
        if self._group is None:
            return sum(map(_spent, self._processes()))
        text = (self._group / self._file).read_text()
        return int(text.split()[1] if self._file == "cpu.stat" else text) / self._unit

    # inside

    def _join(self) -> None:
        if self._group is not None:
            (self._group / "cgroup.procs").write_text("0")

    def _processes(self) -> Iterator[psutil.Process]:
        found: Iterable[int]
        if self._group is not None:
            found = map(int, (self._group / "cgroup.procs").read_text().split())
        else:
            found = self._roots
        for pid in found:
            try:
                process = psutil.Process(pid)
                yield process
                if self._group is None:
                    yield from process.children(recursive=True)
            except psutil.NoSuchProcess:
                continue

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self._look()

    def _look(self) -> None:
        self._peak = max(self._peak, sum(map(_memory, self._processes())) / 2**20)


def _make_group() -> tuple[Path | None, str, float]:
    for base, file, unit in GROUPS:
        group = Path(base) / f"waypost-bench-{os.getpid()}-{threading.get_native_id()}"
        number = 0
        while (place := group.with_name(f"{group.name}-{number}")).exists():
            number += 1
        try:
            place.mkdir()
        except OSError:
            continue
        if (place / file).exists():
            return place, file, unit
        place.rmdir()
    return None, "", 1.0


def _spent(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.NoSuchProcess:
        return 0.0


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
