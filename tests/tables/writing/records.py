"""records - short makers of rows for the tests of the compiler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tables.addresses import Address
from tables.manifest import Content
from tables.reading.lookup import Maps
from tables.reading.snapshot import Snapshot
from tables.services import Service, parse_service
from tables.writing.compiler import compile_rows
from tables.writing.report import Finding, Report
from tables.writing.rows import (
    AliasedRecord,
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
from tables.writing.store import Store

# What makes a configuration whole, so that only what a test is about is reported.
GUARD = {"smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination"}


def table(
    name: str,
    entries: Mapping[str, str] | Iterable[tuple[str, str]],
    *,
    type: str = "hash",
    kind: str = "virtual",
) -> TableRecord:
    """A table; its entries have the rows "NAME:1", "NAME:2" ..."""
    pairs = list(entries.items() if isinstance(entries, Mapping) else entries)
    records = [
        EntryRecord.of(key=key, value=value, row=f"{name}:{number}")
        for number, (key, value) in enumerate(pairs, 1)
    ]
    return TableRecord(
        name=name, type=type, kind=kind, row=f"table:{name}", entries=lambda: records
    )


def parameters(values: Mapping[str, str]) -> tuple[ParameterRecord, ...]:
    """Parameters; the row is "parameter:NAME"."""
    return tuple(
        ParameterRecord(name=name, value=value, row=f"parameter:{name}")
        for name, value in values.items()
    )


def restrictions(name: str, *members: str, is_class: bool = False) -> RestrictionListRecord:
    """A list; a member is "[warn_if_reject] name [argument]"."""
    records = []
    for member in members:
        warn = member.startswith("warn_if_reject ")
        words = member.removeprefix("warn_if_reject ").split(" ", 1)
        records.append(
            RestrictionMember(name=words[0], argument=" ".join(words[1:]), warn_if_reject=warn)
        )
    return RestrictionListRecord(
        name=name, is_class=is_class, members=tuple(records), row=f"restrictionlist:{name}"
    )


def service(line: str) -> ServiceRecord:
    """A service as in master.cf; the row is "service:NAME"."""
    found: Service = parse_service(line)
    return ServiceRecord(service=found, row=f"service:{found.name}")


def domain(name: str, kind: str = "virtual_mailbox", row: str = "") -> DomainRecord:
    """A hosted domain; the row is "domain:NAME"."""
    return DomainRecord(name=name, kind=DomainKind(kind), row=row or f"domain:{name}")


def mailbox(
    address: str,
    kind: str = "virtual_mailbox",
    *,
    enabled: bool = True,
    quota: int | None = None,
) -> MailboxRecord:
    """A mailbox; the row is "mailbox:ADDRESS"."""
    local, _, name = address.rpartition("@")
    return MailboxRecord(
        address=Address(local, name),
        domain_kind=DomainKind(kind),
        row=f"mailbox:{address}",
        enabled=enabled,
        quota_bytes=quota,
    )


def rows(
    *,
    tables: Iterable[TableRecord] = (),
    values: Mapping[str, str] | None = None,
    lists: Iterable[RestrictionListRecord] = (),
    services: Iterable[ServiceRecord] = (),
    domains: Iterable[DomainRecord] = (),
    mailboxes: Iterable[MailboxRecord] = (),
    aliased: Iterable[AliasedRecord] = (),
    guard: bool = True,
) -> Rows:
    """All rows; a relay guard comes with them unless `guard` is off."""
    settings = {**(GUARD if guard else {}), **(values or {})}
    domain_records, mailbox_records = list(domains), list(mailboxes)
    aliased_records = list(aliased)
    return Rows(
        parameters=parameters(settings),
        services=tuple(services),
        tables=tuple(tables),
        restriction_lists=tuple(lists),
        domains=lambda: domain_records,
        mailboxes=lambda: mailbox_records,
        aliased=lambda: aliased_records,
    )


class Compiled:
    """The outcome of one compile; it can be asked like an engine would."""

    def __init__(self, root: Path, source: Rows) -> None:
        store = Store(root)
        with store.begin() as build:
            self.content: Content
            self.report: Report
            self.content, self.report = compile_rows(source, build)
            build.finish(store.latest() + 1, 1, self.content)
        self.snapshot = Snapshot.open(root, store.latest())

    def maps(self, parameter: str) -> Maps:
        """The tables that a parameter names."""
        return self.snapshot.maps(self.snapshot.parameters.text(parameter))

    @property
    def errors(self) -> list[tuple[str, str]]:
        """(check, row) of every error."""
        return [(finding.check, finding.row) for finding in self.report.errors]

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """(check, row) of every warning."""
        return [(finding.check, finding.row) for finding in self.report.warnings]

    @property
    def only_error(self) -> Finding:
        """The one error that there is."""
        assert len(self.report.errors) == 1, self.report.errors
        return self.report.errors[0]

    @property
    def only_warning(self) -> Finding:
        """The one warning that there is."""
        assert len(self.report.warnings) == 1, self.report.warnings
        return self.report.warnings[0]
