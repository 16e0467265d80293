"""salvage - a damaged queue database: keep it, and move what can be read to a new one.

SUMMARY      replace_database(directory) copies every message that is whole to a new database, then
             sets the damaged files aside under damaged/ and puts the new one in their place
RULES        rows are read one by one, forwards until the first unreadable page and then backwards
             from the end, so that one torn page costs the messages on it, not those behind it
             a crash in the middle starts again: the old files move only when the new one is
             complete, and are durable where they are before it takes their place
             nothing is deleted: the damaged file stays for a person with time (sqlite3 .recover)
NOT DONE     messages between two unreadable pages: they stay in the file set aside
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from delivery.durable import sync_directory
from delivery.spool import database, queueid
from delivery.spool.records import Corrupt

DIRECTORY = "damaged"
REBUILT = "rebuilt.db"


def replace_database(directory: Path, reason: str, *, now: float) -> tuple[str, list[Corrupt]]:
    """Make a new database from what is readable and set the damaged one aside.

    Returns its new name below the shard, and a report of each message that could not be moved.
    The messages moved keep their state: an active one is due like after any crash.
    """
    source, rebuilt = directory / database.FILE_NAME, directory / REBUILT
    found = [Corrupt(queue_id="", reason=f"queue database: {reason}")]
    for path in list(database.file_names(rebuilt)):
        path.unlink()  # of an attempt that did not end
    target = database.open_database(rebuilt)
    try:
        found += _copy(source, target)
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        target.close()
    place = _set_aside(source, now)
    finish_replacement(directory, now=now)
    return f"{DIRECTORY}/{place.name}", found


def finish_replacement(directory: Path, *, now: float) -> None:
    """Put a rebuilt database in its place; also after a crash between two renames."""
    source, rebuilt = directory / database.FILE_NAME, directory / REBUILT
    if rebuilt.exists() and not source.exists():
        if any(database.file_names(source)):  # a log that SQLite would read into the new one
            _set_aside(source, now)
        rebuilt.rename(source)
        sync_directory(directory)


def _set_aside(source: Path, now: float) -> Path:
    """Move what there is of a database below damaged/, for good; where that is."""
    directory, stamp = source.parent, time.strftime("%Y%m%dT%H%M%SZ-", time.gmtime(now))
    damaged = directory / DIRECTORY
    damaged.mkdir(mode=0o700, exist_ok=True)
    place = Path(mkdtemp(prefix=stamp, dir=damaged))
    sync_directory(damaged)
    sync_directory(directory)
    for path in list(database.file_names(source)):
        path.rename(place / path.name)
    sync_directory(place)
    sync_directory(directory)
    return place


def save_remains(connection: sqlite3.Connection, directory: Path, number: int) -> None:
    """Write what is left of a message without envelope to damaged/<queue id>."""
    place = directory / DIRECTORY
    place.mkdir(mode=0o700, exist_ok=True)
    rows = connection.execute(
        "SELECT address, original, outcome FROM recipient WHERE message = ?", (number,)
    ).fetchall()
    content = connection.execute(
        "SELECT headers, data FROM content WHERE id = ?", (number,)
    ).fetchone()
    with open(place / queueid.to_text(number), "wb") as file:
        file.write(f"X-Waypost-Recipients: {json.dumps(rows)}\r\n".encode())
        for part in content or ():
            file.write(part or b"")
        file.flush()
        os.fsync(file.fileno())
    sync_directory(place)
    sync_directory(directory)


def _copy(path: Path, target: sqlite3.Connection) -> list[Corrupt]:
    """Copy whole messages; report the others."""
    found: list[Corrupt] = []
    source = database.open_reader(path)
    try:
        target.execute("BEGIN IMMEDIATE")
        for number in _readable_ids(source, found):
            try:
                rows = _rows_of(source, number)
            except sqlite3.DatabaseError as error:
                found.append(Corrupt(queue_id=_name(number), reason=f"unreadable: {error}"))
                continue
            for table, width, values in rows:
                database.insert(target, table, width, values)
        target.execute("COMMIT")
    finally:
        source.close()
    return found


def _rows_of(
    source: sqlite3.Connection, number: int
) -> list[tuple[str, int, list[tuple[Any, ...]]]]:
    message = source.execute("SELECT * FROM message WHERE id = ?", (number,)).fetchall()
    content = source.execute("SELECT * FROM content WHERE id = ?", (number,)).fetchall()
    recipients = source.execute("SELECT * FROM recipient WHERE message = ?", (number,)).fetchall()
    return [
        ("message", database.MESSAGE_COLUMNS, message),
        ("content", database.CONTENT_COLUMNS, content),
        ("recipient", database.RECIPIENT_COLUMNS, recipients),
    ]


def _readable_ids(source: sqlite3.Connection, found: list[Corrupt]) -> Iterator[int]:
    """Message numbers from both ends up to the damage; each once."""
    last = -1
    try:
        for (number,) in source.execute("SELECT id FROM message NOT INDEXED ORDER BY id"):
            last = number
            yield number
        return
    except sqlite3.DatabaseError as error:
        found.append(Corrupt(queue_id="", reason=f"messages after {_name(last)}: {error}"))
    try:
        for (number,) in source.execute(
            "SELECT id FROM message NOT INDEXED WHERE id > ? ORDER BY id DESC", (last,)
        ):
            yield number
    except sqlite3.DatabaseError as error:
        found.append(Corrupt(queue_id="", reason=f"messages before the damage: {error}"))


def _name(number: int) -> str:
    return queueid.to_text(number) if number > 0 else "the first"
