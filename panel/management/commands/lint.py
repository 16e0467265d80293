"""lint - what a publish would say about the rows; publishes nothing.

ERRORS       exit status 1 when there are errors
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from panel.services.reports import counts_in_words
from panel.services.stores import lint_rows
from tables.writing.report import Finding


class Command(BaseCommand):
    """manage.py lint [--json]"""

    help = "Checks the rows as a publish would, and publishes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The words of the command line."""
        parser.add_argument("--json", action="store_true", help="the whole report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line for each finding, or JSON."""
        report = lint_rows()
        if options["json"]:
            self.stdout.write(json.dumps(report.to_dict(), ensure_ascii=False, indent=2))
        else:
            for level, findings in (("error", report.errors), ("warning", report.warnings)):
                for finding in findings:
                    self.stdout.write(_line(level, finding))
            self.stdout.write(counts_in_words(report.error_count, report.warning_count))
        if not report.is_publishable:
            sys.exit(1)


def _line(level: str, finding: Finding) -> str:
    where = f"{finding.row}: " if finding.row else ""
    return f"{level}: {where}{finding.message} [{finding.check}]"
