"""rows - the rows of the database as the records that the compiler accepts, streamed.

SUMMARY      with consistent_read() as snapshot: rows = read_rows(edits) ...
RULES        one REPEATABLE READ, READ ONLY transaction: every pass over every table sees the same
             rows, those of the snapshot. Entries and mailboxes are streamed from the server in the
             order that costs least, a chunk at a time while the server works on the next ones;
             memory does not grow with them. One pass at a time:
             a pass has the connection for itself until it is read to its end or dropped.
             With `edits` the records of edited rows come beside the passes over all rows.
             What is switched off is left out here: disabled domains with their mailboxes, disabled
             entries and services. A record names its row as "model:pk".
ERRORS       django.db.Error; RuntimeError when consistent_read is entered inside a transaction
SOURCE       PostgreSQL manual 13.2.2, decision 0002
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from typing import Any, LiteralString

from django.db import connection, transaction
from django.db.models import F, Func, QuerySet
from psycopg import Cursor
from psycopg.abc import Loader
from psycopg.types.string import ByteaBinaryLoader, TextBinaryLoader

from panel.models import Domain, DomainAlias, Parameter, RestrictionList, Service, Table
from panel.services.changes import Snapshot
from panel.services.edits import RowEdits
from tables.addresses import Address
from tables.services import STANDARD
from tables.writing.rows import (
    AliasedRecord,
    DomainKind,
    DomainRecord,
    Edits,
    EntryKey,
    EntryTuple,
    MailboxRecord,
    ParameterRecord,
    RestrictionListRecord,
    RestrictionMember,
    Rows,
    ServiceRecord,
    TableRecord,
)

CHUNK = 256  # rows taken at a time: a socket holds several such, and the server reads on meanwhile


class CodePointOrder(Func):
    """The text ordered by code points, whatever the database's language."""

    template = '(%(expressions)s) COLLATE "C"'


@contextmanager
def consistent_read() -> Iterator[Snapshot]:
    """A transaction in which all reads see the rows of the snapshot; nothing can be written."""
    if connection.in_atomic_block:
        raise RuntimeError("a consistent read begins its own transaction")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield Snapshot.current()


def read_rows(edits: RowEdits | None = None) -> Rows:
    """All rows; the long ones are read when the compiler asks for them."""
    return Rows(
        parameters=tuple(
            ParameterRecord(name=name, value=value, row=f"parameter:{pk}")
            for pk, name, value in Parameter.objects.order_by("name").values_list(
                "pk", "name", "value"
            )
        ),
        services=tuple(_services()),
        tables=tuple(
            TableRecord(
                name=table.name,
                type=table.type,
                kind=table.kind,
                row=f"table:{table.pk}",
                entries=_entries(table),
                edits=None if edits is None else _entry_edits(table.pk, edits),
            )
            for table in Table.objects.order_by("name")
        ),
        restriction_lists=tuple(_restriction_lists()),
        domains=_domains,
        mailboxes=_mailboxes,
        aliased=_aliased,
        domain_edits=None if edits is None else _domain_edits(edits),
        mailbox_edits=None if edits is None else _mailbox_edits(edits),
        aliased_edits=None if edits is None else _aliased_edits(edits),
    )


def _stream(
    query: LiteralString, *params: object, text: type[Loader] = TextBinaryLoader
) -> Iterator[tuple[Any, ...]]:
    """The rows of a query as they come, a chunk of them in memory."""
    return chain.from_iterable(_chunks(query, params, text))


def _chunks(
    query: LiteralString, params: Sequence[object], text: type[Loader]
) -> Iterator[list[tuple[Any, ...]]]:
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.adapters.register_loader("text", text)
        rows = cursor.stream(query, params, size=CHUNK, binary=True)
        try:
            while chunk := list(islice(rows, CHUNK)):
                yield chunk
        finally:  # dropped half-way: closing `rows` would cancel the query and the transaction
            for _ in rows:
                pass


# Texts as the bytes that come, which are those of the map: Django has the server send UTF-8. The
# row, which is wanted as a str, is a varchar for that.
_entry_stream = partial(_stream, text=ByteaBinaryLoader)
ENTRY = (
    "SELECT key, value, ('entry:' || id)::varchar, lookup_key "
    "FROM panel_entry WHERE enabled AND table_id = %s"
)


