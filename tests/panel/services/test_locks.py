"""One at a time, over all sessions."""

from __future__ import annotations

import pytest
from django.db import connection

from panel.services.locks import advisory_lock

KIND = 7_001
pytestmark = pytest.mark.django_db


def test_it_works() -> None:
    with advisory_lock(KIND) as held, advisory_lock(KIND) as again, advisory_lock(KIND, 1) as other:
        assert (held, again, other) == (True, False, True)


def test_it_can_be_had_as_soon_as_it_is_let_go_of() -> None:
    for _ in range(300):
        with advisory_lock(KIND) as held:
            assert held


def test_a_session_that_ended_has_let_go_of_it() -> None:
    with advisory_lock(KIND), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks"
            " WHERE locktype = 'advisory' AND classid = %s",
            [KIND],
        )
    with advisory_lock(KIND, wait=True) as held:
        assert held
