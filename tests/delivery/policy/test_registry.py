"""What can be written in a list is what is implemented, and docs/RESTRICTIONS.md describes it."""

from __future__ import annotations

import re
from pathlib import Path

import delivery.policy.lists  # noqa: F401 - fills the registry
from delivery.policy.registry import implemented
from tables.restrictions import RESTRICTIONS

DOCUMENT = Path(__file__).parents[3] / "docs" / "RESTRICTIONS.md"


def test_it_works() -> None:
    """A form takes what the engine has, and nothing else."""
    assert implemented() == {name: entry.argument for name, entry in RESTRICTIONS.items()}


def sections() -> dict[str, str]:
    parts = re.split(r"^### `(\w+)`.*$", DOCUMENT.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_each_restriction_has_a_section() -> None:
    assert sorted(sections()) == sorted(implemented())


def test_each_section_is_complete() -> None:
    wanted = ("input:", "verdicts:", "asks:")
    missing = {
        name: [word for word in wanted if word not in text] for name, text in sections().items()
    }
    assert {name: words for name, words in missing.items() if words} == {}
