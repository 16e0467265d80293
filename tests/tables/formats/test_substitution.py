"""Results of pattern rules: $1, ${1}, $(1), $$."""

from __future__ import annotations

import pytest

from tables.errors import EntryError
from tables.formats.substitution import parse

GROUPS = ["whole", "one", "two"]


@pytest.mark.parametrize(
    ("text", "result", "highest"),
    [
        ("plain", "plain", 0),
        ("$1", "one", 1),
        ("<$2$1>", "<twoone>", 2),
        ("${1}st $(2)", "onest two", 2),
        ("cost $$5", "cost $5", 0),
        ("$$1$1$$", "$1one$", 1),
        ("", "", 0),
        ("$1-x", "one-x", 1),
        ("$01", "one", 1),
    ],
)
def test_it_works(text: str, result: str, highest: int) -> None:
    substitution = parse(text)
    assert (substitution.expand(GROUPS), substitution.highest) == (result, highest)


@pytest.mark.parametrize(
    "text", ["$0", "$1st", "$x", "$", "a$ b", "${", "${1", "${}", "${1:x}", "$(1"]
)
def test_it_rejects_what_is_no_number(text: str) -> None:
    with pytest.raises(EntryError, match="bad replacement syntax"):
        parse(text)
