"""mapping - one look-up that rewrites an address: canonical, virtual, generic tables.

SUMMARY      Mapper.map(maps, address, propagate) -> addresses | None
RULES        keys: user+ext@dom, user@dom, [local domain: user+ext, user], @dom
             a result "@other" keeps the user part, without an extension that did not match
             results are completed (@myorigin, .mydomain) like any address
             an extension that did not match is added to each result when `propagate` is set
ERRORS       TableUnavailable, also for a result that holds no address
SOURCE       Postfix mail_addr_map(3), mail_addr_crunch(3); canonical(5), virtual(5), generic(5)
"""

from __future__ import annotations

from delivery.routing.keyring import Keyring
from delivery.routing.rewrite import Rewriter
from tables.addresses import Address
from tables.errors import TableError, TableUnavailable
from tables.reading.lookup import Maps, Trace
from tables.values import parse_recipients


class Mapper:
    """The rules of one snapshot."""

    __slots__ = ("_keyring", "_rewriter")

    def __init__(self, rewriter: Rewriter, keyring: Keyring) -> None:
        self._rewriter = rewriter
        self._keyring = keyring

    def map(
        self, maps: Maps, address: Address, propagate: bool, trace: Trace | None = None
    ) -> tuple[Address, ...] | None:
        """The addresses that stand for `address`; None when no table knows it."""
        asked = self._keyring.find(address)
        found = maps.find(asked, trace)
        if found is None:
            return None
        extension = "" if found.key == asked[0].text else self._keyring.unmatched(asked, found.key)
        try:
            results = parse_recipients(found.value)
        except TableError as error:
            raise TableUnavailable(f"{found.table}: {found.key}: {error}") from error
        if not results[0].local:  # virtual(5): "@other.example" keeps the user part
            local = address.local[: len(address.local) - len(extension)]
            results = (Address(local, results[0].domain), *results[1:])
        completed = tuple(map(self._rewriter.complete, results))
        if not (propagate and extension):
            return completed
        return tuple(Address(result.local + extension, result.domain) for result in completed)
