"""publish - rows become the next generation.

SUMMARY      publish_changes(reason) publishes until nothing is left out; returns the newest attempt
             rebuild_when_due() compiles everything whole, off the edits' path
RULES        one publisher at a time, over all hosts (advisory lock). Soon after another publish it
             waits until the rows have been quiet for 0.1 s, at most 0.5 s: an edit by itself waits
             for nothing, a hundred quick ones are a few generations.
             Who finds the lock taken goes home: the holder looks again after it has let go, and so
             sees what was committed before the other one looked.
             Same rows, same digest: nothing is published, the newest generation just covers more.
             Errors in the rows: a refused generation with the report; it is not tried again until a
             row changes. Trouble with disk or database: a failed one; the sweep tries again, under
             the same number. In both cases the old generation stays live.
             Killed at any point: the lock goes with the session, the next publisher closes the
             attempt, the sweep is the next publisher.
REBUILDING   an edit reads and writes what was edited (stores.py, decision 0005). When that has left
             a large layer, and once a day, everything is compiled whole, without the publisher's
             lock; then the publisher goes on from that instead of from the newest generation. What
             an incremental compile could have missed (LIMITS in tables/writing/notes.py, change
             records that were deleted by hand) is mended by it.
ERRORS       StoreBusy (another publisher of this store; try again), django.db.Error
NOT DONE     switching and hinting: nodes.py, on every node
SOURCE       decisions 0001, 0002, 0004 and 0005
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.db.models import Max
from django.utils import timezone

from panel.choices import GenerationState
from panel.constants import (
    DEFAULT_REASON,
    PUBLISH_LOCK,
    PUBLISH_ROUND_S,
    REBUILD_EVERY_S,
    REBUILD_LOCK,
    SETTLE_AFTER_S,
    SETTLE_LIMIT_S,
    SETTLE_QUIET_S,
)
from panel.models import Change, Generation
from panel.services.changes import Snapshot, untried_changes
from panel.services.locks import advisory_lock
from panel.services.nodes import tell_nodes
from panel.services.rows import consistent_read
from panel.services.stores import (
    Start,
    compile_current,
    generation_store,
    is_broken_here,
    this_cluster,
)
from tables.errors import GenerationError, StoreBusy, TableError
from tables.manifest import Content
from tables.writing.compiler import Previous
from tables.writing.layers import needs_base
from tables.writing.report import Report

log = logging.getLogger("panel.publish")


@dataclass(frozen=True, slots=True)
class Compiled:
    """What one consistent read gave."""

    snapshot: Snapshot
    content: Content
    report: Report
    is_new: bool  # publishing it makes a difference, or its errors have to be told


def publish_is_due() -> bool:
    """True when no publish has looked at some change, or the last one did not end well.

    Or when what it wrote can be read no more: it was damaged, or is of an older format.
    """
    last = Generation.objects.first()
    if last is None or last.state in (GenerationState.BUILDING, GenerationState.FAILED):
        return True
    if last.cluster != this_cluster() or untried_changes().exists():
        return True
    newest = Generation.newest()
    return newest is not None and is_broken_here(newest.number)


def publish_changes(
    reason: str = DEFAULT_REASON,
    *,
    requested_by: str = "",
    force: bool = False,
    settle_s: float = SETTLE_LIMIT_S,
    here: str = "",
) -> Generation | None:
    """The newest attempt after publishing what is due; None when nothing was, or another is at it.

    With `force` one publish is made in any case, of everything compiled whole (it may find that
    nothing differs). `settle_s` is how long it waits at most for a pause in the edits. `here` is
    the node of this host, if it has one: it need not be rung for.
    """
    made = None
    deadline = time.monotonic() + PUBLISH_ROUND_S
    while (force or publish_is_due()) and time.monotonic() < deadline:
        with advisory_lock(PUBLISH_LOCK) as held:
            if not held:
                return made
            _settle(settle_s)
            made = _publish_once(reason, requested_by, whole=force)
            force = False
        if made.state == GenerationState.FAILED:
            break  # the sweep tries again
        if made.state == GenerationState.PUBLISHED:
            tell_nodes(here)
    return made


def rebuild_when_due() -> Generation | None:
    """Compiles everything whole when it is time to; the generation that came of it."""
    return rebuild() if rebuild_is_due() else None


def rebuild_is_due() -> bool:
    """True when edits have become dear, or nobody has looked at everything for a day."""
    last = Generation.objects.first()
    if last is None or last.state != GenerationState.PUBLISHED:
        return False  # a whole compile would meet the same trouble
    store = generation_store()
    notes = store.notes(last.number)
    if notes is None:
        return False  # the next publish is a whole one
    try:
        tables = store.read(last.number).content.tables.values()
    except GenerationError:
        return False
    age = timezone.now() - datetime.fromisoformat(notes.whole)
    return age.total_seconds() > REBUILD_EVERY_S or any(needs_base(table) for table in tables)


def rebuild() -> Generation | None:
    """Compiles everything whole and has the publisher go on from that; None: another is at it."""
    with advisory_lock(REBUILD_LOCK) as held:
        if not held:
            return None
        with generation_store().begin(aside=True) as build:
            with consistent_read() as snapshot:
                content, report = compile_current(build, whole=True)
            if not report.is_publishable or build.notes is None:
                return publish_changes("rebuild", force=True)  # which says why
            start = Start(Previous(content, build.notes), snapshot)
            with advisory_lock(PUBLISH_LOCK, wait=True):
                made = _publish_once("rebuild", "", start)
    tell_nodes()
    return made


def _publish_once(
    reason: str, requested_by: str, start: Start | None = None, *, whole: bool = False
) -> Generation:
    """One publish, by the holder of the lock; with `start` also when only the files differ."""
    _adopt_cluster()
    newest = Generation.newest()
    attempt = _begin_attempt(reason, requested_by)
    try:
        compiled = _compile(attempt.number, newest, start, whole)
    except StoreBusy:
        attempt.delete()
        raise
    except (OSError, TableError, DatabaseError) as error:
        log.exception("generation %s failed", attempt.number)
        return _fail(attempt, f"{type(error).__name__}: {error}")
    if newest is not None and not compiled.is_new:
        attempt.delete()
        return _cover_more(newest, compiled)
    return _record(attempt, compiled)


def _settle(limit_s: float) -> None:
    """Soon after another publish waits for a pause in the edits, but not for long."""
    soon = timezone.now() - timedelta(seconds=SETTLE_AFTER_S)
    if not Generation.objects.filter(finished__gt=soon).exists():
        return
    deadline = time.monotonic() + limit_s
    seen = -1
    while time.monotonic() < deadline:
        newest = Change.objects.aggregate(newest=Max("id"))["newest"] or 0
        if newest == seen:
            return
        seen = newest
        time.sleep(SETTLE_QUIET_S)


def _adopt_cluster() -> None:
    """After a restore into another cluster: its transaction numbers begin anew, ours mean nothing.

    Changes that came with the dump count as seen by every snapshot from now on.
    """
    last = Generation.objects.exclude(cluster="").first()
    if last is not None and last.cluster != this_cluster():
        count = Change.objects.update(revision=0)
        log.info("the database was restored elsewhere: %s changes are taken as published", count)


def _begin_attempt(reason: str, requested_by: str) -> Generation:
    """The row of this attempt. A failed one is tried again under its number, where that is free."""
    for killed in Generation.objects.filter(state=GenerationState.BUILDING):
        _fail(killed, "The publisher was killed.")
    last = Generation.objects.first()
    taken = _taken_numbers()
    fields = {
        "state": GenerationState.BUILDING,
        "reason": reason[:200],
        "requested_by": (requested_by or _who_changed())[:150],
        "started": timezone.now(),
        "finished": None,
        "report": {},
    }
    if last is not None and last.state == GenerationState.FAILED and last.number > taken:
        for name, value in fields.items():
            setattr(last, name, value)
        last.save()
        return last
    return Generation.objects.create(number=max(last.number if last else 0, taken) + 1, **fields)


def _taken_numbers() -> int:
    """The highest number in the store; a database that was lost or restored may know less."""
    try:
        return generation_store().latest()
    except OSError:
        return 0  # the building will meet the same trouble, and put it into the attempt's report


def _who_changed() -> str:
    actors = untried_changes().order_by("actor").values_list("actor", flat=True).distinct()
    return ", ".join(actors[:5])


def _compile(number: int, newest: Generation | None, start: Start | None, whole: bool) -> Compiled:
    """Compiles one consistent read and, when it is good and new, writes generation `number`."""
    with consistent_read() as snapshot, generation_store().begin() as build:
        content, report = compile_current(build, start, whole=whole)
        is_same = newest is not None and content.digest == newest.digest
        is_same = is_same and not (newest and is_broken_here(newest.number))
        if newest is not None and is_same and start is not None:
            is_same = build.store.read(newest.number).content == content
        if not report.is_publishable:
            return Compiled(snapshot, content, report, is_new=True)
        if newest is not None and is_same:
            build.keep_notes(newest.number, content)
        else:
            build.finish(number, snapshot.revision, content)
    return Compiled(snapshot, content, report, is_new=not is_same)


def _cover_more(newest: Generation, compiled: Compiled) -> Generation:
    """The rows differ in nothing that matters: the newest generation contains these changes too."""
    newest.snapshot = compiled.snapshot.text
    newest.revision = compiled.snapshot.revision
    newest.cluster = this_cluster()
    newest.report = compiled.report.to_dict()
    newest.save(update_fields=["snapshot", "revision", "cluster", "report"])
    return newest


def _record(attempt: Generation, compiled: Compiled) -> Generation:
    """Published or refused, with what it was made of."""
    good = compiled.report.is_publishable
    attempt.state = GenerationState.PUBLISHED if good else GenerationState.REFUSED
    attempt.snapshot = compiled.snapshot.text
    attempt.revision = compiled.snapshot.revision
    attempt.cluster = this_cluster()
    attempt.digest = compiled.content.digest if good else ""
    attempt.counts = compiled.report.counts
    attempt.report = compiled.report.to_dict()
    attempt.finished = timezone.now()
    attempt.save()
    log.info(
        "generation=%s %s errors=%s warnings=%s seconds=%.3f",
        attempt.number,
        attempt.state,
        compiled.report.error_count,
        compiled.report.warning_count,
        (attempt.finished - attempt.started).total_seconds(),
    )
    return attempt


def _fail(attempt: Generation, message: str) -> Generation:
    """It could not be written; why is in the report."""
    report = Report()
    report.error("publish", "", message)
    attempt.state = GenerationState.FAILED
    attempt.report = report.to_dict()
    attempt.finished = timezone.now()
    attempt.save(update_fields=["state", "report", "finished"])
    return attempt
