"""recovery - a shard is opened: checked, repaired, its interrupted messages made due.

SUMMARY      open_shard(directory) -> (connection, Recovery); blocking, before anything else uses it
RULES        a damaged database is set aside whole and what can be read moves to a new one (salvage)
             an entry that is incomplete is set aside in place (state CORRUPT) and reported; nothing
             is deleted but content files that no message names: their sender never got a 250
             a message that was active when the engine died is due now; when that happened before to
             the same message it waits, longer each time: a message that kills the engine cannot
             make it die in a circle
ERRORS       OSError when the directory cannot be used; ShardTooNew
SOURCE       DESIGN.md section 5; Postfix qmgr(8), cleanup(8), postfix-script (fsck of the queue)
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from delivery.durable import sync_directory
from delivery.spool import database, queueid, salvage
from delivery.spool.content import ContentFiles
from delivery.spool.records import Corrupt, QueueState, Recovery
from delivery.spool.schedule import LONGEST_AFTER_CRASHES_S

FIRST_WAIT_S = 300.0  # postconf(5) minimal_backoff_time


def open_shard(
    directory: Path,
    files: ContentFiles,
    on_trouble: Callable[[str], None],
    *,
    now: float,
    max_bytes: int = 0,
) -> tuple[sqlite3.Connection, Recovery]:
    """The writing connection of a locked shard, ready for use, and what was found.

    `on_trouble` gets a line for each entry that was set aside.
    """
    started = time.monotonic()
    path = directory / database.FILE_NAME
    corrupt: list[Corrupt] = []
    set_aside = ""
    salvage.finish_replacement(directory, now=now)
    try:
        connection = database.open_database(path, max_bytes=max_bytes)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and not _is_damage(error):
            raise  # cannot open, read-only, disk full: nothing is wrong with what is there
        set_aside, found = salvage.replace_database(directory, str(error), now=now)
        corrupt.extend(found)
        connection = database.open_database(path, max_bytes=max_bytes)
    try:
        recovery = _recover(connection, directory, files, corrupt, set_aside, now)
        for place in (directory, directory.parent):  # the database may have been made just now
            sync_directory(place)
    except BaseException:
        connection.close()
        raise
    for each in recovery.corrupt:
        on_trouble(str(each))
    return connection, replace(recovery, seconds=time.monotonic() - started)


def _recover(
    connection: sqlite3.Connection,
    directory: Path,
    files: ContentFiles,
    corrupt: list[Corrupt],
    set_aside: str,
    now: float,
) -> Recovery:
    clean = database.meta(connection, "clean") == "1"
    connection.execute("BEGIN IMMEDIATE")
    corrupt += _mark_incomplete(connection, files)
    corrupt += _save_lost_content(connection, directory)
    interrupted = _release_active(connection, now, clean=clean)
    database.set_meta(connection, "clean", "0")
    count = int(connection.execute("SELECT count(*) FROM message").fetchone()[0])
    connection.execute("COMMIT")
    orphans = _remove_orphans(connection, files)
    return Recovery(
        clean=clean,
        messages=count,
        interrupted=interrupted,
        orphans=orphans,
        corrupt=tuple(corrupt),
        set_aside=set_aside,
    )


def _is_damage(error: sqlite3.OperationalError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


def _release_active(connection: sqlite3.Connection, now: float, *, clean: bool) -> int:
    """Active messages wait for a new attempt: now, or after a pause when it is a habit."""
    if clean:
        changed = connection.execute(
            "UPDATE message SET state = ?, due = ? WHERE state = ?",
            (QueueState.DEFERRED, now, QueueState.ACTIVE),
        )
        return changed.rowcount
    changed = connection.execute(
        "UPDATE message SET state = :deferred, interrupted = interrupted + 1, due = CASE"
        " WHEN interrupted = 0 THEN :now"
        " ELSE :now + min(:longest, :first * (1 << min(interrupted - 1, 10))) END"
        " WHERE state = :active",
        {
            "deferred": QueueState.DEFERRED,
            "active": QueueState.ACTIVE,
            "now": now,
            "first": FIRST_WAIT_S,
            "longest": LONGEST_AFTER_CRASHES_S,
        },
    )
    return changed.rowcount


def _mark_incomplete(connection: sqlite3.Connection, files: ContentFiles) -> list[Corrupt]:
    """Set aside messages without content, without recipients, or with a short content file."""
    found: dict[int, str] = {}
    for (number,) in connection.execute(
        "SELECT id FROM message WHERE state <> 3"
        " AND NOT EXISTS (SELECT 1 FROM content WHERE content.id = message.id)"
    ):
        found[number] = "its content is missing"
    for (number,) in connection.execute(
        "SELECT id FROM message WHERE state <> 3"
        " AND NOT EXISTS (SELECT 1 FROM recipient WHERE recipient.message = message.id)"
    ):
        found[number] = "its recipients are missing"
    for number, size in connection.execute(
        "SELECT id, size FROM message WHERE state <> 3 AND in_file = 1"
    ):
        actual = files.size(queueid.to_text(number))
        if actual != size:
            what = "is missing" if actual is None else f"has {actual} bytes instead of {size}"
            found[number] = f"its content file {what}"
    for number, reason in found.items():
        set_aside(connection, number, reason)
    return [
        Corrupt(queue_id=queueid.to_text(number), reason=text) for number, text in found.items()
    ]


def set_aside(connection: sqlite3.Connection, number: int, reason: str) -> None:
    """Mark a message CORRUPT: never tried again by itself, shown to operators."""
    connection.execute(
        "UPDATE message SET state = ?, reason = ? WHERE id = ?",
        (QueueState.CORRUPT, reason, number),
    )


def _save_lost_content(connection: sqlite3.Connection, directory: Path) -> list[Corrupt]:
    """Content and recipients whose message row is gone: kept as files, then removed here."""
    lost = [
        number
        for (number,) in connection.execute(
            "SELECT id FROM content WHERE id NOT IN (SELECT id FROM message)"
            " UNION SELECT message FROM recipient WHERE message NOT IN (SELECT id FROM message)"
        ).fetchall()
    ]
    found = []
    for number in lost:
        name = queueid.to_text(number)
        salvage.save_remains(connection, directory, number)
        database.delete(connection, [number])
        reason = f"its envelope is missing; what is left was saved as damaged/{name}"
        found.append(Corrupt(queue_id=name, reason=reason))
    return found


def _remove_orphans(connection: sqlite3.Connection, files: ContentFiles) -> int:
    """Remove content files that no message names."""
    known = {
        queueid.to_text(number)
        for (number,) in connection.execute("SELECT id FROM message WHERE in_file = 1")
    }
    orphans = [name for name in files.names() if name not in known]
    for name in orphans:
        files.remove(name)
    return len(orphans)
