"""Report: counts everything, keeps the first findings, survives JSON."""

from __future__ import annotations

import json

from tables.writing.report import KEPT, Finding, Report


def test_it_works() -> None:
    report = Report()
    report.counts["virtual"] = 3
    report.warning("unused-table", "table:1", "Nothing asks it.")
    assert report.is_publishable
    report.error("entry", "entry:7", "The value is empty.")
    assert not report.is_publishable
    assert report.errors == [Finding("entry", "entry:7", "The value is empty.")]
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_it_counts_what_it_does_not_keep() -> None:
    report = Report()
    for number in range(KEPT + 10):
        report.error("entry", f"entry:{number}", "Wrong.")
        report.warning("entry", f"entry:{number}", "Odd.")
    assert (len(report.errors), report.error_count) == (KEPT, KEPT + 10)
    assert (len(report.warnings), report.warning_count) == (KEPT, KEPT + 10)
    assert report.errors[-1].row == f"entry:{KEPT - 1}"
