"""Every recorded scenario that belongs to the suite, each a test: at level exact.

The recordings are not a part of this repository: tests/recordings.py says where they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance_machine.databases import Databases
from conformance_machine.namespaces import choose_way
from conformance_machine.verdict import judge
from conformance_machine.workers import Worker

from tests.conformance.test_run import has_namespaces
from tests.recordings import SCENARIOS, Scenario, needs_recordings

BATCH = 1  # what holds in full; FORMAT.md
SHOWN = 40  # lines of what differs

pytestmark = [
    pytest.mark.system,
    needs_recordings,
    pytest.mark.skipif(not has_namespaces(), reason="needs namespaces, unshare and ip"),
]


@pytest.fixture(scope="session")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with Databases(os.environ["DATABASE_URL"]) as databases:
        work = tmp_path_factory.mktemp("machines")
        made = Worker(databases.make(), work, choose_way(), migrate=True)
        try:
            yield made
        finally:
            made.kill()


@pytest.mark.parametrize(
    "scenario", [s for s in SCENARIOS if s.batch == BATCH], ids=lambda scenario: scenario.name
)
def test_it_is_as_recorded(worker: Worker, scenario: Scenario, tmp_path: Path) -> None:
    verdict = judge(scenario, worker.observe(scenario, tmp_path), "exact")
    assert verdict.passed + verdict.deviating + len(verdict.failures) > 0
    lines = list(verdict.as_text(scenario))[:SHOWN]
    assert not verdict.failures, f"{len(verdict.failures)} cases differ:\n" + "\n".join(lines)
