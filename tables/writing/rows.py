"""rows - what the compiler accepts: one frozen record per row, streamed.

SUMMARY      the panel turns its rows into these records; compiler.py turns these into a generation
RULES        `row` names the row a record came from as "model:pk" ("entry:812"), so that every
             message of the report leads back to a form. Nothing is checked here: the compiler does.
             Whatever can be long (entries, domains, mailboxes) is a callable that starts a fresh
             pass each time; all passes give the same rows (one REPEATABLE READ transaction).
             What is switched off (a domain, table or service and all that belongs to it) is left
             out by the caller; the one exception is `MailboxRecord.enabled`, because a disabled
             mailbox is compiled: into a refusal.
EDITS        an incremental compile gets, beside the passes over all rows, what was edited since the
             generation before: the rows, the keys they have or had in between, and the records that
             they give now. What nothing was edited of has Edits without rows; `edits` None means
             that nothing is known and everything is read.
ORDER        rows may come in any order. Entries of indexed tables are stored as they come, small
             tables and those without lookup keys by key; the same rows in the same order give the
             same bytes. Domains and mailboxes are sorted on disk, fastest when they come by name
             and address in code point order (SQL: COLLATE "C").
             Entries of ordered tables (regexp, pcre, cidr) must come by `position`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, NamedTuple, Self, TypeVar

from tables.addresses import Address
from tables.services import Service


class DomainKind(Enum):
    """The address classes that are hosted; the values are those of delivery's AddressClass."""

    LOCAL = "local"
    VIRTUAL_ALIAS = "virtual_alias"
    VIRTUAL_MAILBOX = "virtual_mailbox"
    RELAY = "relay"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterRecord:
    """One line of main.cf: `value` is Postfix text as the administrator wrote it."""

    name: str
    value: str
    row: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    """One line of master.cf with its -o overrides."""

    service: Service
    row: str


class EntryRecord(NamedTuple):
    """One entry: both sides as table text, in UTF-8 as maps have it.

    `lookup_key` is the key under which the database lets it stand once in its table, None where it
    does not. In ordered tables `key` holds the pattern with its delimiters and flags ("/^x/i",
    "!10.0.0.0/8"), and the lines "if /x/" and "endif" are entries with an empty value.
    """

    key: bytes
    value: bytes
    row: str
    lookup_key: bytes | None = None

    @classmethod
    def of(cls, key: str, value: str, row: str, lookup_key: str | None = None) -> Self:
        """One out of texts."""
        folded = None if lookup_key is None else lookup_key.encode()
        return cls(key.encode(), value.encode(), row, folded)


# An EntryRecord as it may come: making a million records costs as much as reading them does
EntryTuple = tuple[bytes, bytes, str, bytes | None]

Record = TypeVar("Record")
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits(Generic[Key, Record]):
    """What was edited of one kind of rows since the generation before.

    `records` are those of all edited rows that count now, and perhaps others.
    """

    rows: frozenset[str] = frozenset()
    keys: frozenset[Key] = frozenset()
    records: Callable[[], Iterable[Record]] = tuple


# key as written, lookup_key; of every enabled state that the row was in
EntryKey = tuple[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRecord:
    """One lookup table; parameters name it "type:name"."""

    name: str
    type: str  # a name of tables.specs TYPES
    kind: str  # a name of tables.specs KINDS
    row: str
    entries: Callable[[], Iterable[EntryTuple]]
    edits: Edits[EntryKey, EntryTuple] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictionMember:
    """One restriction in a list: "[warn_if_reject] name [argument]"."""

    name: str
    argument: str = ""
    warn_if_reject: bool = False

    @property
    def text(self) -> str:
        """The member in Postfix words."""
        words = ("warn_if_reject" if self.warn_if_reject else "", self.name, self.argument)
        return " ".join(word for word in words if word)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictionListRecord:
    """The value of an smtpd_..._restrictions parameter or, with `is_class`, a restriction class."""

    name: str
    is_class: bool
    members: tuple[RestrictionMember, ...]
    row: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRecord:
    """One hosted domain; `name` is an A-label name without trailing dot."""

    name: str
    kind: DomainKind
    row: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxRecord:
    """One mailbox; `domain_kind` is the kind of its domain: local or virtual_mailbox."""

    address: Address
    domain_kind: DomainKind
    row: str
    enabled: bool = True
    quota_bytes: int | None = None  # None: virtual_mailbox_limit holds


class AliasedRecord(NamedTuple):
    """An address of a domain under another name of the domain; "@name" for all of them.

    `table` is the virtual table whose entry makes the address known, '' for a mailbox.
    """

    address: str
    target: str
    row: str
    table: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """All rows of one consistent read."""

    parameters: tuple[ParameterRecord, ...] = ()
    services: tuple[ServiceRecord, ...] = ()
    tables: tuple[TableRecord, ...] = ()
    restriction_lists: tuple[RestrictionListRecord, ...] = ()
    domains: Callable[[], Iterable[DomainRecord]] = tuple
    mailboxes: Callable[[], Iterable[MailboxRecord]] = tuple
    aliased: Callable[[], Iterable[AliasedRecord]] = tuple  # their domains are among `domains`
    domain_edits: Edits[str, DomainRecord] | None = None  # names
    # user@domain as joined from two columns. Records include all that share the local part of an
    # edited mailbox in a domain of the kind local.
    mailbox_edits: Edits[str, MailboxRecord] | None = None
    aliased_edits: Edits[str, AliasedRecord] | None = None  # addresses under other names
