"""aliased - other names of domains: each known address under them leads to the one in the domain.

SUMMARY      compile_aliased(rows, parameters, before, build, report) -> tables; names them
TABLES       hosting-domain-aliases   virtual_alias_maps   user@other.example -> user@example.com
RULES        an address is known by its mailbox, or by an entry of a table that virtual_alias_maps
             names, a "@domain" entry included; what patterns match is not. The other name itself is
             a domain among the others: local when its domain is, else virtual alias, so that an
             address that is not in the table is refused.
             The table is behind what virtual_alias_maps holds: an entry for an address under the
             other name wins. It is left out when it is empty.
             Of edited mailboxes and entries only the addresses are looked at that they have or had;
             when other names, their domains or tables were edited it is made anew.
SOURCE       decision 0007; virtual(5), ADDRESS_CLASS_README
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tables.formats.base import fold_key
from tables.manifest import Content, TableContent
from tables.writing.hosting import name_table
from tables.writing.layers import blocks_of, extend, write_table
from tables.writing.report import Report
from tables.writing.rows import Rows
from tables.writing.sorting import Sorter
from tables.writing.store import Build
from tables.writing.tally import NOTHING

NAME, PARAMETER = "hosting-domain-aliases", "virtual_alias_maps"
_REFERENCE = re.compile(r":([^\s,:{}]+)")


def compile_aliased(
    rows: Rows,
    parameters: dict[str, str],
    before: Content | None,
    build: Build,
    report: Report,
) -> dict[str, TableContent]:
    """The table by its name, or nothing when it would be empty; `before`: the generation before."""
    named = _named(parameters)
    table = _extend(rows, named, before, build) or _compile(rows, named, build, report)
    if not table.count:
        return {}
    name_table(NAME, PARAMETER, parameters)
    return {NAME: table}


def _named(parameters: Mapping[str, str]) -> set[str]:
    """The tables that make addresses known; '' stands for the mailboxes."""
    return {"", *_REFERENCE.findall(parameters.get(PARAMETER, ""))} - {NAME}


def _compile(rows: Rows, named: set[str], build: Build, report: Report) -> TableContent:
    with Sorter(build.scratch) as items:
        for record in rows.aliased():
            if record.table in named:
                items.add(fold_key(record.address), record.target, record.row)
        if items.is_empty:
            return TableContent(type="hash", kind="virtual", count=0, digest=NOTHING, layers=())
        layer, tally = write_table(NAME, blocks_of(items), build, report)
    return TableContent(
        type="hash", kind="virtual", count=tally.count, digest=tally.digest, layers=(layer,)
    )


def _extend(
    rows: Rows, named: set[str], before: Content | None, build: Build
) -> TableContent | None:
    """The table before with the edits over it; None when that cannot be told."""
    known = before.tables.get(NAME) if before else None
    if known is None or before is None or rows.aliased_edits is None:
        return None
    if _named(before.parameters) != named:
        return None
    edits: dict[str, str | None] = dict.fromkeys(map(fold_key, rows.aliased_edits.keys))
    for record in rows.aliased_edits.records():
        key = fold_key(record.address)
        if record.table in named and key in edits:
            edits[key] = record.target
    return extend(known, edits, build)
