"""local_tables - what local(8) asks: its tables, the routing room, and who owns an alias.

SUMMARY      LocalTables: those tables, opened; Routing: the rest of what is asked
             AliasOwners.owner_of(address), .of_name(name) -> Address, or None
RULES        the owner of the alias NAME is the alias owner-NAME
ERRORS       TableUnavailable
SOURCE       postconf(5) owner_request_special, expand_owner_alias
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tables.addresses import Address, split_extension
from tables.keys import Key, alias_keys


class Found(Protocol):
    """An answer of a table."""

    @property
    def value(self) -> str: ...

    @property
    def table(self) -> str: ...


class Maps(Protocol):
    """An ordered list of tables (tables.reading.lookup.Maps)."""

    def find(self, keys: Iterable[Key]) -> Found | None: ...


class Routing(Protocol):
    """How addresses are completed, and who delivers to them."""

    def complete(self, address: Address) -> Address:
        """The address with a domain, as any new one would get it."""

    def route(self, address: Address, sender: Address) -> tuple[Address, str]:
        """(address, transport); the transport '' means that it is no address.

        Raises TableUnavailable.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTables:
    """The tables of local(8), opened."""

    alias_maps: Maps
    mailbox_transport_maps: Maps
    mailbox_command_maps: Maps | None = None
    fallback_transport_maps: Maps | None = None


@dataclass(frozen=True, slots=True)
class AliasOwners:
    """Finds owner-NAME aliases. postconf(5) owner_request_special, expand_owner_alias."""

    aliases: Maps
    routing: Routing
    delimiter: str
    is_special: bool
    expands: bool

    def owner_of(self, address: Address) -> Address | None:
        """The owner of an address: with its extension, then without. Raises TableUnavailable."""
        user, extension = split_extension(address.local, self.delimiter)
        owner = self.of_name(address.local)
        return self.of_name(user) if owner is None and extension is not None else owner

    def of_name(self, name: str) -> Address | None:
        """The owner of an alias. Raises TableUnavailable."""
        if not self.is_special:
            return None
        found = self.aliases.find(alias_keys(f"owner-{name}".lower()))
        if found is None:
            return None
        text = found.value.strip() if self.expands else f"owner-{name}"
        local, at, domain = text.rpartition("@")  # all of it is one address, as in Postfix
        return self.routing.complete(Address(local, domain) if at else Address(text))
