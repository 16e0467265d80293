"""reading - queue rows become leases, content and listings; nothing is written here.

SUMMARY      Readers runs a function with a read-only connection, off the event loop
             due, read_lease, next_window, read_content, listing: what such functions do
RULES        content from the database is checked against its CRC-32, a content file against its
             size
ERRORS       RowError: the entry is damaged and is to be set aside
"""

from __future__ import annotations

import asyncio
import math
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from delivery.spool import queueid, rowform
from delivery.spool.content import ContentFiles, checksum
from delivery.spool.database import open_reader
from delivery.spool.records import Lease, ListedRecipient, Listing, QueueState
from delivery.spool.rowform import RecipientRow, RowError
from delivery.values import Content

T = TypeVar("T")
READER_THREADS = 2
LISTED_RECIPIENTS = 50  # of one message in a listing


class Readers:
    """A few threads, each with its own connection; SQLite lets them read beside the writer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="spool-reader")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []

    async def call(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run `function` with a connection in one of the threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._run, function)

    async def rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """All rows of one statement."""
        return await self.call(lambda connection: connection.execute(statement, values).fetchall())

    def close(self) -> None:
        """End the threads and close their connections."""
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    def _run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = open_reader(self._path)
            self._connections.append(connection)
        return function(connection)


def due(
    connection: sqlite3.Connection, now: float, limit: int, longest: float = math.inf
) -> list[int]:
    """Numbers of deferred messages whose time has come, those that wait longest first.

    One whose time is further off than `longest` has no time that counts: the clock was set back.
    """
    found: list[int] = []
    for condition, order, moment in (
        ("due <= ?", "due", now),
        ("due > ?", "id", now + longest),
    ):
        rows = connection.execute(
            f"SELECT id FROM message WHERE state = 1 AND {condition}"  # noqa: S608 - all ours
            f" ORDER BY {order} LIMIT ?",
            (moment, limit - len(found)),
        )
        found += [number for (number,) in rows]
    return found


def read_lease(connection: sqlite3.Connection, number: int, limit: int) -> Lease:
    """A message as a Lease with its first recipients."""
    row = connection.execute(
        "SELECT sender, envelope, arrived, attempts, size, warned, expired"
        " FROM message WHERE id = ?",
        (number,),
    ).fetchone()
    sender, envelope, arrived, attempts, size, warned, expired = row
    lease = Lease(
        queue_id=queueid.to_text(number),
        envelope=rowform.read_envelope(sender, envelope, ()),
        numbers={},
        arrived=float(arrived),
        attempts=int(attempts),
        size=int(size),
        warned=bool(warned),
        expired=bool(expired),
    )
    return next_window(connection, lease, number, -1, limit)


def next_window(
    connection: sqlite3.Connection, lease: Lease, number: int, last: int, limit: int
) -> Lease:
    """The lease with the recipients numbered above `last`, at most `limit` of them."""
    rows = [
        RecipientRow(*row)
        for row in connection.execute(
            "SELECT message, number, address, original, notify, orcpt, final, outcome"
            " FROM recipient WHERE message = ? AND number > ? ORDER BY number LIMIT ?",
            (number, last, limit + 1),
        )
    ]
    more, rows = len(rows) > limit, rows[:limit]
    pending = [(rowform.read_recipient(row), row) for row in rows if not row.final]
    settled = tuple(
        rowform.read_outcome(row.outcome or "", rowform.read_recipient(row))
        for row in rows
        if row.final
    )
    return replace(
        lease,
        envelope=replace(lease.envelope, recipients=tuple(item for item, _ in pending)),
        numbers={item: row.number for item, row in pending},
        last_number=rows[-1].number if rows else last,
        more=more,
        has_earlier=last >= 0,
        settled=settled,
    )


def read_content(connection: sqlite3.Connection, number: int, files: ContentFiles) -> Content:
    """The content of a message; raises RowError when it is damaged."""
    row = connection.execute(
        "SELECT headers, data, size, in_file, crc FROM content JOIN message USING (id)"
        " WHERE id = ?",
        (number,),
    ).fetchone()
    if row is None:
        raise RowError("its content is missing")
    headers, data, size, in_file, crc = row
    if in_file:
        name = queueid.to_text(number)
        if files.size(name) != size:
            raise RowError("its content file is missing or has another size")
        return Content(size=int(size), path=str(files.path(name)), headers=bytes(headers))
    if not isinstance(data, bytes) or len(data) != size or checksum(data) != crc:
        raise RowError("its content is damaged")
    return Content(size=int(size), data=data, headers=bytes(headers))


def listing(
    connection: sqlite3.Connection, after: int, limit: int, most: int = LISTED_RECIPIENTS
) -> list[Listing]:
    """Messages behind number `after` as an operator sees them; damaged columns as they are."""
    found = []
    for number, state, sender, size, arrived, due, attempts, reason, expired in connection.execute(
        "SELECT id, state, sender, size, arrived, due, attempts, reason, expired FROM message"
        " WHERE id > ? ORDER BY id LIMIT ?",
        (after, limit),
    ).fetchall():
        recipients = connection.execute(
            "SELECT address, outcome FROM recipient WHERE message = ? AND final = 0 LIMIT ?",
            (number, most),
        ).fetchall()
        count = connection.execute(
            "SELECT count(*) FROM recipient WHERE message = ? AND final = 0", (number,)
        ).fetchone()[0]
        found.append(
            Listing(
                queue_id=queueid.to_text(number),
                state=QueueState(state),
                sender=_shown(sender),
                size=int(size),
                arrived=float(arrived),
                next_attempt=max(float(due), float(arrived)),
                attempts=int(attempts),
                reason=str(reason),
                expired=bool(expired),
                recipients=tuple(sorted(map(_listed, recipients), key=_when)),
                recipient_count=int(count),
            )
        )
    return found


def _shown(column: str) -> str:
    try:
        return rowform.read_address(column).text
    except RowError:
        return column


def _listed(row: tuple[str, str | None]) -> ListedRecipient:
    address, outcome = row
    shown = _shown(address)
    if outcome is None:
        return ListedRecipient(address=shown)
    try:
        words, noted = rowform.read_words(outcome)
    except RowError as error:
        return ListedRecipient(address=shown, reason=str(error))
    return ListedRecipient(address=shown, noted=noted, **words)


def _when(listed: ListedRecipient) -> float:
    """What was not tried yet comes last."""
    return listed.noted if listed.status else math.inf
