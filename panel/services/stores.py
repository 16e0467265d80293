"""stores - the generations on this host's disk, and compiling into them.

SUMMARY      generation_store(); compile_current(build) -> (content, report); lint_rows() -> report
             newest_start(store) -> the Start that an incremental compile goes on from
RULES        compile_current reads the rows as the current transaction sees them: inside
             consistent_read those of one snapshot, inside another transaction its own edits too,
             which is what a dry run wants.
             It goes on from the newest published generation whose files are in the store of the
             build, and reads what was edited since. A generation made under other circumstances
             (another cluster, database or timeline) is no start, for its snapshot means nothing
             here; nor is one that is not whole on the disk, or without notes.
SOURCE       decision 0005
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from panel.choices import GenerationState
from panel.models import Generation
from panel.services.changes import Snapshot
from panel.services.edits import read_edits
from panel.services.rows import read_rows
from tables.errors import GenerationError
from tables.manifest import Content
from tables.writing.compiler import Previous, compile_rows
from tables.writing.report import Report
from tables.writing.store import Build, Store

_STORES: dict[Path, Store] = {}


@dataclass(frozen=True, slots=True)
class Start:
    """A generation, and the snapshot of the rows that it was made from."""

    previous: Previous
    snapshot: Snapshot


def generation_store() -> Store:
    """The store of this host.

    One for the process: it remembers which files were verified, so that the edit of a large table
    does not read all of it. A file touched since then is verified again (tables/objects.py).
    """
    root: Path = settings.WAYPOST_HOME / "maps"
    root.parent.mkdir(parents=True, exist_ok=True)
    return _STORES.setdefault(root, Store(root))


def is_broken_here(number: int) -> bool:
    """True when a generation is in the store but cannot be read: damaged, or of an older format."""
    store = generation_store()
    if number not in store.numbers():
        return False
    try:
        store.read(number)
    except GenerationError:
        return True
    return False


def compile_current(
    build: Build, start: Start | None = None, *, whole: bool = False
) -> tuple[Content, Report]:
    """The content that the rows give now, linted; `whole`: whatever was compiled before."""
    if start is None and not whole:
        start = newest_start(build.store)
    edits = None if start is None else read_edits(start.snapshot)
    previous = None if start is None or edits is None else start.previous
    content, report = compile_rows(read_rows(edits), build, previous)
    if build.notes is not None:
        build.notes.start = f"{_circumstances()} {Snapshot.current().text}"
    return content, report


def newest_start(store: Store) -> Start | None:
    """The newest published generation in the store to go on from; None when there is none."""
    numbers = store.numbers()
    published = Generation.objects.filter(state=GenerationState.PUBLISHED, number__in=numbers)
    newest = published.first()
    notes = None if newest is None else store.notes(newest.number)
    if newest is None or notes is None or newest.cluster != this_cluster():
        return None
    circumstances, _, snapshot = notes.start.partition(" ")
    if circumstances != _circumstances():
        return None
    try:
        manifest = store.verify(newest.number)
    except GenerationError:
        return None
    if manifest.digest != newest.digest:
        return None
    return Start(Previous(manifest.content, notes), Snapshot.parse(snapshot))


def this_cluster() -> str:
    """The number that tells this database cluster from every other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier::text FROM pg_control_system()")
        identifier: str = cursor.fetchone()[0]
    return identifier


def _circumstances() -> str:
    """Cluster, timeline and database: within these, transaction numbers only grow."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()), "
            "left(pg_walfile_name(pg_current_wal_lsn()), 8), "
            "(SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
        found: str = cursor.fetchone()[0]
    return found


def lint_rows() -> Report:
    """What a publish would say about the rows, all of them looked at, without publishing."""
    with (
        tempfile.TemporaryDirectory(prefix="waypost-lint-") as directory,
        transaction.atomic(),
        Store(Path(directory) / "maps").begin() as build,
    ):
        return compile_current(build)[1]
