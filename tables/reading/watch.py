"""watch - notices that another generation was put in force.

SUMMARY      Watcher(root).poll() -> the new Snapshot, or None when nothing changed
RULES        the link is the truth, and a poll costs one readlink when it did not move. A generation
             that is not whole is refused: `error` says why, the one before stays in force. When the
             very first one is refused (a damaged disk, seen after a restart) the newest older one
             that is whole is taken, so that mail keeps moving. A refused generation is tried
             again at growing intervals, counted in polls, or at once with `again`.
ERRORS       none: they are in `error`
USE          verifying a large new table reads all of it, and its patterns are compiled: poll in a
             thread, not in an event loop, one thread at a time
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tables.errors import TableError
from tables.manifest import current_number, generation_numbers
from tables.objects import Objects
from tables.reading.snapshot import Snapshot

LONGEST_PAUSE = 64  # polls between two tries of a refused generation


class Watcher:
    """Follows maps/current in one store; `snapshot` is the generation in force for the reader."""

    def __init__(self, root: Path, *, defaults: Mapping[str, str] | None = None) -> None:
        self.root = root
        self._defaults = defaults  # parameters of this machine
        self.snapshot: Snapshot | None = None
        self.error: str | None = None
        self._objects = Objects(root / "objects")
        self._seen: str | None = ""  # what the link said when it was last obeyed
        self._pause = 0  # polls to let pass before a refused generation is tried again
        self._patience = 1

    def poll(self, *, again: bool = False) -> Snapshot | None:
        """The new snapshot when there is one; `again`: try a refused generation now."""
        link = self._read_link()
        if link == self._seen:
            if self.error is None:
                return None
            if self._pause > 0 and not again:
                self._pause -= 1
                return None
        else:
            self._patience = 1
        self._seen = link
        return self._follow()

    def _read_link(self) -> str | None:
        try:
            return os.readlink(self.root / "current")
        except OSError:
            return None  # absent or no link: current_number() says which

    def _follow(self) -> Snapshot | None:
        try:
            number = current_number(self.root)
            if number is None:
                self.error = None if self.snapshot is None else self._kept("maps/current is gone")
                return None
            if self.snapshot is not None and number == self.snapshot.number:
                self.error = None
                return None
            fresh = self._open(number)
        except TableError as error:
            return self._refuse(str(error))
        self.error = None
        self.snapshot = fresh
        return fresh

    def _open(self, number: int) -> Snapshot:
        snapshot = Snapshot.open(
            self.root,
            number,
            defaults=self._defaults,
            objects=self._objects,
            previous=self.snapshot,
        )
        snapshot.warm()
        return snapshot

    def _refuse(self, reason: str) -> Snapshot | None:
        self._pause = self._patience
        self._patience = min(self._patience * 2, LONGEST_PAUSE)
        found = self._older() if self.snapshot is None else None
        self.error = self._kept(reason)
        return found

    def _older(self) -> Snapshot | None:
        """The newest generation below the one in force that is whole; it is taken."""
        try:
            limit = current_number(self.root)
        except TableError:
            return None
        for number in reversed(generation_numbers(self.root)):
            if limit is not None and number < limit:
                try:
                    self.snapshot = self._open(number)
                except TableError:
                    continue  # the error to report is that of the generation in force
                return self.snapshot
        return None

    def _kept(self, reason: str) -> str:
        if self.snapshot is None:
            return f"{reason}; no generation is in force"
        return f"{reason}; generation {self.snapshot.number} stays in force"
