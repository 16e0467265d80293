"""program - one program that the supervisor runs, as data.

SUMMARY      Program(name, command, ...), with the tests that always pass
RULES        A program stays in the foreground, writes to stdout and stderr, ends on stop_signal,
             and is started again whenever it ends by itself. It leads a process group of its own.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


def anything(_: object) -> bool:
    """The test that everything passes."""
    return True


def nothing() -> None:
    """The step that does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run, how to see that it is up, and how to end it."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    is_server: bool = False  # others need it: started before them, stopped after them
    stop_signal: signal.Signals = signal.SIGTERM
    stop_at_once: signal.Signals = signal.SIGKILL
    patience_s: float = 5.0  # from stop_signal to stop_at_once
    ready: Callable[[int], bool] = anything  # called with the process id
    ready_mark: str = ""  # or: it is ready when it says this
    shown: Callable[[str], bool] = anything  # which lines of its output go to the terminal
    on_terminal: bool = False  # it has the terminal to itself: nothing is prefixed or kept
    kept: bool = True  # whether its output goes to a log file; not if it tells a password
    before: Callable[[], None] = nothing  # run before each start; may raise MachineError
    enter: Callable[[], None] = nothing  # run in the new process, before exec
