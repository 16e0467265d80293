"""keyring - the keys that tables are asked with, with this machine's delimiter and domains put in.

SUMMARY      find, access, transport: address -> keys in order; unmatched: what a key left out
RULES        the order is that of tables.keys; a domain is local for keys when it is $myorigin
             or in $mydestination
             one address is asked for in several tables, and again when its message is queued: its
             keys are kept, up to a bound
ERRORS       TableUnavailable, when mydestination names a table that cannot be asked
SOURCE       Postfix mail_addr_find(3), transport.c; access(5)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from delivery.routing.classify import Classes
from delivery.routing.settings import RoutingSettings
from tables import keys
from tables.addresses import Address
from tables.keys import Key
from tables.remembered import Remembered

KEPT_DOMAINS = 1000  # domains for which it is remembered whether they are local
KEPT_ADDRESSES = 1000  # addresses whose keys are remembered


class Keyring:
    """The key rules of one snapshot."""

    __slots__ = (
        "_access_parent",
        "_delimiter",
        "_found",
        "_transport_parent",
    )

    def __init__(self, settings: RoutingSettings, classes: Classes) -> None:
        self._delimiter = settings.recipient_delimiter
        parents = settings.parent_domain_matches_subdomains
        self._access_parent = "smtpd_access_maps" in parents
        self._transport_parent = "transport_maps" in parents
        origin = settings.myorigin.casefold()
        local: Remembered[str, bool] = Remembered(
            lambda domain: domain.casefold() == origin or classes.is_local(domain), KEPT_DOMAINS
        )
        self._found = Remembered(partial(_keys_of, self._delimiter, local), KEPT_ADDRESSES)

    def find(self, address: Address) -> tuple[Key, ...]:
        """Keys of canonical, virtual, recipient and other tables of addresses."""
        return self._found[address.local, address.domain]

    def access(self, address: Address) -> tuple[Key, ...]:
        """Keys of an access table."""
        return keys.access_mail(address, delimiter=self._delimiter, parent=self._access_parent)

    def transport(self, address: Address) -> tuple[Key, ...]:
        """Keys of a transport table, "*" included."""
        parent = self._transport_parent
        return keys.transport_keys(address, delimiter=self._delimiter, parent=parent)

    def unmatched(self, asked: tuple[Key, ...], found: str) -> str:
        """The extension, with its delimiter, that the key `found` does not hold; '' for none."""
        return next((key.extension for key in asked if key.text == found), "")


def _keys_of(
    delimiter: str, local: Mapping[str, bool], address: tuple[str, str]
) -> tuple[Key, ...]:
    is_local = local[address[1]]
    return keys.address_keys(Address(*address), delimiter=delimiter, is_local=is_local)
