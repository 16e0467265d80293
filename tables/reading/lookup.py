"""lookup - the one door for look-ups: ordered keys over an ordered list of tables.

SUMMARY      Maps.find(keys) -> Found | None, Maps.get(key) -> value | None; one trace record for
             every question put to a table
RULES        for each key in turn all tables in turn (maps_find(3) inside mail_addr_find(3)); the
             first answer wins. A key is a str, asked of every table, or an object with `text` and
             `partial`: partial keys (a domain cut out of an address, an address without its
             extension) are not asked of pattern tables. The empty key is never asked.
ERRORS       TableUnavailable when a table could not answer, or answers with an empty string, which
             Postfix treats as a broken table ("should return NO RESULT in case of NOT FOUND"); the
             search ends there
NOT DONE     which keys to ask: tables/keys.py; opening tables: reading/snapshot.py and
             formats/reference.py
SOURCE       Postfix maps_find(3), mail_addr_find(3)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from tables.errors import EmptyResult, TableUnavailable
from tables.formats.base import Map, RawMap, changes

# Receives (table as "type:name", key asked, value or None); for explain and debug logs.
Trace = Callable[[str, str, str | None], None]


class LookupKey(Protocol):
    """A key that knows whether it is only a part of the subject."""

    @property
    def text(self) -> str: ...

    @property
    def partial(self) -> bool: ...


class Found(NamedTuple):  # a tuple, because one is made for every answer
    """The answer: the key that hit, its value, and the table ("type:name") that held it."""

    key: str
    value: str
    table: str


_new_tuple = (
    tuple.__new__
)  # Found() costs as much as all the rest of a look-up but the table's part


class Maps:
    """An ordered list of opened tables, as a parameter of the kind `type:name, type:name` names."""

    __slots__ = ("_name", "_raw", "_tables", "changes")

    def __init__(self, tables: Sequence[tuple[str, Map]]) -> None:
        self._name, only = tables[0] if len(tables) == 1 else ("", None)
        self._raw = only.raw if isinstance(only, RawMap) else None
        self._tables = tuple((name, table.get, table.is_pattern) for name, table in tables)
        self.changes = any(changes(table) for _, table in tables)  # its answers, while it is open

    def __bool__(self) -> bool:
        return bool(self._tables)

    @property
    def names(self) -> tuple[str, ...]:
        """The tables in order, as "type:name"."""
        return tuple(name for name, _, _ in self._tables)

    def find(self, keys: Iterable[str | LookupKey], trace: Trace | None = None) -> Found | None:
        """Return the first answer, None when no table knows any key; raise TableUnavailable.

        The text of the error names the table for logs; it is not for the peer.
        """
        raw = self._raw
        if raw is None or trace is not None:
            return self._find(keys, trace)
        # The same as _find for one hash table, by far the most frequent case, without its detours.
        try:
            for key in keys:
                text = key if isinstance(key, str) else key.text
                if not text:
                    continue
                try:
                    value = raw(text.casefold().encode())
                except UnicodeEncodeError:
                    continue  # a lone surrogate: no key of the table can equal it (dict_utf8(3))
                if value:
                    return _new_tuple(Found, (text, value.decode(), self._name))
                if value is not None:
                    raise EmptyResult(f"{self._name}: empty result for {text!r}")
        except (OSError, UnicodeDecodeError) as error:
            raise TableUnavailable(f"{self._name}: {error}") from error
        return None

    def _find(self, keys: Iterable[str | LookupKey], trace: Trace | None) -> Found | None:
        for key in keys:
            if isinstance(key, str):
                text, partial = key, False
            else:
                text, partial = key.text, key.partial
            if not text:
                continue
            for name, get, is_pattern in self._tables:
                if partial and is_pattern:
                    continue
                try:
                    value = get(text)
                except TableUnavailable as error:
                    raise TableUnavailable(f"{name}: {error}") from error
                if trace is not None:
                    trace(name, text, value)
                if value is None:
                    continue
                if not value:
                    raise EmptyResult(f"{name}: empty result for {text!r}")
                return _new_tuple(Found, (text, value, name))
        return None

    def get(self, key: str, trace: Trace | None = None) -> str | None:
        """Return the value of the one key `key`, None when absent; raise TableUnavailable."""
        raw = self._raw
        if raw is not None and trace is None and key:
            # One key and one hash table: what "postmap -q" asks, at the cost of the file alone.
            try:
                value = raw(key.casefold().encode())
                if value is None:
                    return None
                if value:
                    return value.decode()
            except UnicodeEncodeError:
                return None  # as in find()
            except (OSError, UnicodeDecodeError) as error:
                raise TableUnavailable(f"{self._name}: {error}") from error
        found = self._find((key,), trace)
        return None if found is None else found.value
