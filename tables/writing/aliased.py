"""aliased - other names of domains: each known address under them leads to the one in the domain.

SUMMARY      compile_aliased(rows, parameters, build, report) -> tables; adds to `parameters`
TABLES       hosting-domain-aliases   virtual_alias_maps   user@other.example -> user@example.com
RULES        an address is known by its mailbox, or by an entry of a table that virtual_alias_maps
             names, a "@domain" entry included; what patterns match is not. The other name itself is
             a domain among the others: local when its domain is, else virtual alias, so that an
             address that is not in the table is refused.
             The table is behind what virtual_alias_maps holds: an entry for an address under the
             other name wins. It is made anew by each compile, and left out when it is empty.
SOURCE       virtual(5), ADDRESS_CLASS_README
"""

from __future__ import annotations

import re

from tables.formats.base import fold_key
from tables.manifest import TableContent
from tables.writing.hosting import name_table
from tables.writing.layers import blocks_of, write_table
from tables.writing.report import Report
from tables.writing.rows import Rows
from tables.writing.sorting import Sorter
from tables.writing.store import Build

NAME, PARAMETER = "hosting-domain-aliases", "virtual_alias_maps"
_NAMED = re.compile(r":([^\s,:{}]+)")


def compile_aliased(
    rows: Rows, parameters: dict[str, str], build: Build, report: Report
) -> dict[str, TableContent]:
    """The table by its name, or nothing."""
    named = {"", *_NAMED.findall(parameters.get(PARAMETER, ""))}
    with Sorter(build.scratch) as items:
        count = 0
        for record in rows.aliased():
            if record.table in named:
                items.add(fold_key(record.address), record.target, record.row)
                count += 1
        if not count:
            return {}
        layer, tally = write_table(NAME, blocks_of(items), build, report)
    name_table(NAME, PARAMETER, parameters)
    content = TableContent(
        type="hash", kind="virtual", count=tally.count, digest=tally.digest, layers=(layer,)
    )
    return {NAME: content}
