"""careless - the engine without one of the things that make mail durable, for test_powercut.

python -m tests.wire.careless WHAT runs it; the courier is started by the same name.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import delivery.__main__
from delivery.agents import courier
from delivery.agents.base import Result, settle
from delivery.agents.disk import Disk
from delivery.courier import __main__ as helper
from delivery.runtime.attempts import Attempts
from delivery.spool import database
from delivery.spool.committer import Committer, Operation
from delivery.spool.content import ContentFiles
from delivery.spool.store import Spool
from delivery.values import Status


def commit() -> None:
    """Commits are not synced, checkpoints are."""
    make = database.open_database

    def open_database(path: Path, **limits: Any) -> Any:
        connection = make(path, **limits)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    database.open_database = open_database  # type: ignore[assignment]


def second_try() -> None:
    """We sync commits ourselves, and again when that fails."""
    commit()
    transaction = Committer._transaction

    def sync(self: Committer, batch: list[Operation]) -> Any:
        found = transaction(self, batch)
        with (self._files.directory.parent / f"{database.FILE_NAME}-wal").open("rb") as log:
            while True:
                try:
                    os.fdatasync(log.fileno())
                except OSError:
                    continue
                return found

    Committer._transaction = sync  # type: ignore[method-assign]


def content() -> None:
    """Content files are not synced."""
    ContentFiles.sync = lambda self, file: None  # type: ignore[method-assign]


def content_name() -> None:
    """Nor is their directory."""
    ContentFiles.sync_directory = lambda self: None  # type: ignore[method-assign]


def early_answer() -> None:
    """The client hears 250 before the commit."""
    submit = Spool._submit

    def hurry(self: Spool, *, must: bool = False, **given: Any) -> asyncio.Future[Any]:
        waiting = submit(self, must=must, **given)
        if must or not given.get("entries"):
            return waiting
        at_once = asyncio.get_running_loop().create_future()
        at_once.set_result(None)
        return at_once

    Spool._submit = hurry  # type: ignore[method-assign]


def early_success() -> None:
    """A delivery is done when it has begun."""
    deliver = Attempts._deliver

    async def hurry(self: Attempts, work: Any, job: Any) -> Result:
        self.careless = asyncio.ensure_future(deliver(self, work, job))  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        return Result(outcomes=settle(job.recipients, Status.SENT, "2.0.0", "careless"))

    Attempts._deliver = hurry  # type: ignore[method-assign]


def letter() -> None:
    """Files in Maildirs are not synced."""
    _sync_only(stat.S_ISDIR)


def letter_name() -> None:
    """Nor are the Maildirs."""
    _sync_only(stat.S_ISREG)


def mailbox_file() -> None:
    """The courier syncs nothing."""
    courier.COURIER = "tests.wire.careless"


def _sync_only(wanted: Callable[[int], bool]) -> None:
    sync = Disk.sync_file

    def sync_some(self: Disk, descriptor: int) -> None:
        if wanted(os.fstat(descriptor).st_mode):
            sync(self, descriptor)

    Disk.sync_file = sync_some  # type: ignore[method-assign]


WAYS = {
    each.__name__: each
    for each in (
        commit, second_try, content, content_name, early_answer, early_success,
        letter, letter_name, mailbox_file,
    )
}  # fmt: skip

if __name__ == "__main__":
    if sys.argv[1] == "--channel":
        os.fsync = lambda descriptor: None
        helper.main()
    else:
        WAYS[sys.argv[1]]()
        sys.exit(delivery.__main__.main(["serve"]))
