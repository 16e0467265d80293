"""edits - what was edited since a snapshot, as the incremental compile wants to know it.

SUMMARY      read_edits(since) -> RowEdits, or None when everything has to be read
RULES        between two database snapshots: the change records that the old one did not see and the
             current transaction does (decision 0002), of however many states a row went through. Of
             entries, domains and mailboxes every key counts that a row has or had in between.
             A domain that became another takes all its mailboxes along.
             Everything has to be read when there are more than MOST changes (reading all is
             cheaper), and when no change is left that the old snapshot saw: they are forgotten by
             age, so some that it did not see may be gone as well.
SOURCE       decisions 0002, 0003 and 0005
"""

# ruff: noqa: S608 - only constants of this file are put into queries
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.db import connection

from panel.services.changes import Snapshot
from tables.writing.rows import EntryKey

Key = TypeVar("Key")

MOST = 200_000

UNSEEN = "(revision >= %s OR revision = ANY(%s))"
IMAGES = "panel_change CROSS JOIN LATERAL (VALUES (before), (after)) AS images (image)"
# A description is nothing that is published.
BECAME_ANOTHER = "(before - 'description') IS DISTINCT FROM (after - 'description')"


@dataclass(slots=True)
class KeyEdits(Generic[Key]):
    """Edited rows of one kind: their ids, and the keys they have or had."""

    ids: set[int] = field(default_factory=set)
    keys: set[Key] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class RowEdits:
    """All that was edited; what is few and always compiled is not told."""

    tables: frozenset[int]  # became another, or are new or gone
    entries: dict[int, KeyEdits[EntryKey]]  # by table
    domains: KeyEdits[str]
    domain_aliases: KeyEdits[str]  # those of edited domains too
    mailboxes: KeyEdits[str]  # addresses; ids of the edited ones only


def read_edits(since: Snapshot) -> RowEdits | None:
    """What the current transaction sees and `since` did not; None when all has to be read."""
    if not _is_complete(since) or _count(since) > MOST:
        return None
    domains = _read_domains(since)
    mailboxes = _read_mailboxes(since, domains.ids)
    if len(mailboxes.keys) > MOST:
        return None
    return RowEdits(
        tables=frozenset(
            row
            for (row,) in _ask(
                'SELECT DISTINCT "row" FROM panel_change '
                f"WHERE model = 'table' AND {UNSEEN} AND {BECAME_ANOTHER}",
                since,
            )
        ),
        entries=_read_entries(since),
        domains=domains,
        domain_aliases=_read_aliases(since, domains.ids),
        mailboxes=mailboxes,
    )


def _ask(query: str, since: Snapshot, *more: Any) -> Iterable[tuple[Any, ...]]:
    """Rows of a query in which UNSEEN comes first, once."""
    with connection.cursor() as cursor:
        cursor.execute(query, [since.xmax, list(since.running), *more])
        yield from cursor.fetchall()


def _is_complete(since: Snapshot) -> bool:
    """True when some change is kept that `since` saw: then all are that it did not see."""
    ((found,),) = _ask(
        f"SELECT EXISTS (SELECT FROM panel_change WHERE NOT {UNSEEN} AND revision < %s)",
        since,
        since.xmax,
    )
    return bool(found)


def _count(since: Snapshot) -> int:
    """How many changes, as far as it matters."""
    ((count,),) = _ask(
        f"SELECT count(*) FROM (SELECT FROM panel_change WHERE {UNSEEN} LIMIT {MOST + 1}) AS few",
        since,
    )
    return int(count)


def _read_entries(since: Snapshot) -> dict[int, KeyEdits[EntryKey]]:
    tables: defaultdict[int, KeyEdits[EntryKey]] = defaultdict(KeyEdits)
    for table, row, enabled, key, lookup_key in _ask(
        "SELECT DISTINCT (image ->> 'table_id')::bigint, \"row\", (image ->> 'enabled')::boolean, "
        f"image ->> 'key', image ->> 'lookup_key' FROM {IMAGES} "
        f"WHERE {UNSEEN} AND model = 'entry' AND image IS NOT NULL",
        since,
    ):
        edits = tables[table]
        edits.ids.add(row)
        if enabled:
            edits.keys.add((key, lookup_key))
    return dict(tables)


def _read_domains(since: Snapshot, model: str = "domain") -> KeyEdits[str]:
    edits: KeyEdits[str] = KeyEdits()
    for row, name in _ask(
        f"SELECT DISTINCT \"row\", image ->> 'name' FROM {IMAGES} "
        f"WHERE {UNSEEN} AND model = %s AND image IS NOT NULL AND {BECAME_ANOTHER}",
        since,
        model,
    ):
        edits.ids.add(row)
        edits.keys.add(name)
    return edits


def _read_aliases(since: Snapshot, domains: set[int]) -> KeyEdits[str]:
    """Their address class is that of their domain."""
    edits = _read_domains(since, "domainalias")
    if domains:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, name FROM panel_domainalias WHERE domain_id = ANY(%s)", [list(domains)]
            )
            for row, name in cursor.fetchall():
                edits.ids.add(row)
                edits.keys.add(name)
    return edits


def _read_mailboxes(since: Snapshot, domains: set[int]) -> KeyEdits[str]:
    edits: KeyEdits[str] = KeyEdits()
    for row, address in _ask(
        f"SELECT DISTINCT \"row\", image ->> 'address' FROM {IMAGES} "
        f"WHERE {UNSEEN} AND model = 'mailbox' AND image IS NOT NULL",
        since,
    ):
        edits.ids.add(row)
        edits.keys.add(address)
    if domains:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT address FROM panel_mailbox WHERE domain_id = ANY(%s) LIMIT {MOST + 1}",
                [list(domains)],
            )
            edits.keys.update(address for (address,) in cursor.fetchall())
    return edits
