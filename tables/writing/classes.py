"""classes - which address classes a domain is in, by what is about to be published.

SUMMARY      Classes(parameters, content, build).of(domain) -> kinds; .literals; .given
RULES        a domain is in a class when the class's parameter names it, itself or through an
             indexed table; patterns and subdomains are not looked at. Asks the files just built.
SOURCE       ADDRESS_CLASS_README
"""

from __future__ import annotations

from tables import specs
from tables.errors import TableError
from tables.formats.base import Map
from tables.formats.layered import open_layers
from tables.manifest import Content, TableContent
from tables.parameters import Parameters
from tables.writing.hosting import DOMAIN_TABLES
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
        self._tables: dict[DomainKind, list[Map]] = {}
        given: dict[DomainKind, list[str]] = {}
        opened: dict[str, Map] = {}
        for kind, name in PARAMETERS.items():
            try:
                items = parameters.items(name)
            except TableError:
                items = ()  # the check of parameters says so
            self.literals[kind] = frozenset(
                item.casefold() for item in items if not specs.is_reference(item)
            )
            self._tables[kind], given[kind] = [], []
            for item in items:
                name_of, table = _indexed_table(item, content)
                if table is not None:
                    if name_of not in opened:
                        opened[name_of] = open_layers(
                            [build.path(layer.digest) for layer in table.layers]
                        )
                    self._tables[kind].append(opened[name_of])
                    if name_of != DOMAIN_TABLES[kind]:
                        given[kind].append(table.digest)
        self._hosting = [opened[name] for name in DOMAIN_TABLES.values() if name in opened]
        # What the administrator gave beside the hosted domains; equal when that is the same.
        self.given = (self.literals, given)

    def is_hosted(self, domain: str) -> bool:
        """True when there is a row of it."""
        return any(table.get(domain) is not None for table in self._hosting)

    def of(self, domain: str) -> set[DomainKind]:
        """The kinds that `domain` (folded) is in."""
        return {
            kind
            for kind in PARAMETERS
            if domain in self.literals[kind]
            or any(table.get(domain) is not None for table in self._tables[kind])
        }


def _indexed_table(item: str, content: Content) -> tuple[str, TableContent | None]:
    """The hash table that a list item names; None for anything else."""
    if not specs.is_reference(item):
        return "", None
    try:
        name = specs.parse_reference(item).name
    except TableError:
        return "", None
    table = content.tables.get(name)
    if table is None or not specs.TYPES[table.type].indexed:
        return name, None
    return name, table
