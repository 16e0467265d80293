"""figures - measured cases: printed as they come, written as JSON in the end.

RULES        ratio above 1: we are ahead; absent where there is no peer. Of times and sizes less is
             better, of rates ("/s") more
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One case, ours and the peer's in the same unit."""

    case: str
    unit: str
    ours: float
    peer: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times better we are."""
        if not self.peer or not self.ours:
            return None
        better = self.ours / self.peer if self.unit.endswith("/s") else self.peer / self.ours
        return round(better, 3)

    def record(self) -> dict[str, object]:
        """As the contract has it."""
        fields = {name: value for name, value in asdict(self).items() if value is not None}
        return fields if self.ratio is None else {**fields, "ratio": self.ratio}

    def line(self) -> str:
        """One row of the printed table."""
        peer = "-" if self.peer is None else shown(self.peer)
        ratio = "-" if self.ratio is None else f"{self.ratio:.2f}"
        return f"| {self.case} | {self.unit} | {shown(self.ours)} | {peer} | {ratio} |"


class Figures:
    """All cases of a run, written to `path` in the end."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.all: list[Figure] = []

    def say(self, text: str) -> None:
        """Tell what is being done."""
        print(f"# {text}", flush=True)

    def add(self, case: str, unit: str, ours: float, peer: float | None) -> None:
        """Take one case and print it."""
        figure = Figure(case, unit, ours, peer)
        self.all.append(figure)
        print(figure.line(), flush=True)

    def finish(self) -> None:
        """Print all cases as one table, and write the file."""
        print("\n| case | unit | ours | peer | ratio |\n| --- | --- | --- | --- | --- |")
        print("\n".join(figure.line() for figure in self.all), flush=True)
        if self.path is not None:
            records = [figure.record() for figure in self.all]
            self.path.write_text(json.dumps(records, indent=1) + "\n")


def shown(value: float) -> str:
    """Three digits or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def median(values: Iterable[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def percentile(values: Iterable[float], percent: int) -> float:
    """The least value that so many per cent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
