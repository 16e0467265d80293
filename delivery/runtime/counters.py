"""counters - what happened since the engine started, for status."""

from __future__ import annotations


class Counters:
    """What happened since the engine started, for status."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    def add(self, name: str, count: int = 1) -> None:
        """One more."""
        self.values[name] = self.values.get(name, 0) + count
