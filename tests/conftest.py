"""conftest - what all tests share.

RULES        tests/panel needs Postgres (DATABASE_URL, or the server that script/test keeps); the
             tests of tables/ and delivery/ need nothing but the code
             what a test measured, record_property("figures", text), is printed at the end
             no example of a property test has a deadline: machines are busy
             tests that start whole systems come first, so that no worker is left with one of them
             in the end
"""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


LONGEST = ("system", "machine", "wire")
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first."""
    items.sort(key=lambda item: item.path.relative_to(HERE).parts[0] not in LONGEST)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Figures, also of tests that passed."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, text in report.user_properties:
                if name == "figures":
                    terminalreporter.write_line(f"{report.nodeid}: {text}")
