"""dns - what the DNS says of a domain, in the terms of restrictions.

SUMMARY      mail_host: does a domain take mail; host: does a name exist for HELO
RULES        three outcomes: yes, no (with a null MX told apart), DnsUnavailable
SOURCE       Postfix dns_lookup_l(3) as smtpd_check(3) calls it; RFC 5321 5.1, RFC 7505
"""

from __future__ import annotations

from enum import Enum

from delivery.policy.facts import DnsUnavailable, Mx, Resolver
from tables.domains import to_ascii


class Existence(Enum):
    """What is known of a name."""

    YES = "yes"
    NULL_MX = "null mx"
    NO = "no"


def is_null(exchangers: tuple[Mx, ...]) -> bool:
    """True for the one record "0 ." that says: no mail here (RFC 7505 3)."""
    return len(exchangers) == 1 and exchangers[0].host in ("", ".")


async def mail_host(resolver: Resolver, domain: str) -> Existence:
    """MX, then A, then AAAA; a null MX ends the search. Raises DnsUnavailable."""
    name = to_ascii(domain)
    failure: DnsUnavailable | None = None
    try:
        exchangers = await resolver.mx(name)
    except DnsUnavailable as error:
        failure, exchangers = error, ()
    if is_null(exchangers):
        return Existence.NULL_MX
    if exchangers:
        return Existence.YES
    return await _any_address(resolver, name, failure)


async def host(resolver: Resolver, name: str) -> Existence:
    """A, then AAAA, then MX (a null MX will do for a HELO name)."""
    if name.endswith("."):  # no valid hostname in Postfix, and not looked up
        return Existence.NO
    failure: DnsUnavailable | None = None
    try:
        if await _any_address(resolver, name, None) is Existence.YES:
            return Existence.YES
    except DnsUnavailable as error:
        failure = error
    try:
        exchangers = await resolver.mx(name)
    except DnsUnavailable as error:
        failure, exchangers = error, ()
    if exchangers:
        return Existence.YES
    if failure is not None:
        raise failure
    return Existence.NO


async def _any_address(resolver: Resolver, name: str, failure: DnsUnavailable | None) -> Existence:
    for ask in (resolver.a, resolver.aaaa):
        try:
            if await ask(name):
                return Existence.YES
        except DnsUnavailable as error:
            failure = error
    if failure is not None:
        raise failure
    return Existence.NO
