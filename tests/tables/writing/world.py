"""world - rows that are edited at random, and what a database would tell of the edits.

SUMMARY      World(random): .edit() does something; .rows() gives all, .rows(edits=True) also what
             was edited since .publish()
RULES        as in the database: a lookup key stands once in a table, an address once
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from random import Random

from tables.addresses import Address
from tables.errors import TableError
from tables.specs import KINDS
from tables.writing.rows import (
    DomainKind,
    DomainRecord,
    Edits,
    EntryKey,
    EntryRecord,
    MailboxRecord,
    Rows,
    TableRecord,
)
from tests.tables.writing.records import GUARD, parameters

TABLES = {  # name -> type, kind, keys, values
    "virtual": ("hash", "virtual", ["u{n}@d{n}.example.com", "@d{n}.example.com", "U{n}", "a b@c"]),
    "small": ("hash", "virtual", ["u{n}@d{n}.example.com", "one.example"]),
    "access": ("hash", "access", ["u{n}@", "d{n}.example.com", "10.{n}"]),
    "clients": ("cidr", "access", ["10.0.{n}.0/24", "10.0.0.0/33"]),
}
VALUES = {
    "virtual": ["box{n}@mail.example.net", "a@example.net, b{n}@example.net", "a b@@c", "{key}"],
    "access": ["OK", "REJECT no", "check_sender_access hash:small", "NONSENSE {n}", "hash:access"],
}
NAMES = ["a.example", "b.example", "c.example", "d.example"]
LOCALS = ["joe", "amy", "o'neil", "a b"]
BASE = 2500  # entries that `virtual` begins with: enough for a layer over them


@dataclass(frozen=True)
class Entry:
    table: str
    key: str
    value: str
    enabled: bool = True

    @property
    def lookup_key(self) -> str | None:
        return lookup_key_of(self.table, self.key)


@cache
def lookup_key_of(table: str, key: str) -> str | None:
    """What the forms store; what they refuse comes by another way, with any key."""
    type_, kind, _ = TABLES[table]
    try:
        return None if type_ == "cidr" else KINDS[kind].parse_key(key)
    except TableError:
        return key


@dataclass(frozen=True)
class Domain:
    name: str
    kind: DomainKind
    enabled: bool = True


@dataclass(frozen=True)
class Mailbox:
    domain: int
    local: str
    enabled: bool = True
    quota: int | None = None


class World:
    """All rows, and the states they went through since the last publish."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._next = 0
        self.entries: dict[int, Entry] = {}
        self.domains: dict[int, Domain] = {}
        self.mailboxes: dict[int, Mailbox] = {}
        for n in range(BASE):
            self._next += 1
            key = f"base{n:05}@example.com"
            self.entries[self._next] = Entry("virtual", key, "x@a.example")
        self.publish()

    def publish(self) -> None:
        """Edits count from here."""
        self._entry_states: list[tuple[int, Entry]] = []
        self._domain_states: list[tuple[int, Domain]] = []
        self._addresses: list[tuple[int, str]] = []

    def edit(self) -> None:
        """One edit, or an attempt that the database would refuse."""
        self.random.choice(
            [self._edit_entry] * 6 + [self._edit_domain] + [self._edit_mailbox] * 2
        )()

    def _edit_entry(self) -> None:
        random = self.random
        pk = random.choice(list(self.entries)) if random.random() < 0.5 else None
        old = None if pk is None else self.entries[pk]
        if old is not None and pk is not None and random.random() < 0.4:
            self._entry_states.append((pk, old))
            del self.entries[pk]
            return
        new = self._random_entry() if old is None or random.random() < 0.3 else None
        if new is None and old is not None:
            new = replace(old, enabled=not old.enabled)
            if random.random() < 0.6:
                new = replace(old, value=self._random_entry(old.table).value)
        assert new is not None
        taken = {(e.table, e.lookup_key) for k, e in self.entries.items() if k != pk}
        if new.lookup_key is not None and (new.table, new.lookup_key) in taken:
            return
        if pk is None:
            self._next += 1
            pk = self._next
        elif old is not None:
            self._entry_states.append((pk, old))
        self._entry_states.append((pk, new))
        self.entries[pk] = new

    def _random_entry(self, table: str = "") -> Entry:
        table = table or self.random.choice(list(TABLES))
        _, kind, keys = TABLES[table]
        n = self.random.randrange(8)
        key = self.random.choice(keys).format(n=n)
        value = self.random.choice(VALUES[kind]).format(n=n, key=key)
        return Entry(table, key, value)

    def _edit_domain(self) -> None:
        random = self.random
        name, kind = random.choice(NAMES), random.choice(list(DomainKind))
        pk = next((pk for pk, domain in self.domains.items() if domain.name == name), None)
        if pk is None:
            self._next += 1
            self._set_domain(self._next, Domain(name, kind))
            return
        domain = self.domains[pk]
        has_mailboxes = any(mailbox.domain == pk for mailbox in self.mailboxes.values())
        match random.randrange(4):
            case 0:
                self._set_domain(pk, replace(domain, enabled=not domain.enabled))
            case 1 if not has_mailboxes or kind in (DomainKind.LOCAL, DomainKind.VIRTUAL_MAILBOX):
                self._set_domain(pk, replace(domain, kind=kind))
            case 2:
                other = random.choice(NAMES)
                if other not in {each.name for each in self.domains.values()}:
                    self._note_mailboxes(pk)
                    self._set_domain(pk, replace(domain, name=other))
                    self._note_mailboxes(pk)
            case 3:
                self._note_mailboxes(pk)
                self.mailboxes = {k: m for k, m in self.mailboxes.items() if m.domain != pk}
                self._domain_states.append((pk, domain))
                del self.domains[pk]

    def _set_domain(self, pk: int, domain: Domain) -> None:
        if pk in self.domains:
            self._domain_states.append((pk, self.domains[pk]))
        self.domains[pk] = domain
        self._domain_states.append((pk, domain))

    def _note_mailboxes(self, domain: int) -> None:
        for pk, mailbox in self.mailboxes.items():
            if mailbox.domain == domain:
                self._addresses.append((pk, self._address(mailbox)))

    def _address(self, mailbox: Mailbox) -> str:
        return f"{mailbox.local}@{self.domains[mailbox.domain].name}"

    def _edit_mailbox(self) -> None:
        random = self.random
        hosts = [
            pk
            for pk, domain in self.domains.items()
            if domain.kind in (DomainKind.LOCAL, DomainKind.VIRTUAL_MAILBOX)
        ]
        if not hosts:
            return
        domain, local = random.choice(hosts), random.choice(LOCALS)
        pk = next(
            (k for k, m in self.mailboxes.items() if (m.domain, m.local) == (domain, local)), None
        )
        if pk is None:
            self._next += 1
            pk = self._next
            self.mailboxes[pk] = Mailbox(domain, local)
        self._addresses.append((pk, self._address(self.mailboxes[pk])))
        old = self.mailboxes[pk]
        match random.randrange(4):
            case 0:
                self.mailboxes[pk] = replace(old, enabled=not old.enabled)
            case 1:
                self.mailboxes[pk] = replace(old, quota=random.choice([None, 1000, 2000]))
            case 2:
                del self.mailboxes[pk]

    def rows(self, *, edits: bool = False) -> Rows:
        """All rows as records."""
        return Rows(
            parameters=parameters({**GUARD, "virtual_alias_maps": "hash:virtual, hash:small"}),
            tables=tuple(self._table(name, edits) for name in TABLES),
            domains=lambda: self._domain_records(self.domains),
            mailboxes=lambda: self._mailbox_records(self.mailboxes),
            domain_edits=self._domain_edits() if edits else None,
            mailbox_edits=self._mailbox_edits() if edits else None,
        )

    def _table(self, name: str, edits: bool) -> TableRecord:
        type_, kind, _ = TABLES[name]
        own = [pk for pk, entry in self.entries.items() if entry.table == name]
        own.sort(key=lambda pk: (self.entries[pk].lookup_key or "", pk))
        return TableRecord(
            name=name,
            type=type_,
            kind=kind,
            row=f"table:{name}",
            entries=self._entry_records(own),
            edits=self._entry_edits(name) if edits else None,
        )

    def _entry_records(self, pks: list[int]) -> Callable[[], list[EntryRecord]]:
        records = [
            EntryRecord.of(
                key=entry.key, value=entry.value, row=f"entry:{pk}", lookup_key=entry.lookup_key
            )
            for pk in pks
            if (entry := self.entries[pk]).enabled
        ]
        return lambda: records

    def _entry_edits(self, table: str) -> Edits[EntryKey, EntryRecord]:
        states = [(pk, entry) for pk, entry in self._entry_states if entry.table == table]
        touched = {pk for pk, _ in states}
        now = [pk for pk in touched & self.entries.keys() if self.entries[pk].table == table]
        return Edits(
            rows=frozenset(f"entry:{pk}" for pk in touched),
            keys=frozenset((entry.key, entry.lookup_key) for _, entry in states if entry.enabled),
            records=self._entry_records(now),
        )

    def _domain_records(self, pks: object) -> list[DomainRecord]:
        assert isinstance(pks, dict | set)
        return [
            DomainRecord(name=domain.name, kind=domain.kind, row=f"domain:{pk}")
            for pk, domain in self.domains.items()
            if pk in pks and domain.enabled
        ]

    def _domain_edits(self) -> Edits[str, DomainRecord]:
        touched = {pk for pk, _ in self._domain_states}
        return Edits(
            rows=frozenset(f"domain:{pk}" for pk in touched),
            keys=frozenset(domain.name for _, domain in self._domain_states),
            records=lambda: self._domain_records(touched),
        )

    def _mailbox_records(self, pks: object) -> list[MailboxRecord]:
        assert isinstance(pks, dict | set)
        return [
            MailboxRecord(
                address=Address(mailbox.local, domain.name),
                domain_kind=domain.kind,
                row=f"mailbox:{pk}",
                enabled=mailbox.enabled,
                quota_bytes=mailbox.quota,
            )
            for pk, mailbox in self.mailboxes.items()
            if pk in pks and (domain := self.domains[mailbox.domain]).enabled
        ]

    def _mailbox_edits(self) -> Edits[str, MailboxRecord]:
        domains = {pk for pk, _ in self._domain_states}
        moved = {
            self._address(mailbox)
            for mailbox in self.mailboxes.values()
            if mailbox.domain in domains
        }
        keys = {address for _, address in self._addresses} | moved
        touched = {pk for pk, _ in self._addresses}
        local_parts = {address.rpartition("@")[0] for address in keys}
        near = {pk for pk, mailbox in self.mailboxes.items() if mailbox.local in local_parts}
        return Edits(
            rows=frozenset(f"mailbox:{pk}" for pk in touched),
            keys=frozenset(keys),
            records=lambda: self._mailbox_records(touched | near),
        )
