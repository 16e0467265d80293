"""runner - all scenarios, in parallel; verdicts, and the closing line.

SUMMARY      run(choices) -> exit status: 1 when something failed
RULES        a case that cannot be observed has failed. Deviations that were decided on are listed
             with their reason in docs/deviations.json, by scenario and case, and counted apart.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance_machine.compare import differences
from conformance_machine.databases import Databases
from conformance_machine.namespaces import Way, choose_way
from conformance_machine.suite import Scenario, find_lookups, find_scenarios, load

ROOT = Path(__file__).resolve().parents[2]
DEVIATIONS = ROOT / "docs" / "deviations.json"


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


class Worker:
    """One worker process."""

    def __init__(self, database_url: str, work: Path, way: Way, *, migrate: bool) -> None:
        program = Path(__file__).with_name("worker.py")
        self._process = subprocess.Popen(
            [sys.executable, str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self.ask(
            {
                "database_url": database_url,
                "work": str(work),
                "way": way.options,
                "migrate": migrate,
            }
        )

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One line there, one line back."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> None:
        """End it and the machine that it runs, when it has not ended."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()

    def close(self) -> None:
        """No more work."""
        self._process.communicate()


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
    work = choices.keep or temporary
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
                    answer, document = _one(worker, scenario, choices, temporary)
                    with lock:
                        _judge(scenario, answer, document, choices, results)
                        if choices.verbose:
                            print(f"{scenario.name}: {answer['seconds']} s", file=sys.stderr)
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


def _one(
    worker: Worker, scenario: Scenario, choices: Choices, temporary: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Have one scenario run; what the worker said, and the observations."""
    folder = (choices.out or temporary / "out") / scenario.name
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "cases.json"
    output.unlink(missing_ok=True)
    answer = worker.ask(
        {
            "directory": str(scenario.directory),
            "name": scenario.name,
            "family": scenario.family,
            "legacy": scenario.legacy,
            "output": str(output),
            "keep": choices.keep is not None,
        }
    )
    return answer, load(output, {"cases": []})


def _judge(
    scenario: Scenario,
    answer: Mapping[str, Any],
    document: Mapping[str, Any],
    choices: Choices,
    results: Results,
) -> None:
    """Compare case by case; print what differs."""
    tally = results.families[scenario.family]
    deviations = deviations_of(scenario.name)
    observed = {case["id"]: case["observed"] for case in document["cases"]}
    for problem in (*answer["refused"], *filter(None, [answer["trouble"]])):
        print(f"{scenario.name}: {problem}")
    told = ""
    for case in load(scenario.cases)["cases"]:
        found = observed.get(case["id"], {"harness_error": "no observation"})
        if "harness_error" in found:
            lines = ["as before" if found["harness_error"] == told else found["harness_error"]]
            told = found["harness_error"]
        else:
            lines = list(differences(case["observed"], found, choices.level))
        if not lines:
            tally.passed += 1
        elif case["id"] in deviations or "*" in deviations:
            tally.deviating += 1
        else:
            tally.failed += 1
            print(f"{scenario.name}/{case['id']}: {case.get('note', '')}")
            for line in lines:
                print(f"   {line}")
    sys.stdout.flush()


def deviations_of(scenario: str) -> Mapping[str, str]:
    """Case -> reason, of the cases of a scenario that deviate on purpose."""
    found: Mapping[str, str] = load(DEVIATIONS, {}).get(scenario, {})
    return found
