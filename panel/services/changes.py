"""changes - who acts, and which changes a snapshot has not seen.

SUMMARY      with acting(user, source): ...   names the actor of every change made inside, and
                                              announces them when the transaction commits
             Snapshot.parse(text).unseen()    the changes that are not in it
RULES        actor and source travel as settings of the transaction, which the trigger reads; what
             is written outside of `acting` is recorded under the database user, source "sql", and
             published by the next sweep.
             A change is in a snapshot when its transaction had ended when the snapshot was taken;
             order of commits is not order of numbers.
SOURCE       decisions 0002 and 0003; PostgreSQL manual 9.27.1 (set_config), 9.27.8 (snapshots)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from panel.choices import GenerationState, Source
from panel.models import Change, Generation
from panel.services.announce import announce

ACTOR, SOURCE = "waypost.actor", "waypost.source"


@contextmanager
def acting(user: str, source: str = Source.COMMAND) -> Iterator[None]:
    """One transaction (or savepoint) whose changes are recorded as made by `user`."""
    with transaction.atomic():
        before = _exchange(user, source)
        yield
        if connection.needs_rollback:
            return  # all of it is undone, the names too
        _exchange(*before)  # an enclosing transaction goes on as who it was
        if _has_changes():
            announce(f"change by {user}", requested_by=user)


def _exchange(actor: str, source: str) -> tuple[str, str]:
    """Sets actor and source for the rest of the transaction; returns what they were."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(current_setting(%s, true), ''), "
            "coalesce(current_setting(%s, true), '')",
            [ACTOR, SOURCE],
        )
        before = cursor.fetchone()
        cursor.execute(
            "SELECT set_config(%s, %s, true), set_config(%s, %s, true)",
            [ACTOR, actor, SOURCE, source],
        )
    return before[0], before[1]


def _has_changes() -> bool:
    """True when this transaction has written change records."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id_if_assigned()::text::bigint")
        revision = cursor.fetchone()[0]
    return revision is not None and Change.objects.filter(revision=revision).exists()


def current_revision() -> int:
    """The revision of what the current transaction writes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        revision: int = cursor.fetchone()[0]
    return revision


@dataclass(frozen=True, slots=True)
class Snapshot:
    """pg_snapshot: transactions below xmax were begun, those in `running` had not ended."""

    text: str
    xmin: int
    xmax: int
    running: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> Self:
        """From "xmin:xmax:running,running,..."."""
        xmin, xmax, running = text.split(":")
        return cls(
            text, int(xmin), int(xmax), frozenset(int(xid) for xid in running.split(",") if xid)
        )

    @classmethod
    def current(cls) -> Self:
        """That of the current transaction."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_snapshot()::text")
            return cls.parse(cursor.fetchone()[0])

    @property
    def revision(self) -> int:
        """Every change with this revision or a lower one is contained."""
        return self.xmin - 1

    def sees(self, revision: int) -> bool:
        """True when a change of this revision is contained: pg_visible_in_snapshot."""
        return revision < self.xmax and revision not in self.running

    def unseen(self) -> QuerySet[Change]:
        """The changes that are not contained, newest first."""
        return Change.objects.filter(Q(revision__gte=self.xmax) | Q(revision__in=self.running))


def pending_changes() -> QuerySet[Change]:
    """The changes that are not in the newest published generation, newest first."""
    newest = Generation.newest()
    return Change.objects.all() if newest is None else Snapshot.parse(newest.snapshot).unseen()


def untried_changes() -> QuerySet[Change]:
    """The changes that no publish has looked at yet, neither a good one nor a refused one."""
    changes = pending_changes()
    refused = Generation.objects.filter(state=GenerationState.REFUSED).first()
    if refused is not None:
        changes = changes & Snapshot.parse(refused.snapshot).unseen()
    return changes
