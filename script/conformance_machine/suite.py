"""suite - the scenarios below a directory.

SUMMARY      find_scenarios(directory, ...) -> Scenario, ...; find_lookups(directory)
RULES        a directory with a scenario.json is a scenario, one with a lookups.json a set of
             look-ups. With `legacy` those with a legacy/ directory run with its files, and their
             name ends in /legacy.
SOURCE       FORMAT.md
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario in one wording."""

    directory: Path
    name: str  # as cases.json says it
    family: str
    legacy: bool
    batch: int = 1

    @property
    def configuration(self) -> Path:
        """Where main.cf is."""
        return self.directory / ("legacy" if self.legacy else "postfix")

    @property
    def cases(self) -> Path:
        """The recorded cases."""
        return (self.configuration if self.legacy else self.directory) / "cases.json"


def load(path: Path, default: Any = None) -> Any:
    """The content of a JSON file; `default` when it is not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default


def find_scenarios(
    directory: Path,
    *,
    batch: int | None = None,
    families: Collection[str] = (),
    legacy: bool = False,
) -> list[Scenario]:
    """All scenarios below a directory, by name."""
    found = []
    for path in sorted(directory.rglob("scenario.json")):
        about = load(path)
        its_batch = about.get("batch", 1)
        if batch is not None and its_batch != batch:
            continue
        if families and about["family"] not in families:
            continue
        scenario = Scenario(path.parent, "", about["family"], legacy, its_batch)
        if not scenario.cases.is_file():
            continue
        name = load(scenario.cases).get("scenario") or path.parent.name
        found.append(replace(scenario, name=name))
    return found


def find_lookups(directory: Path) -> list[Path]:
    """All directories of look-ups below a directory."""
    return sorted(path.parent for path in directory.rglob("lookups.json"))
