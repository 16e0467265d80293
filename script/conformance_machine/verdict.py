"""verdict - what became of the cases of a scenario.

SUMMARY      judge(scenario, observation, level) -> Verdict; .as_text(scenario)
RULES        a case that cannot be observed has failed. Deviations that were decided on are listed
             with their reason in docs/deviations.json, by scenario and case, and counted apart.
             Where all users are one, nobody looks at owners (namespaces.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance_machine.compare import differences
from conformance_machine.suite import Scenario, load
from conformance_machine.workers import Observation

ROOT = Path(__file__).resolve().parents[2]
DEVIATIONS = ROOT / "docs" / "deviations.json"


@dataclass(frozen=True, slots=True)
class Failure:
    """One case, and what differs."""

    case: str
    note: str
    lines: tuple[str, ...]


@dataclass(slots=True)
class Verdict:
    """Counts of one scenario, and all that failed."""

    problems: tuple[str, ...]
    passed: int = 0
    deviating: int = 0
    failures: list[Failure] = field(default_factory=list)

    def as_text(self, scenario: Scenario) -> Iterator[str]:
        """What went wrong, line by line."""
        yield from (f"{scenario.name}: {problem}" for problem in self.problems)
        for failure in self.failures:
            yield f"{scenario.name}/{failure.case}: {failure.note}"
            yield from (f"   {line}" for line in failure.lines)


def judge(scenario: Scenario, observation: Observation, level: str) -> Verdict:
    """Compare case by case."""
    verdict = Verdict(observation.problems)
    deviations = deviations_of(scenario.name)
    told = ""
    for case in load(scenario.cases)["cases"]:
        found = observation.cases.get(case["id"], {"harness_error": "no observation"})
        if trouble := found.get("harness_error", ""):
            lines = ["as before" if trouble == told else trouble]
            told = trouble
        else:
            expected = case["observed"]
            if not observation.has_users:
                expected, found = _without_owners(expected), _without_owners(found)
            lines = list(differences(expected, found, level))
        if not lines:
            verdict.passed += 1
        elif case["id"] in deviations or "*" in deviations:
            verdict.deviating += 1
        else:
            verdict.failures.append(Failure(case["id"], case.get("note", ""), tuple(lines)))
    return verdict


def _without_owners(observed: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        **observed,
        "mailboxes": [{**each, "owner": ""} for each in observed.get("mailboxes", [])],
        "commands": [{**each, "user": "", "group": ""} for each in observed.get("commands", [])],
    }


def deviations_of(scenario: str) -> Mapping[str, str]:
    """Case -> reason, of the cases of a scenario that deviate on purpose."""
    found: Mapping[str, str] = load(DEVIATIONS, {}).get(scenario, {})
    return found
