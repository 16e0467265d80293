"""verifycache - what probes found out about addresses: remembered, and kept on disk.

SUMMARY      VerifyCache(path): get(), put(), drop(), expire(); await save(), await load()
RULES        the memory is what counts; the file is its copy, a moment late, and read at the start.
             What a crash loses is probed again
LIMITS       ENTRIES good addresses and as many others, the longest known of each go first: whoever
             asks for many names that do not exist drives out no name that does; REASON characters
             of what a server said
ERRORS       none: a file that cannot be read or written is said in the log, and done without
SOURCE       Postfix verify(8), ADDRESS_VERIFICATION_README
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from delivery import log
from delivery.policy.facts import ProbeStatus

ENTRIES = 50_000
REASON = 250

_SCHEMA = """CREATE TABLE IF NOT EXISTS verified (
    address TEXT PRIMARY KEY, status TEXT, probed REAL, updated REAL, reason TEXT
) WITHOUT ROWID"""


@dataclass(frozen=True, slots=True)
class Verified:
    """What is known of an address. `probed`: when a probe was last sent; `updated`: when one ended.

    Both 0.0: never.
    """

    status: ProbeStatus
    probed: float = 0.0
    updated: float = 0.0
    reason: str = ""


class VerifyCache:
    """That of one engine."""

    def __init__(self, path: Path, *, entries: int = ENTRIES) -> None:
        self._path = path
        self._entries = entries
        self._good: dict[str, Verified] = {}
        self._others: dict[str, Verified] = {}
        self._changed: set[str] = set()  # since the last save

    def __len__(self) -> int:
        return len(self._good) + len(self._others)

    @property
    def is_changed(self) -> bool:
        """True when there is something to save."""
        return bool(self._changed)

    def get(self, address: str) -> Verified | None:
        """What is known of an address."""
        return self._good.get(address) or self._others.get(address)

    def put(self, address: str, found: Verified) -> None:
        """Remember it, among the latest."""
        self._good.pop(address, None)
        self._others.pop(address, None)
        shelf = self._good if found.status is ProbeStatus.DELIVERABLE else self._others
        shelf[address] = found
        self._changed.add(address)
        if len(shelf) > self._entries:
            self.drop(next(iter(shelf)))

    def drop(self, address: str) -> None:
        """Forget it."""
        self._good.pop(address, None)
        self._others.pop(address, None)
        self._changed.add(address)

    def expire(self, is_old: Callable[[Verified], bool]) -> None:
        """Forget all that is old."""
        for address in [*self._good, *self._others]:
            found = self.get(address)
            if found is not None and is_old(found):
                self.drop(address)

    def keep_unsaved(self) -> None:
        """What has changed is in memory alone: there is to be no file."""
        self._changed.clear()

    async def load(self) -> None:
        """Read the file."""
        try:
            rows = await asyncio.to_thread(self._read)
        except (sqlite3.Error, OSError, ValueError) as error:
            log.event("verify", problem=f"the cache cannot be read: {error}")
            return
        for address, found in rows:
            self.put(address, found)
        self._changed.clear()

    async def save(self) -> None:
        """Write what has changed."""
        changed = {address: self.get(address) for address in self._changed}
        self._changed = set()
        try:
            await asyncio.to_thread(self._write, changed)
        except (sqlite3.Error, OSError) as error:
            log.event("verify", problem=f"the cache cannot be written: {error}")

    # in the thread

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path)
        self._path.chmod(0o600)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")  # a copy: what is lost is asked again
        connection.execute(_SCHEMA)
        return connection

    def _read(self) -> list[tuple[str, Verified]]:
        with closing(self._open()) as connection:
            rows = connection.execute(
                "SELECT address, status, probed, updated, reason FROM verified ORDER BY updated"
            )
            return [
                (str(address), Verified(ProbeStatus(status), float(probed), float(at), str(reason)))
                for address, status, probed, at, reason in rows
            ]

    def _write(self, changed: dict[str, Verified | None]) -> None:
        with closing(self._open()) as connection, connection:
            for address, found in changed.items():
                if found is None:
                    connection.execute("DELETE FROM verified WHERE address = ?", (address,))
                    continue
                connection.execute(
                    "INSERT OR REPLACE INTO verified VALUES (?, ?, ?, ?, ?)",
                    (address, found.status.value, found.probed, found.updated, found.reason),
                )
