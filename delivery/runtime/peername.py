"""peername - the names of a client, as far as the DNS vouches for them.

SUMMARY      await look_up(client, resolver) -> the client with name and reverse_name
RULES        a name counts when it leads back to the address; it must be a host name and no number:
             whoever owns the address chooses what the DNS says
ERRORS       none: what could not be found out is "unknown", with forward_error
SOURCE       postconf(5) smtpd_peername_lookup; Postfix smtpd_peer.c, sane_getnameinfo
"""

from __future__ import annotations

from dataclasses import replace

from delivery.policy.facts import DnsUnavailable, Resolver
from delivery.values import Client
from tables.domains import is_plain_host


async def look_up(client: Client, resolver: Resolver) -> Client:
    """The client with its names."""
    try:
        names = await resolver.ptr(client.address)
    except DnsUnavailable:
        return replace(client, forward_error=True)
    if not names or not is_plain_host(names[0]):
        return client
    known = replace(client, reverse_name=names[0])
    try:
        addresses = await resolver.addresses(names[0])
    except DnsUnavailable:
        return replace(known, forward_error=True)
    if client.address in addresses:
        return replace(known, name=names[0])
    return known
