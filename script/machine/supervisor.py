"""supervisor - runs the programs of one Waypost: start, watch, start again, stop.

SUMMARY      start(program) · wait_until_ready(names) · complete(program) -> status · run() · stop()
RULES        One thread and one select(). A program that ends is started again after 1, 2, 4 ... 30
             s; a minute of running makes that 1 s again. SIGINT, SIGTERM and SIGHUP ask for a stop:
             first the programs, all at once, then the servers they use. Each gets its stop_signal,
             after patience_s its stop_at_once, a second later SIGKILL. A second request means now.
             Orphans of the programs become ours (PR_SET_CHILD_SUBREAPER); none outlives stop().
ERRORS       MachineError when a program that was waited for ends instead of becoming ready
NOT DONE     dependencies between programs: each copes with an absent neighbour by itself
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import FrameType

from machine.child import Child
from machine.console import Console
from machine.errors import MachineError
from machine.linux import become_subreaper, descendants
from machine.program import Program

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
POLL_S = 0.05  # between two looks at readiness
DELAY_LIMIT_S = 30.0
STEADY_AFTER_S = 60.0
LAST_LINES = 12  # of a program, remembered


class Supervisor:
    """Owns the running programs of one process; used in its main thread only."""

    def __init__(self, console: Console, record: Callable[[Mapping[str, int]], None]) -> None:
        self._console = console
        self._record = record  # told the process ids by name whenever they change
        self._children: dict[str, Child] = {}
        self._due: dict[str, tuple[float, Program]] = {}  # to be started again
        self._delays: dict[str, float] = {}
        self._last: dict[str, deque[str]] = {}
        self._restarting = False
        self._requests = 0
        self._selector = selectors.DefaultSelector()
        self._wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        become_subreaper()
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_stop_signal)
        self._selector.register(self._wake, selectors.EVENT_READ)

    @property
    def is_stopping(self) -> bool:
        """Somebody asked for a stop."""
        return self._requests > 0

    def start(self, program: Program) -> None:
        child = Child.start(program)
        self._children[program.name] = child
        self._last[program.name] = deque(maxlen=LAST_LINES)
        if child.output is not None:
            self._selector.register(child.output, selectors.EVENT_READ, child)
        self._tell()

    def wait_until_ready(self, names: Iterable[str], limit_s: float) -> list[str]:
        """Wait until all are ready; return those that are not by then, or when a stop is asked for.

        A program that ends meanwhile is an error, unless run() takes care of it already.
        """
        deadline = time.monotonic() + limit_s
        waiting = list(names)
        while not self.is_stopping:
            waiting = [name for name in waiting if not self._is_ready(name)]
            if not waiting or time.monotonic() > deadline:
                break
            self._turn(POLL_S)
        return waiting

    def complete(self, program: Program) -> int | None:
        """Run a program that ends by itself; return its status, None when a stop was asked for."""
        self.start(program)
        child = self._children[program.name]
        while child.status is None and not self.is_stopping:
            self._turn(1.0)
        if child.status is not None:
            del self._children[program.name]
        return child.status

    def keep_running(self) -> None:
        """From now on start again what ends."""
        self._restarting = True
        for name, child in list(self._children.items()):
            if child.status is not None:
                self._plan_restart(name, child)

    def run(self) -> None:
        """Watch over the programs until somebody asks for a stop."""
        self.keep_running()
        while not self.is_stopping:
            self._turn(3600.0)

    def stop(self) -> None:
        """End every program, and everything they left behind."""
        self._restarting = False
        self._due.clear()
        for is_server in (False, True):
            self._stop_all([c for c in self._running() if c.program.is_server is is_server])
        while orphans := descendants(os.getpid()):
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._turn(POLL_S)

    def last_lines(self, name: str) -> list[str]:
        """What a program said last."""
        return list(self._last.get(name, ()))

    # --- one turn ---------------------------------------------------------------------------------

    def _turn(self, limit_s: float) -> None:
        """Wait for output, signals or the next restart, at most so long; deal with all of them."""
        now = time.monotonic()
        next_due = min((due for due, _ in self._due.values()), default=now + limit_s)
        for key, _ in self._selector.select(max(0.0, min(limit_s, next_due - now))):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            else:
                self._relay(key.data)
        self._reap()
        for name, (due, program) in list(self._due.items()):
            if due <= time.monotonic():
                del self._due[name]
                self._start_again(program)

    def _relay(self, child: Child) -> None:
        name, mark = child.program.name, child.program.ready_mark
        for line in child.lines():
            self._last[name].append(line)
            shown, kept = child.program.shown(line), child.program.kept
            child.is_ready = child.is_ready or bool(mark and mark in line)
            self._console.line(name, line, shown=shown, kept=kept)
        if child.output is not None and (child.at_end or child.status is not None):
            with contextlib.suppress(KeyError):
                self._selector.unregister(child.output)

    def _reap(self) -> None:
        """Collect every process that ended: programs, and orphans that became ours."""
        with contextlib.suppress(ChildProcessError):
            while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                for child in self._running():
                    if child.pid == found.si_pid:
                        self._on_end(child)
                        break
                else:
                    os.waitpid(found.si_pid, 0)

    def _on_end(self, child: Child) -> None:
        how = child.ended()
        self._relay(child)
        if child.output is not None:
            child.output.close()
        self._tell()
        if self._restarting:
            self._plan_restart(child.program.name, child, how)

    def _plan_restart(self, name: str, child: Child, how: str = "ended") -> None:
        steady = time.monotonic() - child.started > STEADY_AFTER_S
        delay = 1.0 if steady else self._delays.get(name, 1.0)
        self._delays[name] = min(2 * delay, DELAY_LIMIT_S)
        self._due[name] = (time.monotonic() + delay, child.program)
        self._console.say(f"{name} {how}; starting it again in {delay:.0f} s")

    def _start_again(self, program: Program) -> None:
        try:
            self.start(program)
        except MachineError as error:
            delay = self._delays[program.name]
            self._due[program.name] = (time.monotonic() + delay, program)
            self._delays[program.name] = min(2 * delay, DELAY_LIMIT_S)
            self._console.say(f"{error}; trying again in {delay:.0f} s")

    # --- stopping ---------------------------------------------------------------------------------

    def _stop_all(self, children: list[Child]) -> None:
        """stop_signal; after patience_s, or now if asked twice, stop_at_once; then SIGKILL."""
        began = time.monotonic()
        pressed: dict[str, float] = {}  # when stop_at_once was sent
        for child in children:
            child.signal(child.program.stop_signal)
        while alive := [child for child in children if child.status is None]:
            for child in alive:
                name, now = child.program.name, time.monotonic()
                if name in pressed:
                    if now - pressed[name] > 1.0:
                        child.kill_group()
                elif self._requests > 1 or now - began > child.program.patience_s:
                    self._console.say(f"{name} is ended at once")
                    child.signal(child.program.stop_at_once)
                    pressed[name] = now
            self._turn(POLL_S)

    # --- small ------------------------------------------------------------------------------------

    def _running(self) -> list[Child]:
        return [child for child in self._children.values() if child.status is None]

    def _is_ready(self, name: str) -> bool:
        child = self._children[name]
        if child.status is not None:
            if self._restarting:
                return False
            said = " | ".join(self.last_lines(name)[-3:])
            raise MachineError(f"{name} ended instead of starting; it said: {said or 'nothing'}")
        if not child.program.ready_mark:
            child.is_ready = child.is_ready or child.program.ready(child.pid)
        return child.is_ready

    def _tell(self) -> None:
        """Note the processes; one to be started again keeps its number until it has another."""
        known = self._children.values() if self._restarting else self._running()
        self._record({child.program.name: child.pid for child in known})

    def _on_stop_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._requests += 1
