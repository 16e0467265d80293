"""counters - what happened since the engine started, for status."""

from __future__ import annotations

from collections import defaultdict


class Counters:
    """What happened since the engine started, for status."""

    def __init__(self) -> None:
        self.values: dict[str, int] = defaultdict(int)

    def add(self, name: str, count: int = 1) -> None:
        """One more."""
        self.values[name] += count
