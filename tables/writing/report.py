"""report - what a compile made and what it found, for the panel to show.

SUMMARY      Report collects while compiler and lint run; to_dict and from_dict for the panel
RULES        an error stops the publish, a warning does not. A finding names the check that made it,
             the row it is about as "model:pk" ('' where no single row is), and says in one or two
             plain sentences what is wrong and what to do. Equal rows give an equal report.
LIMITS       the first KEPT findings of each level are kept in full, all are counted
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

KEPT = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to tell the administrator."""

    check: str
    row: str
    message: str


@dataclass(slots=True)
class Report:
    """The counts and findings of one compile."""

    counts: dict[str, int] = field(default_factory=dict)  # table -> entries
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    error_count: int = 0
    warning_count: int = 0

    @property
    def is_publishable(self) -> bool:
        """True when there is no error."""
        return self.error_count == 0

    def error(self, check: str, row: str, message: str) -> None:
        """Note what stops the publish."""
        self.error_count += 1
        if len(self.errors) < KEPT:
            self.errors.append(Finding(check, row, message))

    def warning(self, check: str, row: str, message: str) -> None:
        """Note what the administrator should look at."""
        self.warning_count += 1
        if len(self.warnings) < KEPT:
            self.warnings.append(Finding(check, row, message))

    def include(self, other: Report) -> None:
        """Take over what another one found."""
        self.error_count += other.error_count
        self.warning_count += other.warning_count
        self.errors += other.errors[: KEPT - len(self.errors)]
        self.warnings += other.warnings[: KEPT - len(self.warnings)]

    def without(self, rows: Collection[str]) -> Report:
        """The warnings that are not about these rows, as far as they were kept."""
        warnings = [finding for finding in self.warnings if finding.row not in rows]
        gone = len(self.warnings) - len(warnings)
        return Report(warnings=warnings, warning_count=self.warning_count - gone)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The report that to_dict made `values` from."""
        return cls(
            counts=dict(values["counts"]),
            errors=[Finding(**finding) for finding in values["errors"]],
            warnings=[Finding(**finding) for finding in values["warnings"]],
            error_count=values["error_count"],
            warning_count=values["warning_count"],
        )
