"""docs/deviations.json: what differs on purpose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conformance_machine.suite import Scenario
from conformance_machine.verdict import DEVIATIONS, ROOT, deviations_of, judge
from conformance_machine.workers import Observation


def test_every_deviation_is_specified() -> None:
    specified = (ROOT / "docs" / "SPECIFICATIONS.md").read_text()
    for scenario, cases in json.loads(DEVIATIONS.read_text()).items():
        assert cases == deviations_of(scenario)
        for reason in cases.values():
            parameter = reason.split()[0].rstrip(":")
            assert f"`{parameter}`" in specified, f"{scenario}: {reason}"


def test_other_scenarios_have_none() -> None:
    assert deviations_of("visible/none") == {}


@pytest.mark.parametrize("has_users", [True, False])
def test_owners_count_where_there_are_users(tmp_path: Path, has_users: bool) -> None:
    box = {"path": "{MAIL}/joe", "format": "mbox", "headers": [], "body": "x\n"}
    cases = [{"id": "1", "observed": {"replies": [], "mailboxes": [{**box, "owner": "joe"}]}}]
    (tmp_path / "cases.json").write_text(json.dumps({"cases": cases}))
    seen = {"1": {"replies": [], "mailboxes": [{**box, "owner": "root"}]}}
    scenario = Scenario(tmp_path, "one", "family", legacy=False)
    verdict = judge(scenario, Observation((), seen, "", has_users), "exact")
    assert (verdict.passed, len(verdict.failures)) == ((0, 1) if has_users else (1, 0))
