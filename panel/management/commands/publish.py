"""publish - publishes the rows as they are now, or shows what would be in it.

SUMMARY      publish          compile, lint, write and tell the nodes; prints the generation
             publish --wait   ... and wait until every node runs it
             publish --diff   list the changes that are not published yet; changes nothing
RULES        called by root it writes as the owner of WAYPOST_HOME, whom the engine runs as
ERRORS       exit status 1: refused or failed (the report is printed), or not live in time
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from panel.choices import GenerationState
from panel.models import Generation
from panel.services.changes import pending_changes
from panel.services.nodes import tell_nodes, wait_until_live
from panel.services.publish import publish_changes
from privilege import files_of
from tables.errors import StoreBusy
from tables.writing.report import Report

BUSY_WAIT_S = 30.0
PAUSE_S = 0.2


class Command(BaseCommand):
    """manage.py publish [--wait [--timeout S]] [--diff]"""

    help = "Publishes the rows as they are now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The words of the command line."""
        parser.add_argument("--wait", action="store_true", help="until every node runs it")
        parser.add_argument("--timeout", type=float, default=60.0, help="of --wait, in seconds")
        parser.add_argument("--diff", action="store_true", help="only list what is not published")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line of result, or the list."""
        if options["diff"]:
            self._print_pending()
            return
        home: Path = settings.WAYPOST_HOME
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with files_of(home, (settings.BASE_DIR, Path(sys.prefix), Path(sys.base_prefix), home)):
            self._publish_now(options)

    def _publish_now(self, options: dict[str, Any]) -> None:
        generation = self._publish()
        if generation.state != GenerationState.PUBLISHED:
            self._print_report(generation)
            raise CommandError(f"Generation {generation.number} was {generation.state}.")
        self.stdout.write(f"Generation {generation.number} is published.")
        if options["wait"]:
            tell_nodes()
            if not wait_until_live(generation.revision or 0, options["timeout"]):
                raise CommandError("It is not live on every node yet.")
            self.stdout.write("It is live on every node.")

    def _publish(self) -> Generation:
        """Publishes; waits for a publisher that is at it already."""
        deadline = time.monotonic() + BUSY_WAIT_S
        while True:
            try:
                generation = publish_changes("command", requested_by="command", force=True)
            except StoreBusy:
                generation = None
            if generation is not None:
                return generation
            if time.monotonic() > deadline:
                raise CommandError("Another publish is at work; try again.")
            time.sleep(PAUSE_S)

    def _print_pending(self) -> None:
        for change in pending_changes().order_by("id").iterator():
            self.stdout.write(f"{change.at:%Y-%m-%d %H:%M:%S} {change.actor}: {change}")
            for name, (before, after) in change.differences.items():
                self.stdout.write(f"    {name}: {before!r} -> {after!r}")

    def _print_report(self, generation: Generation) -> None:
        for finding in Report.from_dict(generation.report).errors:
            self.stderr.write(f"{finding.row}: {finding.message}")
