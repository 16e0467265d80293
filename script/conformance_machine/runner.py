"""runner - all scenarios, in parallel; verdicts, and the closing line.

SUMMARY      run(choices) -> exit status: 1 when something failed
RULES        each core has one worker with a database of its own; the long scenarios come first
"""

from __future__ import annotations

import json
import os
import queue
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from conformance_machine.databases import Databases
from conformance_machine.namespaces import choose_way
from conformance_machine.suite import Scenario, find_lookups, find_scenarios, load
from conformance_machine.verdict import DEVIATIONS, ROOT, Verdict, judge
from conformance_machine.workers import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the command line says."""

    directory: Path
    out: Path | None = None
    level: str = "decision"
    batch: int | None = None
    families: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    legacy: bool = False
    jobs: int = 1
    keep: Path | None = None  # leave machines' files here
    verbose: bool = False

    @property
    def is_part(self) -> bool:
        """True when only some scenarios were asked for."""
        return bool(self.batch or self.families or self.names or self.legacy)


@dataclass(slots=True)
class Tally:
    """Counts of one family."""

    passed: int = 0
    failed: int = 0
    deviating: int = 0


@dataclass(slots=True)
class Results:
    """What became of all cases."""

    families: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))

    def total(self, name: str) -> int:
        return sum(getattr(tally, name) for tally in self.families.values())


def run(choices: Choices) -> int:
    """Run and compare everything that was chosen."""
    scenarios = find_scenarios(
        choices.directory,
        batch=choices.batch,
        families=choices.families,
        legacy=choices.legacy,
    )
    if choices.names:
        scenarios = [each for each in scenarios if each.directory.name in choices.names]
    results = Results()
    started = time.monotonic()
    if scenarios:
        with tempfile.TemporaryDirectory(prefix="waypost-conformance-") as temporary:
            _run_scenarios(scenarios, choices, Path(temporary), results)
    lookups = [] if choices.is_part else find_lookups(choices.directory)
    for directory in lookups:
        _run_lookups(directory, choices, results)
    for name, tally in sorted(results.families.items()) if choices.verbose else ():
        print(f"{name:<24} {tally.passed:5} passed {tally.failed:5} failed")
    if results.total("deviating"):
        print(f"{results.total('deviating')} deviations, see {DEVIATIONS.relative_to(ROOT)}")
    print(f"{len(scenarios)} scenarios in {time.monotonic() - started:.0f} s", file=sys.stderr)
    passed, failed = results.total("passed"), results.total("failed")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not (scenarios or lookups) else 0


def _run_lookups(directory: Path, choices: Choices, results: Results) -> None:
    """All look-ups of one directory."""
    from conformance_machine import lookups

    ours = lookups.observe(directory)
    if choices.out is not None:
        folder = choices.out / "tables" / directory.name
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(ours, ensure_ascii=False)
        (folder / "lookups.json").write_text(text, encoding="utf-8")
    tally = results.families["(tables)"]
    for name, difference in lookups.differences(load(directory / "lookups.json"), ours):
        if not difference:
            tally.passed += 1
            continue
        tally.failed += 1
        print(f"tables/{directory.name}: {name}: {difference}")


def _run_scenarios(
    scenarios: list[Scenario], choices: Choices, temporary: Path, results: Results
) -> None:
    way = choose_way()
    if not way.has_users:
        print("all users are one here: install the package uidmap to see owners", file=sys.stderr)
    waiting: queue.SimpleQueue[Scenario] = queue.SimpleQueue()
    sizes = {each.name: each.cases.stat().st_size for each in scenarios}
    for each in sorted(scenarios, key=lambda s: -sizes[s.name]):  # the long ones first
        waiting.put(each)
    lock = threading.Lock()
    work, out = choices.keep or temporary, choices.out or temporary / "out"
    work.mkdir(parents=True, exist_ok=True)
    with Databases(os.environ["DATABASE_URL"]) as databases:
        first_url = databases.make()
        first = Worker(first_url, work, way, migrate=True)
        first.close()  # a database is copied only while nobody uses it
        count = min(choices.jobs, len(scenarios))
        urls = [databases.make(template=first_url) for _ in range(count)]

        workers: list[Worker] = []

        def serve(url: str) -> None:
            worker = Worker(url, work, way, migrate=False)
            workers.append(worker)
            try:
                while True:
                    scenario = waiting.get_nowait()
                    observation = worker.observe(scenario, out, keep=choices.keep is not None)
                    verdict = judge(scenario, observation, choices.level)
                    with lock:
                        _say(scenario, verdict, results.families[scenario.family])
                        if choices.verbose:
                            print(f"{scenario.name}: {observation.times}", file=sys.stderr)
            except queue.Empty:
                worker.close()

        threads = [threading.Thread(target=serve, args=(url,), daemon=True) for url in urls]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        finally:  # also when told to stop
            for worker in workers:
                worker.kill()


def _say(scenario: Scenario, verdict: Verdict, tally: Tally) -> None:
    """Count one scenario; print what differs."""
    tally.passed += verdict.passed
    tally.deviating += verdict.deviating
    tally.failed += len(verdict.failures)
    for line in verdict.as_text(scenario):
        print(line)
    sys.stdout.flush()
