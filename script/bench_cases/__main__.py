"""script/bench NAME [--quick] [--only PART,...] [--json FILE] - one benchmark beside its peer."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0:1] = [str(ROOT / "script"), str(ROOT)]

from bench_cases import mail, tables  # noqa: E402 - found by the line above
from bench_cases.figures import Figures  # noqa: E402

CASES = {"mail": mail, "tables": tables}


def main() -> int:
    """The exit status: 0 when all parts could be measured."""
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__.partition(" - ")[2])
    parser.add_argument("name", choices=CASES, metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--quick", action="store_true", help="small sizes, few runs")
    parser.add_argument("--only", metavar="PART,...", help="these parts alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    case = CASES[options.name]
    parts = options.only.split(",") if options.only else list(case.PARTS)
    if unknown := [part for part in parts if part not in case.PARTS]:
        parser.error(f"no part {unknown[0]!r}; known are {', '.join(case.PARTS)}")
    work = Path(tempfile.mkdtemp(prefix="bench-", dir=os.environ.get("TMPDIR", "/tmp")))  # noqa: S108
    figures = Figures(options.json)
    try:
        case.run(work, figures, parts, quick=options.quick)
    finally:
        figures.finish()
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
