"""words - what is no command of ours: smtpd_noop_commands and smtpd_forbidden_commands.

SUMMARY      CommandWords(settings, open_maps): .is_noop(word), .is_forbidden(word); .has_noop: any
RULES        an item is a word in any letter case, or a table whose keys count
ERRORS       none: a table that cannot be asked knows no word
SOURCE       postconf(5)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from delivery.smtp.settings import ServerSettings
from tables.errors import EntryError, TableUnavailable
from tables.formats.base import Map
from tables.formats.reference import open_reference
from tables.itemtext import split_items
from tables.reading.lookup import Maps
from tables.reading.matchlist import MatchList


class CommandWords:
    """The two lists of one service. Immutable."""

    def __init__(self, settings: ServerSettings, open_maps: Callable[[str], Maps]) -> None:
        """Raises ParameterError."""
        self._noop = _opened("smtpd_noop_commands", settings.smtpd_noop_commands, open_maps)
        self.has_noop = bool(self._noop)
        self._forbidden = _opened(
            "smtpd_forbidden_commands", settings.smtpd_forbidden_commands, open_maps
        )

    def is_noop(self, word: str) -> bool:
        """Answered by 250 and without effect."""
        return _matches(self._noop, word)

    def is_forbidden(self, word: str) -> bool:
        """No mail client says this."""
        return _matches(self._forbidden, word)


@lru_cache(maxsize=16)
def words_in_place(settings: ServerSettings) -> CommandWords:
    """For settings whose tables are all written in place, "regexp:{...}"."""
    return CommandWords(settings, _open_in_place)


def _opened(name: str, items: tuple[str, ...], open_maps: Callable[[str], Maps]) -> MatchList:
    return MatchList(name, items, open_maps, hosts=False)


def _matches(words: MatchList, word: str) -> bool:
    try:
        return words.matches(word)
    except TableUnavailable:
        return False


def _open_in_place(spec: str) -> Maps:
    return Maps([(item, open_reference(item, _elsewhere)) for item in split_items(spec)])


def _elsewhere(table_type: str, name: str) -> Map:
    raise EntryError(f"{table_type}:{name} is not written in place")
