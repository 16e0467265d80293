"""hosting - domains and mailboxes become lookup tables and the parameters that name them.

SUMMARY      compile_hosting(rows, parameters, known, build) -> tables, notes; adds to `parameters`
TABLES       hosting-local-domains            mydestination               domain -> its kind
             hosting-virtual-alias-domains    virtual_alias_domains       domain -> its kind
             hosting-virtual-mailbox-domains  virtual_mailbox_domains     domain -> its kind
             hosting-relay-domains            relay_domains               domain -> its kind
             hosting-mailboxes                virtual_mailbox_maps        address -> path
             hosting-mailbox-limits           virtual_mailbox_limit_maps  address -> bytes
             hosting-local-recipients         local_recipient_maps        address -> path
             hosting-local-mailboxes          mailbox_transport_maps      local part -> virtual:
             hosting-transport                transport_maps              address -> error:5.2.1 ...
RULES        an empty table is left out. A table is put behind what the parameter holds already,
             by a row or by default; hosting-transport in front, because it refuses. An
             administrator's empty local_recipient_maps means that all recipients are accepted, and
             stays empty.
             A path is "domain/user/Maildir/" with the folded local part, in which "/", "%" and a
             leading dot are written as %XX: no address leads out of the directory of its domain,
             and no two share one.
             Of edited domains and mailboxes only the keys are looked at that they have or had, in
             all tables (layers.py). A local part stands for all local domains that have it.
SOURCE       ADDRESS_CLASS_README, postconf(5)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack

from tables.addresses import Address, fold
from tables.formats.base import fold_key
from tables.manifest import TableContent
from tables.parameters import REGISTRY
from tables.writing.layers import Item, blocks_of, extend, write_table
from tables.writing.notes import TableNotes
from tables.writing.report import Report
from tables.writing.rows import DomainKind, DomainRecord, MailboxRecord, Rows
from tables.writing.sorting import Sorter
from tables.writing.store import Build
from tables.writing.tally import NOTHING

PREFIX = "hosting-"  # names that rows of Table cannot have
DISABLED = "error:5.2.1 Mailbox disabled"  # RFC 3463 3.3: disabled, not accepting messages

DOMAIN_TABLES = {
    DomainKind.LOCAL: "hosting-local-domains",
    DomainKind.VIRTUAL_ALIAS: "hosting-virtual-alias-domains",
    DomainKind.VIRTUAL_MAILBOX: "hosting-virtual-mailbox-domains",
    DomainKind.RELAY: "hosting-relay-domains",
}

# table -> (the parameter that names it, the kind of the table)
TABLES = {
    "hosting-local-domains": ("mydestination", "domains"),
    "hosting-virtual-alias-domains": ("virtual_alias_domains", "domains"),
    "hosting-virtual-mailbox-domains": ("virtual_mailbox_domains", "domains"),
    "hosting-relay-domains": ("relay_domains", "domains"),
    "hosting-mailboxes": ("virtual_mailbox_maps", "recipients"),
    "hosting-mailbox-limits": ("virtual_mailbox_limit_maps", "recipients"),
    "hosting-local-recipients": ("local_recipient_maps", "recipients"),
    "hosting-local-mailboxes": ("mailbox_transport_maps", "transport"),
    "hosting-transport": ("transport_maps", "transport"),
}
MAILBOX_TABLES = tuple(name for name in TABLES if name not in DOMAIN_TABLES.values())


def compile_hosting(
    rows: Rows,
    parameters: dict[str, str],
    known: Mapping[str, TableContent] | None,
    build: Build,
) -> tuple[dict[str, TableContent], TableNotes]:
    """The hosting tables that are not empty; `parameters` comes to name them.

    `known` are those of the generation before; None when nothing is known.
    """
    notes = TableNotes()
    tables = None if known is None else _extend(rows, known, build, notes)
    if tables is None:
        notes = TableNotes()
        tables = _compile(rows, build, notes)
    contents = {name: tables[name] for name in TABLES if name in tables and tables[name].count}
    for name in contents:
        name_table(name, TABLES[name][0], parameters)
    return contents, notes


def _compile(rows: Rows, build: Build, notes: TableNotes) -> dict[str, TableContent]:
    """All tables out of all rows."""
    with ExitStack() as stack:
        sorters = {name: stack.enter_context(Sorter(build.scratch)) for name in TABLES}
        with Sorter(build.scratch) as kinds:
            for domain in rows.domains():
                table, name, value = _domain_entry(domain)
                kinds.add(name, value, domain.row)
                sorters[table].add(name, value, domain.row)
            _check_kinds(kinds, notes.findings)
        for mailbox in rows.mailboxes():
            for table, key, value in _mailbox_entries(mailbox, notes):
                sorters[table].add(key, value, mailbox.row)
        return {name: _write(name, sorter, build, notes) for name, sorter in sorters.items()}


def _empty(name: str) -> TableContent:
    """The table without entries, of which no file is made: it is left out."""
    return TableContent(type="hash", kind=TABLES[name][1], count=0, digest=NOTHING, layers=())


def _write(name: str, items: Sorter, build: Build, notes: TableNotes) -> TableContent:
    if items.is_empty:
        return _empty(name)
    layer, tally = write_table(name, blocks_of(items), build, notes.findings)
    return TableContent(
        type="hash",
        kind=TABLES[name][1],
        count=tally.count,
        digest=tally.digest,
        layers=(layer,),
    )


def _extend(
    rows: Rows, known: Mapping[str, TableContent], build: Build, notes: TableNotes
) -> dict[str, TableContent] | None:
    """The tables before with the edits over them; None when that cannot be told."""
    if rows.domain_edits is None or rows.mailbox_edits is None:
        return None
    edits: dict[str, dict[str, str | None]] = {name: {} for name in TABLES}
    for name in rows.domain_edits.keys:
        for table in DOMAIN_TABLES.values():
            edits[table][name.lower()] = None
    for text in rows.mailbox_edits.keys:
        local, _, domain_name = text.rpartition("@")
        address = Address(local, domain_name)
        if fold(address) != address:
            return None
        for table in MAILBOX_TABLES:
            edits[table][_mailbox_key(table, address)] = None
    for domain in rows.domain_edits.records():
        table, key, value = _domain_entry(domain)
        if key in edits[table]:
            edits[table][key] = value
    for mailbox in rows.mailbox_edits.records():
        for table, key, value in _mailbox_entries(mailbox, notes):
            if key in edits[table]:
                edits[table][key] = value
    if notes.irregular:
        return None
    return {name: _extend_one(name, known.get(name), edits[name], build) for name in TABLES}


def _extend_one(
    name: str, table: TableContent | None, edits: Mapping[str, str | None], build: Build
) -> TableContent:
    """A table that was empty before was left out."""
    return extend(table or _empty(name), edits, build)


def mailbox_path(address: Address) -> str:
    """Where the mailbox lies below virtual_mailbox_base; `address` is folded."""
    local = address.local.replace("%", "%25").replace("/", "%2F")
    if local.startswith("."):
        local = f"%2E{local[1:]}"
    return f"{address.domain}/{local}/Maildir/"


def _check_kinds(kinds: Iterable[Item], report: Report) -> None:
    """A domain has one class: ADDRESS_CLASS_README."""
    last_name = last_kind = last_row = ""
    for name, kind, row in kinds:
        if name == last_name and kind != last_kind:
            report.error(
                "domain-class",
                row,
                f"Domain {name} is hosted twice, as {last_kind} ({last_row}) and as {kind}. "
                "A domain has one kind only: remove one of the two.",
            )
        last_name, last_kind, last_row = name, kind, row


def _domain_entry(domain: DomainRecord) -> tuple[str, str, str]:
    """(table, key, value)."""
    return DOMAIN_TABLES[domain.kind], domain.name.lower(), domain.kind.value


def _mailbox_key(table: str, address: Address) -> str:
    """The key of a mailbox in one of its tables; `address` is folded."""
    return fold_key(address.local if table == "hosting-local-mailboxes" else address.text)


def _mailbox_entries(mailbox: MailboxRecord, notes: TableNotes) -> Iterator[tuple[str, str, str]]:
    """(table, key, value) of all entries of a mailbox."""
    address = fold(mailbox.address)
    if address != mailbox.address:
        notes.irregular = True  # written by hand: two rows may have one key
    if mailbox.domain_kind not in (DomainKind.LOCAL, DomainKind.VIRTUAL_MAILBOX):
        notes.findings.error(
            "mailbox-domain",
            mailbox.row,
            f"{address.text} cannot have a mailbox, because {address.domain} is a domain of the "
            f"kind {mailbox.domain_kind.value}. Change the kind to virtual_mailbox or local, or "
            "remove the mailbox.",
        )
        return
    values = {"hosting-mailboxes": mailbox_path(address)}
    if mailbox.quota_bytes is not None:
        values["hosting-mailbox-limits"] = str(mailbox.quota_bytes)
    if mailbox.domain_kind is DomainKind.LOCAL:
        values["hosting-local-recipients"] = mailbox_path(address)
        values["hosting-local-mailboxes"] = "virtual:"
    if not mailbox.enabled:
        values["hosting-transport"] = DISABLED
    for table, value in values.items():
        yield table, _mailbox_key(table, address), value


def name_table(table: str, parameter: str, parameters: dict[str, str]) -> None:
    """Make `parameter` name `table` beside what it holds."""
    text = parameters.get(parameter, REGISTRY[parameter].default).strip()
    if parameter == "local_recipient_maps" and parameter in parameters and not text:
        return  # postconf(5): empty turns the check off, and that is what was asked for
    reference = f"hash:{table}"
    words = (reference, text) if parameter == "transport_maps" else (text, reference)
    parameters[parameter] = ", ".join(word for word in words if word)
