"""worker - one process with a database of its own: scenario after scenario.

SUMMARY      a program: JSON lines in (jobs), JSON lines out (what became of them)
RULES        publishing needs the database and happens out here; everything else happens in the
             scenario's machine, which the engine shares with nothing
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "script")
sys.path.insert(1, str(ROOT))

from conformance_machine import publishing  # noqa: E402 - found by the lines above
from conformance_machine.configuration import write_configuration  # noqa: E402
from conformance_machine.namespaces import Way  # noqa: E402
from conformance_machine.suite import Scenario  # noqa: E402

MACHINE_LIMIT_S = 1800


def main() -> int:
    about = json.loads(sys.stdin.readline())
    work = Path(about["work"])
    way = Way(tuple(about["way"]))
    logging.disable(logging.WARNING)  # no broker listens: every publish would say so
    publishing.begin(about["database_url"], work)
    if about["migrate"]:
        publishing.migrate()
    _say({"ready": True})
    for line in sys.stdin:
        _say(_run(json.loads(line), work, way))
    publishing.end()
    return 0


def _say(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def _run(job: dict[str, Any], work: Path, way: Way) -> dict[str, Any]:
    """Run one scenario; {"refused": [...], "trouble": text, "seconds": number}."""
    started = time.monotonic()
    scenario = Scenario(Path(job["directory"]), job["name"], job["family"], job["legacy"])
    place = Path(tempfile.mkdtemp(prefix="s-", dir=work))
    refused: list[str] = []
    try:
        configuration = write_configuration(scenario, place / "root")
        refused = publishing.publish(configuration, place / "home", is_old=scenario.legacy)
        published = time.monotonic()
        trouble = _run_machine(scenario, place, Path(job["output"]), way)
    except Exception as error:  # noqa: BLE001 - one scenario must not stop the others
        trouble = f"{type(error).__name__}: {error}"
        published = time.monotonic()
    finally:
        if not job["keep"]:
            shutil.rmtree(place, ignore_errors=True)
    return {
        "refused": refused,
        "trouble": trouble,
        "publish_s": round(published - started, 2),
        "seconds": round(time.monotonic() - started, 2),
        "place": str(place),
    }


def _run_machine(scenario: Scenario, place: Path, output: Path, way: Way) -> str:
    """Run the cases; '' or what went wrong."""
    job = {
        "directory": str(scenario.directory),
        "cases": str(scenario.cases),
        "root": str(place / "root"),
        "home": str(place / "home"),
        "log": str(place / "engine.log"),
        "code": str(ROOT),
        "python": sys.executable,
        "certificates": str(_certificates(scenario.directory)),
        "has_users": way.has_users,
        "output": str(output),
    }
    file = place / "job.json"
    file.write_text(json.dumps(job))
    program = Path(__file__).with_name("machine.py")
    done = subprocess.run(
        way.command([sys.executable, str(program), str(file)]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=MACHINE_LIMIT_S,
        check=False,
    )
    if done.returncode == 0:
        return ""
    return done.stdout.decode("utf-8", "replace").strip()[-2000:] or f"status {done.returncode}"


def _certificates(directory: Path) -> Path:
    """certs/ beside the half of the suite that the scenario is in."""
    return directory.parents[1] / "certs"


if __name__ == "__main__":
    sys.exit(main())