def _entries(table: Table) -> Callable[[], Iterable[EntryTuple]]:
    """A function that starts a pass over the entries of a table.

    By id, for that is about the order on the disk; sorting a million keys takes the server longer
    than all the rest.
    """
    query = ENTRY + (" ORDER BY position, id" if table.is_ordered else " ORDER BY id")

    return partial(_entry_stream, query, table.pk)


def _entry_edits(table: int, edits: RowEdits) -> Edits[EntryKey, EntryTuple] | None:
    """What was edited of a table; None when it became another."""
    if table in edits.tables:
        return None
    own = edits.entries.get(table)
    if own is None:
        return Edits()
    ids = list(own.ids)

    return Edits(
        rows=frozenset(f"entry:{pk}" for pk in ids),
        keys=frozenset(own.keys),
        records=partial(_entry_stream, ENTRY + " AND id = ANY(%s)", table, ids),
    )


def _services() -> Iterator[ServiceRecord]:
    """Those that run: rows, and of the standard ones those that no row replaces or switches off.

    Without any row there is nothing to say: the engine knows the standard ones.
    """
    rows = list(Service.objects.order_by("type", "name"))
    for row in rows:
        if row.enabled:
            yield ServiceRecord(service=row.record, row=f"service:{row.pk}")
    known = {(row.name, row.type) for row in rows}
    for service in STANDARD if rows else ():
        if (service.name, service.type) not in known:
            yield ServiceRecord(service=service, row="")


def _restriction_lists() -> Iterator[RestrictionListRecord]:
    lists = RestrictionList.objects.order_by("name").prefetch_related("members__table")
    for each in lists:
        yield RestrictionListRecord(
            name=each.name,
            is_class=each.is_class,
            members=tuple(
                RestrictionMember(
                    name=member.name,
                    argument=member.argument_text,
                    warn_if_reject=member.warn_if_reject,
                )
                for member in each.members.all()
            ),
            row=f"restrictionlist:{each.pk}",
        )


def _domains() -> Iterator[DomainRecord]:
    values = (
        Domain.objects.filter(enabled=True)
        .order_by(CodePointOrder(F("name")))
        .values_list("pk", "name", "kind")
    )
    for pk, name, kind in values.iterator(chunk_size=CHUNK):
        yield DomainRecord(name=name, kind=DomainKind(kind), row=f"domain:{pk}")
    yield from _other_names(DomainAlias.objects.all())


def _other_names(aliases: QuerySet[DomainAlias]) -> Iterator[DomainRecord]:
    """Other names of domains as domains: local ones are local, all others are virtual aliases."""
    values = aliases.filter(enabled=True, domain__enabled=True)
    for pk, name, kind in values.values_list("pk", "name", "domain__kind"):
        local = DomainKind(kind) is DomainKind.LOCAL
        kind_here = DomainKind.LOCAL if local else DomainKind.VIRTUAL_ALIAS
        yield DomainRecord(name=name, kind=kind_here, row=f"domainalias:{pk}")


def _domain_edits(edits: RowEdits) -> Edits[str, DomainRecord]:
    own, names = edits.domains, edits.domain_aliases

    def records() -> Iterator[DomainRecord]:
        values = Domain.objects.filter(enabled=True, pk__in=own.ids)
        for pk, name, kind in values.values_list("pk", "name", "kind"):
            yield DomainRecord(name=name, kind=DomainKind(kind), row=f"domain:{pk}")
        yield from _other_names(DomainAlias.objects.filter(pk__in=names.ids))

    return Edits(
        rows=frozenset(
            (
                *(f"domain:{pk}" for pk in own.ids),
                *(f"domainalias:{pk}" for pk in names.ids),
            )
        ),
        keys=frozenset((*own.keys, *names.keys)),
        records=records,
    )


ALIASED = """
    SELECT m.local_part, a.name, d.name, 'domainalias:' || a.id
    FROM panel_domainalias AS a
    JOIN panel_domain AS d ON d.id = a.domain_id
    JOIN panel_mailbox AS m ON m.domain_id = d.id
    WHERE a.enabled AND d.enabled AND m.enabled
"""
# what stands behind the last "@" of a key, in a form that joins by hash
ALIASED_ENTRIES = """
    SELECT e.lookup_key, a.name, 'domainalias:' || a.id, t.name
    FROM panel_domainalias AS a
    JOIN panel_domain AS d ON d.id = a.domain_id
    JOIN panel_entry AS e ON d.name = reverse(split_part(reverse(e.lookup_key), '@', 1))
    JOIN panel_table AS t ON t.id = e.table_id
    WHERE a.enabled AND d.enabled AND e.enabled AND t.kind = 'virtual' AND e.lookup_key LIKE '%%@%%'
"""


