"""docs/deviations.json: what differs on purpose."""

from __future__ import annotations

import json

from conformance_machine.verdict import DEVIATIONS, ROOT, deviations_of


def test_every_deviation_is_specified() -> None:
    specified = (ROOT / "docs" / "SPECIFICATIONS.md").read_text()
    for scenario, cases in json.loads(DEVIATIONS.read_text()).items():
        assert cases == deviations_of(scenario)
        for reason in cases.values():
            parameter = reason.split()[0].rstrip(":")
            assert f"`{parameter}`" in specified, f"{scenario}: {reason}"


def test_other_scenarios_have_none() -> None:
    assert deviations_of("visible/none") == {}
