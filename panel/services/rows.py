"""rows - the rows of the database as the records that the compiler accepts, streamed.

SUMMARY      with consistent_read() as snapshot: rows = read_rows() ...
RULES        one REPEATABLE READ, READ ONLY transaction: every pass over every table sees the same
             rows, those of the snapshot. Entries, domains and mailboxes come by server-side
             cursors, in the order that the compiler likes best; memory does not grow with them.
             What is switched off is left out here: disabled domains with their mailboxes, disabled
             entries and services. A record names its row as "model:pk".
ERRORS       django.db.Error; RuntimeError when consistent_read is entered inside a transaction
SOURCE       PostgreSQL manual 13.2.2, decision 0002
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.models import F, Func, QuerySet

from panel.models import Domain, Entry, Mailbox, Parameter, RestrictionList, Service, Table
from panel.services.changes import Snapshot
from tables.addresses import Address
from tables.writing.rows import (
    DomainKind,
    DomainRecord,
    EntryRecord,
    MailboxRecord,
    ParameterRecord,
    RestrictionListRecord,
    RestrictionMember,
    Rows,
    ServiceRecord,
    TableRecord,
)

CHUNK = 5000  # rows fetched from a cursor at a time


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


def read_rows() -> Rows:
    """All rows; the long ones are read when the compiler asks for them."""
    return Rows(
        parameters=tuple(
            ParameterRecord(name=name, value=value, row=f"parameter:{pk}")
            for pk, name, value in Parameter.objects.order_by("name").values_list(
                "pk", "name", "value"
            )
        ),
        services=tuple(
            ServiceRecord(service=service.record, row=f"service:{service.pk}")
            for service in Service.objects.filter(enabled=True).order_by("type", "name")
        ),
        tables=tuple(
            TableRecord(
                name=table.name,
                type=table.type,
                kind=table.kind,
                row=f"table:{table.pk}",
                entries=_entries(table),
            )
            for table in Table.objects.order_by("name")
        ),
        restriction_lists=tuple(_restriction_lists()),
        domains=_domains,
        mailboxes=_mailboxes,
    )


def _entries(table: Table) -> Callable[[], Iterable[EntryRecord]]:
    """A function that starts a pass over the entries of a table."""
    rows: QuerySet[Entry] = Entry.objects.filter(table_id=table.pk, enabled=True)
    if table.is_ordered:
        rows = rows.order_by("position", "pk")
    else:
        rows = rows.order_by(CodePointOrder(F("lookup_key")), "pk")

    def entries() -> Iterator[EntryRecord]:
        values = rows.values_list("pk", "key", "value", "position")
        for pk, key, value, position in values.iterator(chunk_size=CHUNK):
            yield EntryRecord(key=key, value=value, row=f"entry:{pk}", position=position)

    return entries


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


def _mailboxes() -> Iterator[MailboxRecord]:
    values = (
        Mailbox.objects.filter(domain__enabled=True)
        .order_by(CodePointOrder(F("address")))
        .values_list("pk", "local_part", "domain__name", "domain__kind", "enabled", "quota_bytes")
    )
    for pk, local_part, domain, kind, enabled, quota in values.iterator(chunk_size=CHUNK):
        yield MailboxRecord(
            address=Address(local_part, domain),
            domain_kind=DomainKind(kind),
            row=f"mailbox:{pk}",
            enabled=enabled,
            quota_bytes=quota,
        )
