"""docs/SETTINGS.md agrees with the registry."""

from __future__ import annotations

from tables.parameters import GROUPS, REGISTRY
from tables.settingspage import PAGE, settings_page


def test_the_page_is_what_the_registry_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == settings_page(), "run python -m tables.settingspage"


def test_every_parameter_has_its_line() -> None:
    lines = settings_page().splitlines()
    for name in REGISTRY:
        assert sum(line.startswith(f"| `{name}` |") for line in lines) == 1
    assert [line[3:] for line in lines if line.startswith("## ")] == list(GROUPS)
    assert {line.replace("\\|", "").count("|") for line in lines if line.startswith("|")} == {5}