def _aliased() -> Iterator[AliasedRecord]:
    """Known addresses under the other names of their domains."""
    if not DomainAlias.objects.filter(enabled=True, domain__enabled=True).exists():
        return
    yield from map(_aliased_mailbox, _stream(ALIASED))
    yield from map(_aliased_entry, _stream(ALIASED_ENTRIES))


def _aliased_mailbox(values: tuple[str, str, str, str]) -> AliasedRecord:
    local, alias, domain, row = values
    return AliasedRecord(Address(local, alias).text, Address(local, domain).text, row)


def _aliased_entry(values: tuple[str, str, str, str]) -> AliasedRecord:
    key, alias, row, table = values
    local = key.rpartition("@")[0]
    return AliasedRecord(f"{local}@{alias}", key, row, table)


def _aliased_edits(edits: RowEdits) -> Edits[str, AliasedRecord] | None:
    """Known addresses that were edited, under other names; None where names or tables were."""
    if edits.domains.ids or edits.domain_aliases.ids or edits.tables:
        return None
    mailboxes = [address.rpartition("@") for address in edits.mailboxes.keys]
    entries = [
        lookup_key.rpartition("@")
        for own in edits.entries.values()
        for _, lookup_key in own.keys
        if lookup_key is not None
    ]
    names: defaultdict[str, list[str]] = defaultdict(list)
    domains = {domain for _, _, domain in (*mailboxes, *entries)}
    found = DomainAlias.objects.filter(domain__name__in=domains)
    for domain, name in found.values_list("domain__name", "name"):
        names[domain].append(name)
    addresses = {
        *(Address(local, name).text for local, _, domain in mailboxes for name in names[domain]),
        *(f"{local}@{name}" for local, at, domain in entries if at for name in names[domain]),
    }

    def records() -> Iterator[AliasedRecord]:
        if addresses:
            own = [f"{local}@{domain}" for local, _, domain in (*mailboxes, *entries)]
            yield from map(_aliased_mailbox, _stream(f"{ALIASED} AND m.address = ANY(%s)", own))
            query = f"{ALIASED_ENTRIES} AND e.lookup_key = ANY(%s)"
            yield from map(_aliased_entry, _stream(query, own))

    return Edits(keys=frozenset(addresses), records=records)


MAILBOX = (
    "SELECT 'mailbox:' || m.id, m.local_part, d.name, d.kind, m.enabled, m.quota_bytes "
    "FROM panel_mailbox AS m JOIN panel_domain AS d ON d.id = m.domain_id WHERE d.enabled"
)
# The edited ones, those of edited domains, and who shares a local part in a local domain.
EDITED_MAILBOX = (
    " AND m.id IN (SELECT id FROM panel_mailbox WHERE id = ANY(%s) "
    "UNION SELECT id FROM panel_mailbox WHERE domain_id = ANY(%s) "
    "UNION SELECT m.id FROM panel_mailbox AS m JOIN panel_domain AS d ON d.id = m.domain_id "
    "WHERE d.kind = 'local' AND m.local_part = ANY(%s))"
)


def _mailbox_edits(edits: RowEdits) -> Edits[str, MailboxRecord]:
    own = edits.mailboxes

    def records() -> Iterator[MailboxRecord]:
        if not own.keys:
            return iter(())
        local_parts = list({address.rpartition("@")[0] for address in own.keys})
        found = _stream(
            MAILBOX + EDITED_MAILBOX, list(own.ids), list(edits.domains.ids), local_parts
        )
        return map(_mailbox_record, found)

    return Edits(
        rows=frozenset(f"mailbox:{pk}" for pk in own.ids), keys=frozenset(own.keys), records=records
    )


def _mailboxes() -> Iterator[MailboxRecord]:
    return map(_mailbox_record, _stream(MAILBOX + ' ORDER BY m.address COLLATE "C"'))


def _mailbox_record(values: tuple[str, str, str, str, bool, int | None]) -> MailboxRecord:
    row, local_part, domain, kind, enabled, quota = values
    return MailboxRecord(
        address=Address(local_part, domain),
        domain_kind=DomainKind(kind),
        row=row,
        enabled=enabled,
        quota_bytes=quota,
    )
