"""report - what became of each line of the files.

SUMMARY      report.add(level, file, line, text); as_text(), to_dict()
LEVELS       understood     it stands in the rows and means the same
             approximated   it stands in the rows in other words, or means something close
             left out       it does not stand in the rows, and why
             wrong          kept as written, but a publish will refuse it until it is corrected
RULES        what stands in the files may be anything: what cannot be printed is escaped
LIMITS       of one file and level the first KEPT lines are kept; all are counted. A remark has at
             most TEXT_LENGTH characters
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

KEPT = 200
TEXT_LENGTH = 1000


class Level(StrEnum):
    """What became of a line."""

    UNDERSTOOD = "understood"
    APPROXIMATED = "approximated"
    LEFT_OUT = "left out"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One remark; `line` is 0 where it is about the whole file."""

    file: str
    line: int
    level: Level
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.level}: {self.text}"


@dataclass(slots=True)
class ImportReport:
    """All remarks of one import, in the order of the files."""

    lines: list[ReportLine] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)  # by level
    rows: Counter[str] = field(default_factory=Counter)  # by model
    _kept: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, level: Level, file: str, line: int, text: str) -> None:
        """Make one remark."""
        self.counts[level] += 1
        kept = (file, level)
        self._kept[kept] += 1
        if self._kept[kept] <= KEPT:
            self.lines.append(ReportLine(_printable(file), line, level, _printable(text)))

    def as_text(self) -> Iterator[str]:
        """Lines for a person."""
        yield from map(str, self.lines)
        for (file, level), count in self._kept.items():
            if count > KEPT:
                yield f"{file}: {level}: and {count - KEPT} more"
        rows = ", ".join(f"{name} {count}" for name, count in sorted(self.rows.items()))
        yield f"Rows: {rows or 'none'}."
        yield ", ".join(f"{self.counts[level]} {level}" for level in Level) + "."

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "lines": [asdict(line) for line in self.lines],
            "counts": {str(level): self.counts[level] for level in Level},
            "rows": dict(self.rows),
        }


def _printable(text: str) -> str:
    """The text without line ends, escape sequences, NULs and half characters."""
    if len(text) > TEXT_LENGTH:
        text = f"{text[:TEXT_LENGTH]} ..."
    if text.isprintable():
        return text
    escaped = (each if each.isprintable() else repr(each)[1:-1] for each in text)
    return "".join(escaped)
