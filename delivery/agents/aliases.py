"""aliases - a local name becomes the addresses that stand for it in the alias tables.

SUMMARY      expand(local, domain, aliases, is_local) -> Expansion | None (there is no such alias)
RULES        local names found in the tables are expanded at once, to any depth up to DEPTH_LIMIT;
             a name that refers to itself ends there: it means the user of that name
             a circle over several names is an error; every address comes out once
             names are looked up in lower case: user+ext first, then user
LIMITS       DEPTH_LIMIT names deep, ADDRESS_LIMIT addresses
ERRORS       AliasLoop, AliasProblem (an entry that cannot be used); TableUnavailable
NOT DONE     commands, files and includes: they are returned as `others`
SOURCE       aliases(5), local(8); Postfix alias.c, token.c
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from tables.addresses import Address
from tables.errors import EntryError
from tables.keys import Key, alias_keys
from tables.values import Destination, DestinationKind, parse_alias_destinations

DEPTH_LIMIT = 100  # Postfix alias.c
ADDRESS_LIMIT = 10_000


class Found(Protocol):
    """An answer of a table."""

    @property
    def value(self) -> str: ...


class Maps(Protocol):
    """An ordered list of tables (tables.reading.lookup.Maps)."""

    def find(self, keys: Iterable[Key]) -> Found | None: ...


class AliasLoop(Exception):
    """The aliases lead back to `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(f"alias database loop for {name}")


class AliasProblem(Exception):
    """An entry, or all of them together, cannot be used."""


@dataclass(slots=True)
class Expansion:
    """What an alias stands for."""

    addresses: dict[Address, None] = field(default_factory=dict)  # to be handed on, in order
    to_self: bool = False  # the user of the name that was expanded gets a copy
    others: list[Destination] = field(default_factory=list)  # commands, files, includes


class Expander:
    """Expands names of one snapshot."""

    def __init__(
        self, aliases: Maps, is_local: Callable[[str], bool], *, delimiter: str = ""
    ) -> None:
        """`aliases`: alias_maps; `is_local(domain)`: mydestination and this machine's addresses."""
        self._aliases = aliases
        self._is_local = is_local
        self._delimiter = delimiter

    def expand(self, address: Address) -> Expansion | None:
        """The expansion of a local address; None when its name is no alias."""
        found = self._find(address.local)
        if found is None:
            return None
        expansion = Expansion()
        self._expand(address, found, expansion, [address.local.lower()])
        return expansion

    def _expand(
        self, address: Address, destinations: Iterable[Destination], out: Expansion, path: list[str]
    ) -> None:
        """Add what `destinations`, the value of the last name of `path`, stand for."""
        for destination in destinations:
            target = destination.address
            if target is None:
                out.others.append(destination)
            elif not self._is_ours(target):
                self._add(target, out)
            else:
                self._expand_local(address, target, out, path)

    def _expand_local(
        self, address: Address, target: Address, out: Expansion, path: list[str]
    ) -> None:
        name = target.local.lower()
        if name == path[-1]:  # aliases(5): a self-reference ends the expansion
            if len(path) == 1:
                out.to_self = True
            else:
                self._add(_complete(target, address.domain), out)
            return
        if name in path or len(path) >= DEPTH_LIMIT:
            raise AliasLoop(name)
        found = self._find(name)
        if found is None:
            self._add(_complete(target, address.domain), out)
        else:
            self._expand(address, found, out, [*path, name])

    def _find(self, local: str) -> tuple[Destination, ...] | None:
        found = self._aliases.find(alias_keys(local.lower(), delimiter=self._delimiter))
        if found is None:
            return None
        try:
            return parse_alias_destinations(found.value)
        except EntryError as error:
            raise AliasProblem(f"alias {local}: {error}") from error

    def _add(self, address: Address, out: Expansion) -> None:
        out.addresses[address] = None
        if len(out.addresses) > ADDRESS_LIMIT:
            raise AliasProblem(f"more than {ADDRESS_LIMIT} addresses")

    def _is_ours(self, address: Address) -> bool:
        return not address.domain or self._is_local(address.domain)


def _complete(address: Address, domain: str) -> Address:
    return address if address.domain else Address(address.local, domain)


RESTRICTED = {
    DestinationKind.COMMAND: ("5.7.1", "mail to command is restricted"),
    DestinationKind.FILE: ("5.7.1", "mail to file is restricted"),
    DestinationKind.INCLUDE: ("5.3.5", "mail to include file is restricted"),
}
