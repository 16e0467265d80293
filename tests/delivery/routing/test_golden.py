"""The scripts in golden/: a configuration, addresses, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.delivery.routing.script import run

GOLDEN = Path(__file__).parent / "golden"
SCRIPTS = sorted(GOLDEN.glob("*.in"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_it_works(script: Path) -> None:
    assert run(script) == script.with_suffix(".ref").read_text()


def test_each_reference_has_its_script() -> None:
    references = sorted(path.stem for path in GOLDEN.glob("*.ref"))
    assert references == [path.stem for path in SCRIPTS]
