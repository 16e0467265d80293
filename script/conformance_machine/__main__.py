"""The door of script/conformance."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "script")
sys.path.insert(1, str(ROOT))

from conformance_machine.compare import LEVELS  # noqa: E402 - found by the line above
from conformance_machine.namespaces import NoNamespaces  # noqa: E402
from conformance_machine.runner import Choices, run  # noqa: E402


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/conformance",
        description="Run every recorded scenario below DIR against Waypost and compare.",
    )
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, help="keep the observations, in the same form")
    parser.add_argument("--level", choices=LEVELS, default="decision", help="how much is compared")
    parser.add_argument("--batch", type=int, help="only the scenarios of this batch")
    parser.add_argument("--family", default="", metavar="F,...", help="only these families")
    parser.add_argument("--scenario", default="", metavar="S,...", help="only these directories")
    parser.add_argument("--legacy", action="store_true", help="the wordings of the year 2000")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("-v", "--verbose", action="store_true", help="count by family")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave engines' files here")
    return parser


def main() -> int:
    options = _parser().parse_args()
    choices = Choices(
        directory=options.directory.resolve(),
        out=options.out and options.out.resolve(),
        level=options.level,
        batch=options.batch,
        families=tuple(filter(None, options.family.split(","))),
        names=tuple(filter(None, options.scenario.split(","))),
        legacy=options.legacy,
        jobs=max(options.jobs, 1),
        keep=options.keep and options.keep.resolve(),
        verbose=options.verbose,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        if os.environ.get("DATABASE_URL"):
            return run(choices)
        return _with_own_postgres()
    except NoNamespaces as error:
        print(f"waypost: {error}", file=sys.stderr)
        return 1


def _with_own_postgres() -> int:
    """Run this program again beside a Postgres that forgets everything."""
    from machine.environment import MISLEADING
    from machine.errors import MachineError
    from machine.guard import guarded
    from machine.program import Program
    from machine.throwaway import surroundings

    def both() -> int:
        try:
            with surroundings("waypost-conformance-db-", ROOT) as around:
                url = around.start_postgres()
                kept = {name: text for name, text in os.environ.items() if name not in MISLEADING}
                program = Program(
                    name="conformance",
                    command=(sys.executable, str(Path(__file__)), *sys.argv[1:]),
                    environment={**kept, "DATABASE_URL": url},
                    directory=Path.cwd(),
                    on_terminal=True,
                    stop_signal=signal.SIGINT,
                )
                status = around.supervisor.complete(program)
                return 130 if status is None else status
        except MachineError as error:
            print(f"waypost: {error}", file=sys.stderr)
            return 1

    return guarded(both)


if __name__ == "__main__":
    sys.exit(main())
