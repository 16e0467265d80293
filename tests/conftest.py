"""conftest - what all tests share.

RULES        tests/panel needs Postgres (DATABASE_URL, or the server that script/test keeps); the
             tests of tables/ and delivery/ need nothing but the code
             what a test measured, record_property("figures", text), is printed at the end
"""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Figures, also of tests that passed."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, text in report.user_properties:
                if name == "figures":
                    terminalreporter.write_line(f"{report.nodeid}: {text}")
