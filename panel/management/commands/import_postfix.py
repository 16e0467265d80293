"""import_postfix - makes rows of a Postfix configuration directory.

SUMMARY      import_postfix /etc/postfix             adds to what is there
             import_postfix DIR --replace            removes the Postfix layer first
             import_postfix DIR --dry-run            changes nothing, prints the same report
             import_postfix DIR --json               the report as JSON
             import_postfix DIR --since-2000         what is not set has the defaults of that time
RULES        one transaction: all of it, or nothing. Hosted domains and mailboxes are never touched.
             The report says of each line what became of it: docs/IMPORT.md
ERRORS       exit status 1: no main.cf there, or a file that cannot be read
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from panel.choices import Source
from panel.services.changes import acting
from panel.services.importer import ImportProblem, import_directory


class Command(BaseCommand):
    """manage.py import_postfix DIR [--replace] [--dry-run] [--json]"""

    help = "Makes rows of a Postfix configuration directory."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The words of the command line."""
        parser.add_argument("directory", type=Path, metavar="DIR", help="where main.cf is")
        parser.add_argument(
            "--replace", action="store_true", help="remove what the Postfix layer holds now"
        )
        parser.add_argument("--dry-run", action="store_true", help="change nothing")
        parser.add_argument("--json", action="store_true", help="the report as JSON")
        parser.add_argument("--user", default="import_postfix", help="who the changes are by")
        parser.add_argument(
            "--since-2000",
            action="store_true",
            default=None,
            help="what is not set has the defaults of the year 2000 (otherwise its words tell)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """One remark a line, and the counts."""
        try:
            with acting(options["user"], Source.COMMAND):
                report = import_directory(
                    options["directory"],
                    replace=options["replace"],
                    old_defaults=options["since_2000"],
                )
                if options["dry_run"]:
                    transaction.set_rollback(True)
        except (ImportProblem, OSError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.to_dict(), ensure_ascii=False, indent=2))
            return
        for line in report.as_text():
            self.stdout.write(line)
        if options["dry_run"]:
            self.stdout.write("Nothing was changed: this was a dry run.")
