"""generations - which rules are in force: the newest generation that is whole and compiles.

SUMMARY      await Generations(root, config).poll() -> True when other rules are in force now
             .rules, .error (what an operator must know about a newer one, or None)
RULES        the link is the truth (tables.reading.watch); a generation that does not compile is as
             bad as a damaged one: the rules before stay in force
             at start, with no rules yet, the newest older generation that is whole and compiles is
             taken, so that mail keeps moving
             a generation that did not compile is tried again when asked for (reload), and when the
             link moves
ERRORS       none: they are in `error`
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from delivery import log
from delivery.config import Config
from delivery.runtime.rules import Rules
from tables.errors import TableError
from tables.manifest import generation_numbers
from tables.reading.snapshot import Snapshot
from tables.reading.watch import Watcher


class Generations:
    """One for the engine. Verifying and compiling happen in a thread, one at a time."""

    def __init__(self, root: Path, config: Config, *, is_told: bool = True) -> None:
        """`is_told`: log lines say what is in force; of several processes one does."""
        self.rules: Rules | None = None
        self.error: str | None = None
        self._config = config
        self._is_told = is_told
        self._root = root
        self._watcher = Watcher(root)
        self._refused: Snapshot | None = None  # whole, but it does not compile
        self._refusal = ""  # why
        self._lock = asyncio.Lock()

    @property
    def number(self) -> int | None:
        """The generation in force."""
        return None if self.rules is None else self.rules.number

    async def poll(self, *, again: bool = False) -> bool:
        """True when other rules are in force now; `again`: try a refused generation once more."""
        async with self._lock:
            rules = await asyncio.to_thread(self._poll, again)
        error = self._watcher.error or self._refusal or None
        if error != self.error:
            self.error = error
            self._tell(problem=error or "over")
        if rules is None:
            return False
        self.rules = rules
        self._tell(number=rules.number, digest=rules.snapshot.digest)
        return True

    def _tell(self, **values: object) -> None:
        if self._is_told:
            log.event("generation", **values)

    # in the thread

    def _poll(self, again: bool) -> Rules | None:
        snapshot = self._watcher.poll(again=again)
        if snapshot is None and again:
            snapshot = self._refused
        if snapshot is None:
            return None
        rules = self._compile(snapshot)
        if isinstance(rules, Rules):
            self._refused, self._refusal = None, ""
            return rules
        found = self._older(snapshot.number) if self.rules is None else None
        kept = found.number if found is not None else self.number
        stays = "no generation is" if kept is None else f"generation {kept} stays"
        self._refused = snapshot
        self._refusal = f"generation {snapshot.number} cannot be used: {rules}; {stays} in force"
        return found

    def _compile(self, snapshot: Snapshot) -> Rules | str:
        """The rules, or why there are none."""
        try:
            rules = Rules(snapshot, self._config)
            if self._is_told:
                rules.words.templates()  # the log says now what is wrong with them
            return rules
        except TableError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - whatever is in a generation, mail goes on
            return f"{type(error).__name__}: {error}"

    def _older(self, below: int) -> Rules | None:
        """The newest generation below that one that can be used."""
        for number in reversed(generation_numbers(self._root)):
            if number >= below:
                continue
            try:
                snapshot = Snapshot.open(self._root, number)
            except TableError:
                continue  # what is said is what is wrong with the one that should be in force
            rules = self._compile(snapshot)
            if isinstance(rules, Rules):
                return rules
        return None
