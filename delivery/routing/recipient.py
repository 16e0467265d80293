"""recipient - does this address exist? The tables of its class say; the words for the 550.

SUMMARY      Listing.unlisted(resolution, as_sender) -> Refusal | None
RULES        an address in a canonical or virtual alias table exists, whatever its class
             then an error: or retry: route refuses, a virtual alias domain is one
             local: local_recipient_maps, if any; double-bounce, postmaster, mailer-daemon exist
             virtual mailbox: virtual_mailbox_maps, if any; relay: relay_recipient_maps, if any
ERRORS       TableUnavailable: never "unknown user" for a table that could not be asked
SOURCE       LOCAL_RECIPIENT_README; Postfix smtpd_check(3) check_rcpt_maps
"""

from __future__ import annotations

import re
from collections.abc import Callable

from delivery.routing.keyring import Keyring
from delivery.routing.resolve import Resolution
from delivery.routing.settings import RoutingSettings
from delivery.values import AddressClass
from tables.addresses import Address
from tables.frozen import dataclass
from tables.reading.lookup import Maps, Trace

_STATUS = re.compile(r"([45]\.\d{1,3}\.\d{1,3})(?:\s+|$)")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the address does not exist: reply code, enhanced code, words after "rejected: "."""

    code: int
    enhanced: str
    text: str


def split_status(text: str, default: str) -> tuple[str, str]:
    """("5.1.6", "User has moved") of the text of an error: route."""
    match = _STATUS.match(text)
    return (default, text) if match is None else (match[1], text[match.end() :])


class Listing:
    """The recipient tables of one snapshot."""

    __slots__ = (
        "_always",
        "_by_class",
        "_keyring",
        "_never_refused",
        "_sender_canonical",
        "_settings",
    )

    def __init__(
        self, settings: RoutingSettings, open_maps: Callable[[str], Maps], keyring: Keyring
    ) -> None:
        self._settings = settings
        self._keyring = keyring
        self._sender_canonical = open_maps(settings.sender_canonical_maps)
        self._always = tuple(
            maps
            for maps in (
                open_maps(settings.recipient_canonical_maps),
                open_maps(settings.canonical_maps),
                open_maps(settings.virtual_alias_maps),
            )
            if maps
        )
        self._by_class = {
            AddressClass.LOCAL: (
                open_maps(settings.local_recipient_maps),
                settings.unknown_local_recipient_reject_code,
                " in local recipient table",
            ),
            AddressClass.VIRTUAL_MAILBOX: (
                open_maps(settings.virtual_mailbox_maps),
                settings.unknown_virtual_mailbox_reject_code,
                " in virtual mailbox table",
            ),
            AddressClass.RELAY: (
                open_maps(settings.relay_recipient_maps),
                settings.unknown_relay_recipient_reject_code,
                " in relay recipient table",
            ),
        }
        self._never_refused = (
            settings.double_bounce_sender.casefold(),
            "postmaster",
            "mailer-daemon",
        )

    def unlisted(
        self, resolution: Resolution, *, as_sender: bool = False, trace: Trace | None = None
    ) -> Refusal | None:
        """None when mail for the address would be taken."""
        address = resolution.folded
        keys = self._keyring.find(address)
        tables = (self._sender_canonical, *self._always) if as_sender else self._always
        for maps in tables:
            if maps.find(keys, trace) is not None:
                return None
        if resolution.route.transport in ("error", "retry"):
            return self._refused_by_route(resolution, as_sender)
        listed = self._by_class.get(resolution.address_class)
        if listed is None:
            return None
        maps, code, table = listed
        if not maps or self._is_exempt(resolution, address):
            return None
        if maps.find(keys, trace) is not None:
            return None
        shown = table if self._settings.show_user_unknown_table_name else ""
        return Refusal(code, "5.1.0" if as_sender else "5.1.1", f"User unknown{shown}")

    def _is_exempt(self, resolution: Resolution, address: Address) -> bool:
        """Addresses that the mail system itself needs exist in local domains. RFC 5321 4.5.1."""
        is_local = resolution.address_class is AddressClass.LOCAL
        return is_local and address.local in self._never_refused

    def _refused_by_route(self, resolution: Resolution, as_sender: bool) -> Refusal:
        last = "0" if as_sender else "1"
        if resolution.route.transport == "retry":
            status, text = split_status(resolution.route.nexthop, f"4.1.{last}")
            return Refusal(450, status, text)
        status, text = split_status(resolution.route.nexthop, f"5.1.{last}")
        is_alias = resolution.address_class is AddressClass.VIRTUAL_ALIAS
        code = self._settings.unknown_virtual_alias_reject_code if is_alias else 550
        return Refusal(code, status, text)
