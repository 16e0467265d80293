"""locks - one at a time, over all processes and hosts that share the database.

SUMMARY      with advisory_lock(1, 2, wait=False) as held: ...
RULES        the lock belongs to a database session of its own, so that it spans transactions and
             nothing else that the process does can let go of it; a killed process loses its
             session and with it the lock.
SOURCE       PostgreSQL manual 13.3.5
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError, connection


@contextmanager
def advisory_lock(kind: int, number: int = 0, *, wait: bool = False) -> Iterator[bool]:
    """Yields True while the lock is held, False at once when another session holds it.

    With `wait`, waits for the other session instead.
    """
    session = connection.copy()
    try:
        with session.cursor() as cursor:
            if wait:
                cursor.execute("SELECT pg_advisory_lock(%s, %s)", [kind, number])
                held = True
            else:
                cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [kind, number])
                held = cursor.fetchone()[0]
        try:
            yield held
        finally:
            if held:  # a session that is closed may have it a little longer
                with suppress(DatabaseError), session.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [kind, number])
    finally:
        session.close()
