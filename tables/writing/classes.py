"""classes - which address classes a domain is in, by what is about to be published.

SUMMARY      Classes(parameters, content, build).of(domain) -> kinds
RULES        a domain is in a class when the class's parameter names it, itself or through an
             indexed table; patterns and subdomains are not looked at. Asks the files just built.
SOURCE       ADDRESS_CLASS_README
"""

from __future__ import annotations

from tables import specs
from tables.errors import TableError
from tables.formats.cdb import CdbMap
from tables.manifest import Content
from tables.parameters import Parameters
from tables.writing.rows import DomainKind
from tables.writing.store import Build

PARAMETERS = {
    DomainKind.LOCAL: "mydestination",
    DomainKind.VIRTUAL_ALIAS: "virtual_alias_domains",
    DomainKind.VIRTUAL_MAILBOX: "virtual_mailbox_domains",
    DomainKind.RELAY: "relay_domains",
}


class Classes:
    """The four lists of domains."""

    def __init__(self, parameters: Parameters, content: Content, build: Build) -> None:
        self.literals: dict[DomainKind, frozenset[str]] = {}
        self._tables: dict[DomainKind, list[CdbMap]] = {}
        opened: dict[str, CdbMap] = {}
        for kind, name in PARAMETERS.items():
            try:
                items = parameters.items(name)
            except TableError:
                items = ()  # the check of parameters says so
            self.literals[kind] = frozenset(
                item.casefold() for item in items if not specs.is_reference(item)
            )
            self._tables[kind] = []
            for item in items:
                digest = _indexed_table(item, content)
                if digest:
                    if digest not in opened:
                        opened[digest] = CdbMap(build.path(digest))
                    self._tables[kind].append(opened[digest])

    def of(self, domain: str) -> set[DomainKind]:
        """The kinds that `domain` (folded) is in."""
        return {
            kind
            for kind in PARAMETERS
            if domain in self.literals[kind]
            or any(table.get(domain) is not None for table in self._tables[kind])
        }


def _indexed_table(item: str, content: Content) -> str:
    """The digest of the hash file that a list item names; '' for anything else."""
    if not specs.is_reference(item):
        return ""
    try:
        table = content.tables.get(specs.parse_reference(item).name)
    except TableError:
        return ""
    if table is None or not specs.TYPES[table.type].indexed:
        return ""
    return table.layers[0].digest
