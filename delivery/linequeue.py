"""linequeue - lines on their way to a slow place; a thread takes them there in batches.

SUMMARY      LineQueue(name, take).put(line); take(lines) is called in the thread
RULES        whoever puts a line never waits: a full disk or a pipe that nobody reads costs lines,
             not mail. Beyond BACKLOG lines new ones are dropped; take() hears how many
             after each batch lines gather for GATHER_S, so that a busy engine writes many at once,
             and whoever puts one need not wake the thread
             close() lets what waits be written, for at most CLOSE_S
ERRORS       none: take() must deal with its own
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

BACKLOG = 100_000  # lines in memory at most
BATCH = 1000
GATHER_S = 0.02
CLOSE_S = 5.0


class LineQueue(Generic[T]):
    """Lines may be put by any thread."""

    def __init__(
        self, name: str, take: Callable[[list[T], int], None], *, backlog: int = BACKLOG
    ) -> None:
        """`take(lines, dropped)`: at most BATCH lines, and how many were dropped before them."""
        self._take = take
        self._backlog = backlog
        self._lines: deque[T] = deque()
        self._dropped = 0
        self._drop_lock = threading.Lock()
        self._some = threading.Event()
        self._is_told = True  # the thread will look by itself
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, line: T) -> None:
        """Add a line, or count it as dropped when too many wait."""
        if len(self._lines) >= self._backlog:
            with self._drop_lock:
                self._dropped += 1
            return
        self._lines.append(line)
        if not self._is_told:
            self._is_told = True
            self._some.set()

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """Write what waits; False when that took too long. Nothing may be put afterwards."""
        self._closing.set()
        self._some.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._closing.wait(GATHER_S)
            if not self._lines:
                self._rest()
            while self._lines or self._dropped:
                count = min(len(self._lines), BATCH)
                lines = [self._lines.popleft() for _ in range(count)]
                with self._drop_lock:
                    dropped, self._dropped = self._dropped, 0
                self._take(lines, dropped)

    def _rest(self) -> None:
        """Until there is a line. Whoever puts one while lines gather wakes nobody."""
        self._some.clear()
        self._is_told = False  # before it looks: what comes behind its back wakes it again
        if not self._lines and not self._closing.is_set():
            self._some.wait()
        self._is_told = True
