"""polling - wait for what will be true before long, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(question: Callable[[], T], *, within_s: float = 20.0, what: str = "") -> T:
    """The first true answer; AssertionError with the last one when none comes in time."""
    deadline = time.monotonic() + within_s
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what or question}; last: {answer!r}")
        time.sleep(0.01)
    return answer
