"""guard - runs the supervisor in a child process and leaves nothing behind, however it ends.

SUMMARY      guarded(run) -> exit status, 128 + signal if the supervisor was killed
RULES        Two processes, each watching the other. The guard passes signals on to the supervisor,
             and when that ends, also by kill -9, sees every orphan off: PR_SET_CHILD_SUBREAPER
             makes it their parent. When the guard ends, also by kill -9, the supervisor gets
             SIGTERM and stops in order. Both killed at once: each program still gets its own
             PDEATHSIG (child.py). Only the guard stays in the terminal's foreground group, so that
             one Ctrl-C is one signal.
SOURCE       prctl(2), PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType

from machine.linux import become_subreaper, descendants, die_with_parent, set_process_name

PASSED_ON = {
    signal.SIGINT: signal.SIGINT,
    signal.SIGTERM: signal.SIGTERM,
    signal.SIGHUP: signal.SIGTERM,
    signal.SIGQUIT: signal.SIGTERM,
}
GRACE_S = 8.0  # for programs that were told by the kernel to end
POLL_S = 0.05


def guarded(run: Callable[[], int], grace_s: float = GRACE_S) -> int:
    """Call `run` in a process of its own; return the status to exit with."""
    become_subreaper()
    guard = os.getpid()
    held = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    sys.stdout.flush()
    sys.stderr.flush()
    supervisor = os.fork()
    if supervisor == 0:
        os.setsid()
        die_with_parent(signal.SIGTERM, guard)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        _run_and_leave(run)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(supervisor, PASSED_ON[signal.Signals(number)])

    for number in PASSED_ON:
        signal.signal(number, pass_on)
    set_process_name("waypost-guard")
    signal.pthread_sigmask(signal.SIG_SETMASK, held)
    status = _wait_for(supervisor)
    _see_off_orphans(grace_s)
    if os.WIFSIGNALED(status):
        return 128 + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)


def _run_and_leave(run: Callable[[], int]) -> None:
    """Run, and never return into the guard's half of the program."""
    code = 1
    try:
        code = run()
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except Exception:  # noqa: BLE001 - printed as the interpreter does; only the return is prevented
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _wait_for(supervisor: int) -> int:
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == supervisor:
            return status


def _see_off_orphans(grace_s: float) -> None:
    """Wait for what the supervisor left behind, which the kernel has told to end; then insist."""
    deadline = time.monotonic() + grace_s
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        orphans = descendants(os.getpid())
        if not orphans:
            return
        if time.monotonic() > deadline:
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_S)
