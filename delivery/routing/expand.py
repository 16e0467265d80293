"""expand - virtual aliases: one recipient becomes the addresses that virtual(5) gives for it.

SUMMARY      Expander.expand(address) -> addresses, in order
RULES        every result is looked up again, until no table knows it
             an address that stands in its own expansion is not expanded a second time
             an unmatched extension goes to every result (propagate_unmatched_extensions)
             "@other.example" as a result keeps the user part
ERRORS       SmtpFailure 451 4.6.0 when a limit is passed: virtual_alias_expansion_limit,
             virtual_alias_recursion_limit, virtual_alias_address_length_limit; TableUnavailable
NOT DONE     duplicates between recipients: router.py
SOURCE       virtual(5), Postfix cleanup(8) cleanup_map1n.c, mail_addr_map(3)
"""

from __future__ import annotations

from collections.abc import Callable

from delivery.errors import SmtpFailure
from delivery.routing.mapping import Mapper
from delivery.routing.settings import RoutingSettings
from tables.addresses import Address
from tables.reading.lookup import Maps, Trace


class Expander:
    """virtual_alias_maps of one snapshot."""

    __slots__ = ("_mapper", "_maps", "_propagate", "_settings")

    def __init__(
        self, settings: RoutingSettings, open_maps: Callable[[str], Maps], mapper: Mapper
    ) -> None:
        self._settings = settings
        self._maps = open_maps(settings.virtual_alias_maps) or None
        self._mapper = mapper
        self._propagate = "virtual" in settings.propagate_unmatched_extensions

    def expand(self, address: Address, trace: Trace | None = None) -> tuple[Address, ...]:
        """The final addresses of one completed recipient; at least one."""
        maps, settings = self._maps, self._settings
        if maps is None:
            return (address,)
        addresses = [address]
        themselves: set[str] = set()  # what has expanded into itself
        place = 0
        while place < len(addresses):
            rounds = 0
            while not themselves or addresses[place].internal.casefold() not in themselves:
                if rounds >= settings.virtual_alias_recursion_limit:
                    raise _too_much(address, "expands too deeply")
                rounds += 1
                results = self._mapper.map(maps, addresses[place], self._propagate, trace)
                if results is None:
                    break
                name = addresses[place].internal.casefold()
                for result in results:
                    text = result.internal
                    if len(text) > settings.virtual_alias_address_length_limit:
                        raise _too_much(address, "expands to an address that is too long")
                    if text.casefold() == name:
                        themselves.add(name)
                addresses[place] = results[0]
                addresses.extend(results[1:])
                if len(addresses) > settings.virtual_alias_expansion_limit:
                    raise _too_much(address, "expands to too many addresses")
            place += 1
        return tuple(addresses)


def _too_much(address: Address, what: str) -> SmtpFailure:
    cause = f"virtual_alias_maps: {address.internal} {what}"
    return SmtpFailure(451, "4.6.0", "Alias expansion error", cause=cause)
