"""publish - rows become the next generation.

SUMMARY      publish_changes(reason) publishes until nothing is left out; returns the newest attempt
             compile_current(build) compiles and lints the rows as they are
RULES        one publisher at a time, over all hosts (advisory lock). It waits until the rows have
             been quiet for 0.1 s, at most 0.5 s: a hundred quick edits are a few generations.
             Who finds the lock taken goes home: the holder looks again after it has let go, and so
             sees what was committed before the other one looked.
             Same rows, same digest: nothing is published, the newest generation just covers more.
             Errors in the rows: a refused generation with the report; it is not tried again until a
             row changes. Trouble with disk or database: a failed one; the sweep tries again, under
             the same number. In both cases the old generation stays live.
             Killed at any point: the lock goes with the session, the next publisher closes the
             attempt, the sweep is the next publisher.
ERRORS       StoreBusy (another publisher of this store; try again), django.db.Error
NOT DONE     switching and hinting: nodes.py, on every node
SOURCE       decisions 0001, 0002 and 0004
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from django.db import DatabaseError, connection
from django.db.models import Max
from django.utils import timezone

from panel.choices import GenerationState
from panel.constants import (
    DEFAULT_REASON,
    PUBLISH_LOCK,
    PUBLISH_ROUND_S,
    SETTLE_LIMIT_S,
    SETTLE_QUIET_S,
)
from panel.models import Change, Generation
from panel.services.changes import Snapshot, untried_changes
from panel.services.locks import advisory_lock
from panel.services.nodes import tell_nodes
from panel.services.rows import consistent_read
from panel.services.stores import compile_current, generation_store
from tables.errors import StoreBusy, TableError
from tables.manifest import Content
from tables.writing.report import Report

log = logging.getLogger("panel.publish")


@dataclass(frozen=True, slots=True)
class Compiled:
    """What one consistent read gave."""

    snapshot: Snapshot
    content: Content
    report: Report

    def is_same_as(self, newest: Generation) -> bool:
        """True when publishing it would change nothing."""
        return self.report.is_publishable and self.content.digest == newest.digest


def publish_is_due() -> bool:
    """True when no publish has looked at some change, or the last one did not end well."""
    last = Generation.objects.first()
    if last is None or last.state in (GenerationState.BUILDING, GenerationState.FAILED):
        return True
    return last.cluster != this_cluster() or untried_changes().exists()


def publish_changes(
    reason: str = DEFAULT_REASON,
    *,
    requested_by: str = "",
    force: bool = False,
    settle_s: float = SETTLE_LIMIT_S,
) -> Generation | None:
    """The newest attempt after publishing what is due; None when nothing was, or another is at it.

    With `force` one publish is made in any case (it may find that nothing differs). `settle_s` is
    how long it waits at most for a pause in the edits.
    """
    made = None
    deadline = time.monotonic() + PUBLISH_ROUND_S
    while (force or publish_is_due()) and time.monotonic() < deadline:
        with advisory_lock(PUBLISH_LOCK) as held:
            if not held:
                return made
            force = False
            _settle(settle_s)
            made = _publish_once(reason, requested_by)
        if made.state == GenerationState.FAILED:
            break  # the sweep tries again
        if made.state == GenerationState.PUBLISHED:
            tell_nodes()
    return made


def _publish_once(reason: str, requested_by: str) -> Generation:
    """One publish, by the holder of the lock."""
    _adopt_cluster()
    newest = Generation.newest()
    attempt = _begin_attempt(reason, requested_by)
    try:
        compiled = _compile(attempt.number, newest)
    except StoreBusy:
        attempt.delete()
        raise
    except (OSError, TableError, DatabaseError) as error:
        log.exception("generation %s failed", attempt.number)
        return _fail(attempt, f"{type(error).__name__}: {error}")
    if newest is not None and compiled.is_same_as(newest):
        attempt.delete()
        return _cover_more(newest, compiled)
    return _record(attempt, compiled)


def _settle(limit_s: float) -> None:
    """Waits for a pause in the edits, but not for long."""
    deadline = time.monotonic() + limit_s
    seen = -1
    while time.monotonic() < deadline:
        newest = Change.objects.aggregate(newest=Max("id"))["newest"] or 0
        if newest == seen:
            return
        seen = newest
        time.sleep(SETTLE_QUIET_S)


def this_cluster() -> str:
    """The number that tells this database cluster from every other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier::text FROM pg_control_system()")
        identifier: str = cursor.fetchone()[0]
    return identifier


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


def _compile(number: int, newest: Generation | None) -> Compiled:
    """Compiles one consistent read and, when it is good and new, writes generation `number`."""
    with consistent_read() as snapshot, generation_store().begin() as build:
        content, report = compile_current(build)
        compiled = Compiled(snapshot, content, report)
        if report.is_publishable and (newest is None or not compiled.is_same_as(newest)):
            build.finish(number, snapshot.revision, content)
    return compiled


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
