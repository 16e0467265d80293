"""database - the SQLite file of one shard: its form, how it is opened, how it is checked.

SUMMARY      WAL, synchronous=FULL: a commit returns after the write-ahead log is fsynced, and a
             crash at any instant leaves all committed transactions and nothing of others
FORM         message    one row each, small: scans at start are quick
             content    header lines put before it, and the text when it is small (CRC-32 in
             message) recipient  one row for each recipient not yet settled
             meta       clean: the last engine closed it
RULES        only one connection writes (the committer); a partial index holds what waits for its
             time, so a message delivered at once never touches it
ERRORS       sqlite3.DatabaseError from open_database() when the file is none or fails its check
SOURCE       https://www.sqlite.org/wal.html, pragma.html#pragma_synchronous
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

FILE_NAME = "queue.db"
PAGE_BYTES = 16 * 1024
SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    due REAL NOT NULL,
    arrived REAL NOT NULL,
    attempts INTEGER NOT NULL,
    interrupted INTEGER NOT NULL,
    size INTEGER NOT NULL,
    in_file INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    warned INTEGER NOT NULL,
    expired INTEGER NOT NULL,
    sender TEXT NOT NULL,
    envelope TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX message_due ON message (due) WHERE state = 1;
CREATE TABLE content (
    id INTEGER PRIMARY KEY,
    headers BLOB NOT NULL,
    data BLOB
);
CREATE TABLE recipient (
    message INTEGER NOT NULL,
    number INTEGER NOT NULL,
    address TEXT NOT NULL,
    original TEXT NOT NULL,
    notify TEXT NOT NULL,
    orcpt TEXT NOT NULL,
    final INTEGER NOT NULL,
    outcome TEXT,
    PRIMARY KEY (message, number)
) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
MESSAGE_COLUMNS = 14
CONTENT_COLUMNS = 3
RECIPIENT_COLUMNS = 8
ROWS = 64  # to a statement: each step of SQLite gives the interpreter to another thread
BOUND_BYTES = 64 * 1024  # of content to a statement: it keeps a copy until it is used again


def open_database(path: Path, *, max_bytes: int = 0) -> sqlite3.Connection:
    """The writing connection, made new when there is no file. Raises sqlite3.DatabaseError."""
    # before SQLite makes it: its log (WAL) gets the mode that the file has at that moment
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=8 * ROWS
    )
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise sqlite3.DatabaseError(f"journal mode is {mode}: WAL is needed")
        connection.execute("PRAGMA synchronous = FULL")
        # pages that nothing is left on are not overwritten first, as some builds would
        connection.execute("PRAGMA secure_delete = FAST")
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute("PRAGMA cache_size = -32768")
        if max_bytes:
            page = connection.execute("PRAGMA page_size").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {max_bytes // page}")
        _make_schema(connection)
        check(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, for one thread at a time."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection


def check(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError when the structure of the file is damaged."""
    found = connection.execute("PRAGMA quick_check(5)").fetchall()
    if found != [("ok",)]:
        raise sqlite3.DatabaseError("; ".join(str(row[0]) for row in found))


def insert(
    connection: sqlite3.Connection, table: str, width: int, rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows in as few steps as possible; one that fails rolls the transaction back.

    Were the statement alone undone, SQLite would keep the old pages of it, 16 KiB each, in a file
    that it makes and removes every time. lang_conflict.html
    """
    for chunk in _chunks(rows):
        places = ", ".join([f"({', '.join('?' * width)})"] * len(chunk))
        values = [value for row in chunk for value in row]
        connection.execute(
            f"INSERT OR ROLLBACK INTO {table} VALUES {places}",  # noqa: S608 - names are ours
            values,
        )


def insert_content(
    connection: sqlite3.Connection, rows: Sequence[tuple[int, bytes, bytes | None]]
) -> None:
    """Insert rows of content, few octets at a time."""
    start = size = 0
    for place, (_, _, data) in enumerate(rows):
        size += len(data or b"")
        if size > BOUND_BYTES and place > start:
            insert(connection, "content", CONTENT_COLUMNS, rows[start:place])
            start, size = place, len(data or b"")
    insert(connection, "content", CONTENT_COLUMNS, rows[start:])


def delete(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Delete whole messages in as few steps as possible."""
    for chunk in _chunks(numbers):
        places = ", ".join("?" * len(chunk))
        for table, column in (("message", "id"), ("content", "id"), ("recipient", "message")):
            connection.execute(
                f"DELETE FROM {table} WHERE {column} IN ({places})",  # noqa: S608 - names are ours
                chunk,
            )


def set_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Store a word about the shard itself."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def meta(connection: sqlite3.Connection, key: str) -> str:
    """A word about the shard itself, '' when it was never said."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else ""


def file_names(path: Path) -> Iterable[Path]:
    """The database file and its companions, those that exist."""
    for suffix in ("", "-wal", "-shm"):
        candidate = path.with_name(path.name + suffix)
        if candidate.exists():
            yield candidate


def log_path(directory: Path) -> str:
    """The write-ahead log of the shard in that directory."""
    return str(directory / f"{FILE_NAME}-wal")


def log_bytes(path: str) -> int:
    """How large a write-ahead log is."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + ROWS] for start in range(0, len(items), ROWS))


def _make_schema(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    elif version != SCHEMA_VERSION:
        raise ShardTooNew(
            f"the queue database has form {version}, this engine knows {SCHEMA_VERSION}"
        )


class ShardTooNew(RuntimeError):
    """A later release wrote this shard; it must not be touched."""
