"""changes - who acts, and which changes a snapshot has not seen.

SUMMARY      with acting(user, source): ... names the actor of every change made inside
             unseen(snapshot) is what was changed since
RULES        actor and source travel as settings of the transaction, which the trigger reads; what
             is written outside of `acting` is recorded under the database user, source "sql"
SOURCE       decision 0002 and 0003; PostgreSQL manual 9.27 (set_config), 9.28.5 (snapshots)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from panel.choices import Source

ACTOR, SOURCE = "waypost.actor", "waypost.source"


@contextmanager
def acting(user: str, source: Source) -> Iterator[None]:
    """One transaction (or savepoint) whose changes are recorded as made by `user`."""
    with transaction.atomic():
        before = _exchange(user, source)
        yield
        _exchange(*before)  # an enclosing transaction goes on as who it was


def _exchange(actor: str, source: str) -> tuple[str, str]:
    """Sets actor and source for the rest of the transaction; returns what they were."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(current_setting(%s, true), ''), coalesce(current_setting(%s, true), '')",
            [ACTOR, SOURCE],
        )
        before = cursor.fetchone()
        cursor.execute(
            "SELECT set_config(%s, %s, true), set_config(%s, %s, true)",
            [ACTOR, actor, SOURCE, source],
        )
    return before[0], before[1]
