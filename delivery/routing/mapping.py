"""mapping - one look-up that rewrites an address: canonical, virtual, generic tables.

SUMMARY      Mapper.map(maps, address, propagate) -> addresses | None
RULES        keys: user+ext@dom, user@dom, [local domain: user+ext, user], @dom
             a result "@other" keeps the user part, without an extension that did not match
             results are completed (@myorigin, .mydomain) like any address
             an extension that did not match is added to each result when `propagate` is set
             what a short value says is kept, up to a bound: many addresses lead to one
ERRORS       TableUnavailable, also for a result that holds no address
SOURCE       Postfix mail_addr_map(3), mail_addr_crunch(3); canonical(5), virtual(5), generic(5)
"""

from __future__ import annotations

from functools import partial

from delivery.routing.keyring import Keyring
from delivery.routing.rewrite import Rewriter
from tables.addresses import Address
from tables.errors import TableError, TableUnavailable
from tables.reading.lookup import Maps, Trace
from tables.remembered import Remembered
from tables.values import parse_recipients

KEPT_VALUES = 1000  # values that are remembered,
_LONG_VALUE = 200  # unless they are longer than this


class Mapper:
    """The rules of one snapshot."""

    __slots__ = ("_keyring", "_known", "_read")

    def __init__(self, rewriter: Rewriter, keyring: Keyring) -> None:
        self._keyring = keyring
        self._read = partial(_read, rewriter)
        self._known = Remembered(self._read, KEPT_VALUES)

    def map(
        self, maps: Maps, address: Address, propagate: bool, trace: Trace | None = None
    ) -> tuple[Address, ...] | None:
        """The addresses that stand for `address`; None when no table knows it."""
        asked = self._keyring.find(address)
        found = maps.find(asked, trace)
        if found is None:
            return None
        key, value, table = found
        extension = "" if key == asked[0].text else self._keyring.unmatched(asked, key)
        try:
            results = self._known[value] if len(value) <= _LONG_VALUE else self._read(value)
        except TableError as error:
            raise TableUnavailable(f"{table}: {key}: {error}") from error
        if not results[0].local:  # virtual(5): "@other.example" keeps the user part
            local = address.local[: len(address.local) - len(extension)]
            results = (Address(local, results[0].domain), *results[1:])
        if not (propagate and extension):
            return results
        return tuple(Address(result.local + extension, result.domain) for result in results)


def _read(rewriter: Rewriter, value: str) -> tuple[Address, ...]:
    """The addresses of a value, completed; the first one may be without a user part."""
    return tuple(map(rewriter.complete, parse_recipients(value)))
