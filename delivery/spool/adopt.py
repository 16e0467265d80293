"""adopt - messages of a shard whose process is gone move into a living shard.

SUMMARY      adopt_shards(into, alive, known=..., take=...) -> an Adoption for each of them
RULES        a shard that a process has is left alone: its lock says so (lock.py), or `alive`
             a message is committed here before it is deleted there; its queue id stays, which makes
             a second try after a crash find what was moved already: at worst a message that was
             delivered within that instant is delivered again, never lost
             active messages become deferred by the usual recovery; held and corrupt ones stay so
             a shard that is empty afterwards is removed; what was damaged there moves along
ERRORS       OSError, sqlite3.Error: the rest stays where it is, for the next try
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from delivery.durable import sync_directory
from delivery.spool import database, queueid, recovery, salvage
from delivery.spool.committer import EntryRows
from delivery.spool.content import ContentFiles
from delivery.spool.lock import ShardBusy, lock_shard
from delivery.spool.records import Recovery
from delivery.spool.rowform import RecipientRow

CHUNK = 200  # messages moved in one commit


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What became of a dead process's shard."""

    shard: int
    messages: int
    recovery: Recovery


Known = Callable[[list[int]], Awaitable[set[int]]]
Take = Callable[[list[EntryRows]], Awaitable[None]]


async def adopt_shards(
    into: Path,
    alive: Collection[int],
    on_trouble: Callable[[str], None],
    *,
    known: Known,
    take: Take,
) -> list[Adoption]:
    """Move everything in shards that no process has through `take`; then remove them.

    `into` is the directory of the living shard, and `known` says which message numbers it has.
    """
    done = []
    for directory in sorted(into.parent.iterdir()):
        if not directory.name.isdecimal() or directory == into or int(directory.name) in alive:
            continue
        try:
            lock = lock_shard(directory)
        except ShardBusy:
            continue
        try:
            done.append(await _adopt(directory, into, on_trouble, known, take))
        finally:
            os.close(lock)
    return done


async def _adopt(
    directory: Path, into: Path, on_trouble: Callable[[str], None], known: Known, take: Take
) -> Adoption:
    """The same of one, which is locked."""
    files = ContentFiles(directory / "content")
    files.directory.mkdir(exist_ok=True, mode=0o700)
    connection, found = await asyncio.to_thread(
        recovery.open_shard, directory, files, on_trouble, now=time.time()
    )
    count = 0
    with closing(connection):
        while entries := await asyncio.to_thread(_read_chunk, connection, files):
            numbers = [entry.message[0] for entry in entries]
            there = await known(numbers)
            await take([entry for entry in entries if entry.message[0] not in there])
            await asyncio.to_thread(_delete_chunk, connection, files, entries)
            count += len(entries)
    await asyncio.to_thread(_remove_shard, directory, into)
    return Adoption(shard=int(directory.name), messages=count, recovery=found)


def _read_chunk(connection: sqlite3.Connection, files: ContentFiles) -> list[EntryRows]:
    entries = []
    for message in connection.execute(
        "SELECT * FROM message ORDER BY id LIMIT ?", (CHUNK,)
    ).fetchall():
        number, in_file = message[0], bool(message[7])
        content = connection.execute("SELECT * FROM content WHERE id = ?", (number,)).fetchone()
        recipients = connection.execute("SELECT * FROM recipient WHERE message = ?", (number,))
        name = queueid.to_text(number)
        has_file = in_file and files.size(name) is not None  # a corrupt entry may have lost it
        entries.append(
            EntryRows(
                message=message,
                content=content or (number, b"", None),
                recipients=[RecipientRow(*row) for row in recipients],
                file_name=name if has_file else "",
                link_from=str(files.path(name)) if has_file else "",
            )
        )
    return entries


def _delete_chunk(
    connection: sqlite3.Connection, files: ContentFiles, entries: list[EntryRows]
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    database.delete(connection, [entry.message[0] for entry in entries])
    connection.execute("COMMIT")
    for entry in entries:
        if entry.file_name:
            files.remove(entry.file_name)


def _remove_shard(directory: Path, into: Path) -> None:
    damaged = directory / salvage.DIRECTORY
    if damaged.exists():
        target = into / salvage.DIRECTORY
        target.mkdir(mode=0o700, exist_ok=True)
        for item in damaged.iterdir():
            item.rename(target / f"{directory.name}-{item.name}")
        sync_directory(target)
        sync_directory(into)
    stale = directory.with_name(f".{directory.name}-{os.getpid()}-gone")
    directory.rename(stale)
    shutil.rmtree(stale)
