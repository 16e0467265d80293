"""child - one running program: its process, its group, its output by lines.

SUMMARY      Child.start(program) -> Child; child.lines(), child.signal(), child.kill_group()
RULES        Each child leads a session of its own, so that Ctrl-C reaches the supervisor alone, and
             asks the kernel for stop_signal when the supervisor dies. A line longer than LINE_LIMIT
             is cut into several: no program can make the supervisor grow.
ERRORS       MachineError when the program cannot be executed
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator

from machine.errors import MachineError
from machine.linux import die_with_parent
from machine.program import Program

LINE_LIMIT = 16 * 1024  # bytes
READ_SIZE = 64 * 1024


class Child:
    """A program that was started. `status` is None until ended() collected its end."""

    def __init__(self, program: Program, process: subprocess.Popen[bytes]) -> None:
        self.program = program
        self.process = process
        self.output = process.stdout  # None: it writes to the terminal itself
        self.started = time.monotonic()
        self.is_ready = False
        self.at_end = self.output is None
        self._pending = b""

    @classmethod
    def start(cls, program: Program) -> Child:
        program.before()
        parent = os.getpid()

        def enter() -> None:
            program.enter()
            os.chdir(program.directory)  # as whoever it is now
            die_with_parent(program.stop_signal, parent)

        try:
            process = subprocess.Popen(
                program.command,
                env=dict(program.environment),
                stdin=None if program.on_terminal else subprocess.DEVNULL,
                stdout=None if program.on_terminal else subprocess.PIPE,
                stderr=None if program.on_terminal else subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=enter,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise MachineError(f"{program.name} cannot be started: {error}") from error
        child = cls(program, process)
        if child.output is not None:
            os.set_blocking(child.output.fileno(), False)
        return child

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def status(self) -> int | None:
        return self.process.returncode

    def lines(self) -> Iterator[str]:
        """The lines that can be read now, without waiting."""
        while self.output is not None and not self.at_end:
            try:
                read = os.read(self.output.fileno(), READ_SIZE)
            except BlockingIOError:
                return
            self.at_end = not read
            *whole, self._pending = (self._pending + read).split(b"\n")
            if self._pending and (self.at_end or len(self._pending) > LINE_LIMIT):
                whole, self._pending = [*whole, self._pending], b""
            for line in whole:
                for start in range(0, max(1, len(line)), LINE_LIMIT):
                    yield line[start : start + LINE_LIMIT].decode(errors="replace")

    def signal(self, sent: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(sent)

    def kill_group(self) -> None:
        """End whatever is left of its process group, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def ended(self) -> str:
        """Collect a process that has ended; say how. One that has not is killed."""
        self.kill_group()  # while the zombie keeps the number of the group ours
        status = self.process.wait()
        if status < 0:
            return f"ended by {signal.Signals(-status).name}"
        return f"ended with status {status}"
