"""export_postfix - writes the configuration as files of a stock Postfix.

SUMMARY      export_postfix DIR               the generation in force on this node
             export_postfix DIR --pending     the rows as they are now, published or not
             export_postfix DIR --type lmdb   indexed tables as lmdb (cdb, hash, btree)
RULES        DIR is made, or empty. The remarks say what could not be written.
ERRORS       exit status 1: nothing was published, or the rows have errors
"""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from panel.services.exporter import TYPES, ExportProblem, export
from panel.services.stores import compile_current, generation_store
from tables.errors import TableError
from tables.manifest import TableContent
from tables.writing.store import Store


class Command(BaseCommand):
    """manage.py export_postfix DIR [--pending] [--type TYPE]"""

    help = "Writes the configuration as files of a stock Postfix."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The words of the command line."""
        parser.add_argument("directory", type=Path, metavar="DIR")
        parser.add_argument("--pending", action="store_true", help="the rows as they are now")
        parser.add_argument("--type", choices=TYPES, default="cdb", help="of indexed tables")

    def handle(self, *args: Any, **options: Any) -> None:
        """The remarks, and where the files are."""
        write = self._export_rows if options["pending"] else self._export_generation
        try:
            remarks = write(options["directory"], options["type"])
        except (ExportProblem, TableError, OSError) as error:
            raise CommandError(str(error)) from error
        for remark in remarks:
            self.stdout.write(remark)
        self.stdout.write(f"The files are in {options['directory']}.")

    def _export_generation(self, directory: Path, table_type: str) -> list[str]:
        store = generation_store()
        manifest = store.current()
        if manifest is None:
            raise CommandError("Nothing was published yet: publish, or export with --pending.")
        return _export(store, manifest.content, directory, table_type)

    def _export_rows(self, directory: Path, table_type: str) -> list[str]:
        with tempfile.TemporaryDirectory(prefix="waypost-export-") as folder:
            store = Store(Path(folder) / "maps")
            with transaction.atomic(), store.begin() as build:
                content, report = compile_current(build)
            if not report.is_publishable:
                raise CommandError(f"The rows have errors: {report.errors[0].message}")
            return _export(store, content, directory, table_type)


def _export(store: Store, content: Any, directory: Path, table_type: str) -> list[str]:
    def paths_of(table: TableContent) -> list[Path]:
        return [store.objects.path(layer.digest) for layer in table.layers]

    return export(content, paths_of, directory, table_type=table_type)
