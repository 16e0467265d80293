"""The door of the scripts: python script/machine set-up | serve | check ..."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0:1] = [str(ROOT / "script"), str(ROOT)]

from machine.errors import MachineError  # noqa: E402 - found by the line above


def main() -> int:
    command, *arguments = sys.argv[1:]
    if command == "set-up":
        from machine.installation import set_up

        return set_up(ROOT, with_tests="tests" in arguments)
    from machine.guard import guarded

    if command == "serve":
        from machine.serve import parse, serve

        chosen = parse(arguments)
        return guarded(lambda: serve(chosen, ROOT))
    if command == "check":
        from machine.checks import check

        return guarded(lambda: check(arguments, ROOT))
    raise MachineError(f"no command {command!r}")


if __name__ == "__main__":
    sys.exit(main())
