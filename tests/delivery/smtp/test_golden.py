"""Scripts of whole dialogues, readable by a postmaster; the difference is the failure."""

from __future__ import annotations

import pytest

from tests.delivery.smtp import golden

SCRIPTS = sorted(path.stem for path in golden.FOLDER.glob("smtp-*.in"))


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 6


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_says_what_the_script_says(name: str) -> None:
    script = (golden.FOLDER / f"{name}.in").read_text(encoding="utf-8")
    expected = (golden.FOLDER / f"{name}.ref").read_text(encoding="utf-8")
    assert golden.run(script) == expected
