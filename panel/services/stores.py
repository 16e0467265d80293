"""stores - the generations on this host's disk, and compiling into them.

SUMMARY      generation_store(); compile_current(build) -> (content, report); lint_rows() -> report
RULES        compile_current reads the rows as the current transaction sees them: inside
             consistent_read those of one snapshot, inside another transaction its own edits too,
             which is what a dry run wants
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from django.conf import settings
from django.db import transaction

from panel.services.rows import read_rows
from tables.manifest import Content
from tables.writing.compiler import compile_rows
from tables.writing.report import Report
from tables.writing.store import Build, Store


def generation_store() -> Store:
    """The store of this host."""
    root: Path = settings.WAYPOST_HOME / "maps"
    root.parent.mkdir(parents=True, exist_ok=True)
    return Store(root)


def compile_current(build: Build) -> tuple[Content, Report]:
    """The content that the rows give now, linted."""
    return compile_rows(read_rows(), build)


def lint_rows() -> Report:
    """What a publish would say about the rows, without publishing."""
    with (
        tempfile.TemporaryDirectory(prefix="waypost-lint-") as directory,
        transaction.atomic(),
        Store(Path(directory) / "maps").begin() as build,
    ):
        return compile_current(build)[1]
