"""recordings - scenarios that were recorded elsewhere, where they are at hand.

SUMMARY      SCENARIOS: all of them, both wordings; needs_recordings skips where there are none
RULES        they are no part of this repository: WAYPOST_CONFORMANCE names their directory, as
             script/conformance takes it
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT / "script") not in sys.path:
    sys.path.insert(0, str(ROOT / "script"))

from conformance_machine.configuration import write_configuration  # noqa: E402 - found now
from conformance_machine.suite import Scenario, find_scenarios, load  # noqa: E402

__all__ = ["SCENARIOS", "Scenario", "load", "needs_recordings", "write_configuration"]

DIRECTORY = os.environ.get("WAYPOST_CONFORMANCE", "")
SCENARIOS: list[Scenario] = [
    scenario
    for legacy in (False, True)
    for scenario in (find_scenarios(Path(DIRECTORY), legacy=legacy) if DIRECTORY else ())
]

needs_recordings = pytest.mark.skipif(
    not SCENARIOS, reason="no recordings: WAYPOST_CONFORMANCE is their directory"
)
