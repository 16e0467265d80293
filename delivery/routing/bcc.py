"""bcc - who else gets a copy: always_bcc, sender_bcc_maps, recipient_bcc_maps.

SUMMARY      Copies.always, .of_sender(address), .of_recipient(address): the address of the copy;
             .are_made: anybody ever gets one
RULES        tables are asked with addresses after canonical mapping, before virtual expansion
             the null sender has no copy; the copy's address is treated like any recipient's
ERRORS       TableUnavailable, also for a result that is not one address
SOURCE       postconf(5) always_bcc, sender_bcc_maps, recipient_bcc_maps; Postfix cleanup_addr.c
"""

from __future__ import annotations

from collections.abc import Callable

from delivery.routing.keyring import Keyring
from delivery.routing.settings import RoutingSettings
from tables.addresses import Address
from tables.errors import TableError, TableUnavailable
from tables.reading.lookup import Maps, Trace
from tables.values import parse_rewrite


class Copies:
    """The rules of one snapshot. `always` is None without always_bcc."""

    __slots__ = ("_keyring", "_recipients", "_senders", "always", "are_made")

    def __init__(
        self, settings: RoutingSettings, open_maps: Callable[[str], Maps], keyring: Keyring
    ) -> None:
        self._keyring = keyring
        self._senders = open_maps(settings.sender_bcc_maps)
        self._recipients = open_maps(settings.recipient_bcc_maps)
        self.always = parse_rewrite(settings.always_bcc) if settings.always_bcc.strip() else None
        self.are_made = bool(self.always or self._senders or self._recipients)

    def of_sender(self, address: Address, trace: Trace | None = None) -> Address | None:
        """Who gets a copy of this sender's mail."""
        return self._ask(self._senders, address, trace) if address else None

    def of_recipient(self, address: Address, trace: Trace | None = None) -> Address | None:
        """Who gets a copy of this recipient's mail."""
        return self._ask(self._recipients, address, trace)

    def _ask(self, maps: Maps, address: Address, trace: Trace | None) -> Address | None:
        if not maps:
            return None
        found = maps.find(self._keyring.find(address), trace)
        if found is None:
            return None
        try:
            return parse_rewrite(found.value)
        except TableError as error:
            raise TableUnavailable(f"{found.table}: {found.key}: {error}") from error
