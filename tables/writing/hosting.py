"""hosting - domains and mailboxes become lookup tables and the parameters that name them.

SUMMARY      compile_hosting(rows, parameters, build, report) -> tables; `parameters` is added to
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
SOURCE       ADDRESS_CLASS_README, postconf(5)
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from tables.addresses import Address, fold
from tables.manifest import TableContent
from tables.parameters import REGISTRY
from tables.writing.indexed import IndexedTable
from tables.writing.report import Report
from tables.writing.rows import DomainKind, MailboxRecord, Rows
from tables.writing.sorting import Sorter
from tables.writing.store import Build

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


def compile_hosting(
    rows: Rows, parameters: dict[str, str], build: Build, report: Report
) -> dict[str, TableContent]:
    """The hosting tables that are not empty; `parameters` comes to name them."""
    contents = {}
    with ExitStack() as stack:
        tables = {name: stack.enter_context(IndexedTable(name, build, report)) for name in TABLES}
        with Sorter(build.scratch) as kinds:
            for domain in rows.domains():
                name = domain.name.lower()
                kinds.add(name, domain.kind.value, domain.row)
                tables[DOMAIN_TABLES[domain.kind]].put(name, domain.kind.value, domain.row)
            _check_kinds(kinds, report)
        for mailbox in rows.mailboxes():
            _put_mailbox(mailbox, tables, report)
        for name, (parameter, kind) in TABLES.items():
            if not tables[name].is_empty:
                contents[name] = TableContent("hash", kind, (tables[name].keep(),))
                _name_table(name, parameter, parameters)
    return contents


def mailbox_path(address: Address) -> str:
    """Where the mailbox lies below virtual_mailbox_base; `address` is folded."""
    local = address.local.replace("%", "%25").replace("/", "%2F")
    if local.startswith("."):
        local = f"%2E{local[1:]}"
    return f"{address.domain}/{local}/Maildir/"


def _check_kinds(kinds: Sorter, report: Report) -> None:
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


def _put_mailbox(
    mailbox: MailboxRecord, tables: Mapping[str, IndexedTable], report: Report
) -> None:
    address = fold(mailbox.address)
    if mailbox.domain_kind not in (DomainKind.LOCAL, DomainKind.VIRTUAL_MAILBOX):
        report.error(
            "mailbox-domain",
            mailbox.row,
            f"{address.text} cannot have a mailbox, because {address.domain} is a domain of the "
            f"kind {mailbox.domain_kind.value}. Change the kind to virtual_mailbox or local, or "
            "remove the mailbox.",
        )
        return
    key, path, row = address.text, mailbox_path(address), mailbox.row
    tables["hosting-mailboxes"].put(key, path, row)
    if mailbox.quota_bytes is not None:
        tables["hosting-mailbox-limits"].put(key, str(mailbox.quota_bytes), row)
    if mailbox.domain_kind is DomainKind.LOCAL:
        tables["hosting-local-recipients"].put(key, path, row)
        tables["hosting-local-mailboxes"].put(address.local, "virtual:", row)
    if not mailbox.enabled:
        tables["hosting-transport"].put(key, DISABLED, row)


def _name_table(table: str, parameter: str, parameters: dict[str, str]) -> None:
    """Make `parameter` name `table` beside what it holds."""
    text = parameters.get(parameter, REGISTRY[parameter].default).strip()
    if parameter == "local_recipient_maps" and parameter in parameters and not text:
        return  # postconf(5): empty turns the check off, and that is what was asked for
    reference = f"hash:{table}"
    words = (reference, text) if parameter == "transport_maps" else (text, reference)
    parameters[parameter] = ", ".join(word for word in words if word)
