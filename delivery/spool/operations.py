"""operations - what an operation does to the rows, inside the committer's transaction.

SUMMARY      lease, settle, finish for attempts; hold, release, expire, remove, flush for operators
RULES        every function may run twice (its transaction was rolled back): it touches only `work`
             an operator's change wins over an attempt that runs: finish() brings only an ACTIVE
             message back to DEFERRED, and one that was deleted stays deleted
ERRORS       RowError: a row cannot be read; sqlite3.Error: the committer's matter
SOURCE       Postfix qmgr_active.c, postsuper(1), postqueue(1)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from delivery.errors import OurError
from delivery.spool import database, queueid, reading, rowform
from delivery.spool.committer import Work
from delivery.spool.records import Lease, QueueState
from delivery.values import Outcome, Status

_DEFERRED, _ACTIVE, _HOLD = int(QueueState.DEFERRED), int(QueueState.ACTIVE), int(QueueState.HOLD)


class OutcomeRow(NamedTuple):
    """The outcome of one recipient, as it will be stored."""

    number: int
    is_final: bool
    is_owed: bool  # a report about it is to be sent
    column: str


def outcome_rows(lease: Lease, outcomes: Sequence[Outcome]) -> list[OutcomeRow]:
    """Outcomes with the row numbers of their recipients."""
    rows = []
    for outcome in outcomes:
        number = lease.numbers.get(outcome.recipient)
        if number is None:
            raise OurError(f"{lease.queue_id}: an outcome for a recipient it does not have")
        is_final = outcome.status is not Status.DEFERRED
        # RFC 3461 4.1: a report of success only where it was asked for
        is_owed = is_final and (
            outcome.status is not Status.SENT or "SUCCESS" in outcome.recipient.notify
        )
        rows.append(OutcomeRow(number, is_final, is_owed, rowform.outcome_column(outcome)))
    return rows


def lease(work: Work, number: int, next_attempt: float, limit: int) -> Lease | None:
    """Make a deferred message active, and read it; None when it is not deferred (any more)."""
    connection = work.connection
    changed = connection.execute(
        "UPDATE message SET state = ?, due = ?, attempts = attempts + 1 WHERE id = ? AND state = ?",
        (_ACTIVE, next_attempt, number, _DEFERRED),
    )
    if not changed.rowcount:
        return None
    return reading.read_lease(connection, number, limit)


def settle(work: Work, number: int, rows: Iterable[OutcomeRow], *, reports_follow: bool) -> None:
    """Store outcomes; final recipients go, or wait for their report when one follows later."""
    for row in rows:
        if row.is_final and not (reports_follow and row.is_owed):
            work.connection.execute(
                "DELETE FROM recipient WHERE message = ? AND number = ?", (number, row.number)
            )
        else:
            work.connection.execute(
                "UPDATE recipient SET final = ?, outcome = ? WHERE message = ? AND number = ?",
                (int(row.is_final), row.column, number, row.number),
            )


def finish(
    work: Work,
    number: int,
    rows: Iterable[OutcomeRow],
    next_attempt: float,
    attempts: int,
    *,
    warned: bool,
) -> None:
    """End an attempt: the message is gone when no recipient waits, otherwise deferred."""
    settle(work, number, rows, reports_follow=False)
    connection = work.connection
    connection.execute("DELETE FROM recipient WHERE message = ? AND final = 1", (number,))
    left = connection.execute(
        "SELECT 1 FROM recipient WHERE message = ? LIMIT 1", (number,)
    ).fetchone()
    if left is None:
        _delete(work, [number])
        return
    connection.execute(
        "UPDATE message SET state = ?, due = ? WHERE id = ? AND state = ?",
        (_DEFERRED, next_attempt, number, _ACTIVE),
    )
    connection.execute(
        "UPDATE message SET attempts = ?, warned = ?, interrupted = 0 WHERE id = ?",
        (attempts, int(warned), number),
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which messages an operator means: these, or all; in these states, or any."""

    numbers: list[int] | None = None
    states: Collection[QueueState] | None = None

    @classmethod
    def named(
        cls, ids: Iterable[str] | None, states: Collection[QueueState] | None = None
    ) -> Chosen:
        """The same, by queue ids."""
        return cls(None if ids is None else [queueid.to_number(text) for text in ids], states)


def hold(work: Work, chosen: Chosen, reason: object) -> list[int]:
    """Hold messages, also those an attempt works on: they stay held when it ends."""
    change = "state = :hold, reason = :value"
    return _update(work, change, "state IN (:active, :deferred)", chosen, reason)


def release(work: Work, chosen: Chosen, _: object) -> list[int]:
    """End a hold; a message that was deferred before is due when it was to be."""
    return _update(work, "state = :deferred, reason = ''", "state = :hold", chosen, 0)


def expire(work: Work, chosen: Chosen, _: object) -> list[int]:
    """Let messages expire: the next attempt returns them. Held ones too, once released."""
    return _update(work, "expired = 1", "state <> 3 AND NOT expired", chosen, 0)


def flush(work: Work, now: float, chosen: Chosen, site: str) -> list[int]:
    """Make deferred messages due."""
    where = "state = :deferred"
    if site:
        where += (
            " AND id IN (SELECT message FROM recipient"
            " WHERE lower(substr(address, -length(:site))) = :site)"
        )
    return _update(work, "due = min(due, :value)", where, chosen, now, site=f"@{site.lower()}")


def remove(work: Work, chosen: Chosen) -> list[int]:
    """Delete messages; the numbers of those that existed."""
    where = _of_states(chosen)
    select = f"SELECT id FROM message WHERE {where}"  # noqa: S608 - no outside text
    if chosen.numbers is None:
        found = [number for (number,) in work.connection.execute(select)]
    else:
        found = [
            number
            for number in dict.fromkeys(chosen.numbers)
            if work.connection.execute(f"{select} AND id = ?", (number,)).fetchone()
        ]
    _delete(work, found)
    return found


def _delete(work: Work, numbers: list[int]) -> None:
    work.unlink += [queueid.to_text(number) for number in numbers if _in_file(work, number)]
    database.delete(work.connection, numbers)


def _in_file(work: Work, number: int) -> bool:
    row = work.connection.execute("SELECT in_file FROM message WHERE id = ?", (number,)).fetchone()
    return row is not None and bool(row[0])


def _of_states(chosen: Chosen) -> str:
    if chosen.states is None:
        return "1"
    return f"state IN ({', '.join(str(int(state)) for state in chosen.states)})"


def _update(
    work: Work, change: str, where: str, chosen: Chosen, value: object, *, site: str = ""
) -> list[int]:
    """UPDATE message; the numbers of what was changed. `change` and `where` are ours."""
    values: dict[str, object] = {
        "active": _ACTIVE,
        "deferred": _DEFERRED,
        "hold": _HOLD,
        "value": value,
        "site": site,
    }
    where = f"{where} AND {_of_states(chosen)}"
    statement = f"UPDATE message SET {change} WHERE {where}"  # noqa: S608 - no outside text
    connection: sqlite3.Connection = work.connection
    if chosen.numbers is None:
        rows = connection.execute(f"{statement} RETURNING id", values).fetchall()
        return [number for (number,) in rows]
    return [
        number
        for number in dict.fromkeys(chosen.numbers)
        if connection.execute(f"{statement} AND id = :id", {**values, "id": number}).rowcount
    ]
