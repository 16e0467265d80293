"""server - access by who serves a domain: check_{client,helo,sender,...}_{mx,ns,a}_access.

INPUT        the domain's mail exchangers, name servers (its parent's when it has none) or addresses
RULES        each server's name with its parents is asked, then its addresses with their prefixes
             a literal is its own mail exchanger; a domain without MX is, too; a null MX is skipped
             OK is not allowed: who serves a domain proves nothing good of it
ERRORS       the DNS cannot tell: a warning, and DUNNO
SOURCE       postconf(5) check_sender_mx_access; Postfix smtpd_check(3) check_server_access
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace

from delivery.policy import access, names
from delivery.policy.case import CLIENT, HELO, RECIPIENT, REVERSE_CLIENT, SENDER, Case, Subject
from delivery.policy.client import NAMELESS
from delivery.policy.dns import is_null
from delivery.policy.facts import DnsUnavailable
from delivery.policy.registry import Answer, restriction
from delivery.policy.verdict import DUNNO
from tables import keys
from tables.addresses import Address
from tables.domains import to_ascii
from tables.reading.lookup import Maps
from tables.restrictions import Argument

ADDRESS_LIMIT = 100  # addresses looked at for one check; postconf(5) dns_rr_list_limit of 3.9


async def check_servers(
    case: Case, maps: Maps, domain: str, record: str, subject: Subject, name: str
) -> Answer:
    """Ask `maps` about the servers of `domain`; `record` is mx, ns or a, `name` the restriction."""
    if domain.startswith("["):
        literal = names.in_brackets(domain)
        address = names.literal_address(literal) if literal is not None else None
        if address is None or record == "ns":
            return DUNNO
        answer = access.ask_table(case, maps, keys.access_address(address), subject)
        return access.never_permit(case, answer or DUNNO, name, domain)
    if record == "a":  # asked of the system, to which a final dot is nothing
        domain = domain.removesuffix(".")
    if not domain or domain.endswith("."):  # is not looked up, and so not refused either
        return replace(DUNNO, warning=f"Unable to look up {record} host for {domain}: bad name")
    try:
        servers = await _servers(case, to_ascii(domain), record)
    except DnsUnavailable as error:
        return replace(DUNNO, warning=f"Unable to look up {record} host for {domain}: {error}")
    left = ADDRESS_LIMIT
    for server in servers:
        answer, left = await _check_server(case, maps, server, record, subject, left)
        if answer is not None:
            return access.never_permit(case, answer, name, domain)
    return DUNNO


async def _servers(case: Case, domain: str, record: str) -> tuple[str, ...]:
    resolver = case.ask.resolver
    if record == "a":
        return (domain,)
    if record == "mx":
        exchangers = await resolver.mx(domain)
        if is_null(exchangers):
            return ()
        return tuple(mx.host for mx in exchangers) or (domain,)
    while True:
        if servers := await resolver.ns(domain):
            return servers
        domain = domain.partition(".")[2]
        if not domain:
            return ()


async def _check_server(
    case: Case, maps: Maps, server: str, record: str, subject: Subject, left: int
) -> tuple[Answer | None, int]:
    """(answer or None, how many more addresses may be looked at)."""
    if names.is_host_address(server):
        return access.ask_table(case, maps, keys.access_address(server), subject), left
    if record != "a":
        asked = keys.access_domain(server, parent=case.partners.access_parent)
        answer = access.ask_table(case, maps, asked, subject)
        if answer is not None:
            return answer, left
    try:
        addresses = await case.ask.resolver.addresses(server)
    except DnsUnavailable:
        return None, left  # the other servers may still say something
    for address in addresses[:left]:
        answer = access.ask_table(case, maps, keys.access_address(address), subject)
        if answer is not None:
            return answer, left
    return None, max(left - len(addresses), 0)


Target = Callable[[Case], tuple[str, Subject] | None]
Check = Callable[[Case, Maps], Coroutine[None, None, Answer]]


def _client(case: Case) -> tuple[str, Subject] | None:
    name = case.facts.client.name
    return None if name.lower() == NAMELESS else (name, Subject(case.facts.client_text, CLIENT))


def _reverse_client(case: Case) -> tuple[str, Subject] | None:
    name = case.facts.client.reverse_name
    return None if name.lower() == NAMELESS else (name, Subject(name, REVERSE_CLIENT))


def _helo(case: Case) -> tuple[str, Subject] | None:
    helo = case.facts.helo
    return None if helo is None else (helo, Subject(helo, HELO))


def _of(address: Address | None, kind: str) -> tuple[str, Subject] | None:
    if not address:
        return None
    return address.domain or address.local, Subject(address.internal, kind)


def _sender(case: Case) -> tuple[str, Subject] | None:
    return _of(case.facts.sender, SENDER)


def _recipient(case: Case) -> tuple[str, Subject] | None:
    return _of(case.facts.recipient, RECIPIENT)


def _check(name: str, target: Target, record: str) -> Check:
    async def check(case: Case, maps: Maps) -> Answer:
        aimed = target(case)
        if aimed is None:
            return DUNNO
        domain, subject = aimed
        return await check_servers(case, maps, domain, record, subject, name)

    return check


_TARGETS: dict[str, Target] = {
    "client": _client,
    "reverse_client_hostname": _reverse_client,
    "helo": _helo,
    "sender": _sender,
    "recipient": _recipient,
}
for _word, _target in _TARGETS.items():
    for _record in ("mx", "ns", "a"):
        _name = f"check_{_word}_{_record}_access"
        restriction(_name, Argument.TABLE)(_check(_name, _target, _record))
