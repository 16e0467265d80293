"""offers - what one client is offered, and whom a trusted proxy speaks for.

SUMMARY      of(rules, client, ...) -> Offer: EHLO lines of this client's own, and what stays unsaid
             spoken_for(known, attributes) -> the facts of the session that XCLIENT begins
RULES        XCLIENT and XFORWARD are for the clients of smtpd_authorized_x..._hosts alone
             STARTTLS is for those without TLS; AUTH is taken, but not told, from those of
             smtpd_sasl_exceptions_networks, and while nobody knows which mechanisms there are
             smtpd_discard_ehlo_keyword_address_maps, asked by the client's address, replaces
             smtpd_discard_ehlo_keywords
             after XCLIENT what it does not say stays, but for the HELO, the login and the protocol;
             TLS is that of the connection
ERRORS       none: what cannot be looked up is not offered, with a log line
SOURCE       Postfix XCLIENT_README, XFORWARD_README; postconf(5) smtpd_discard_ehlo_keyword...
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from delivery import log
from delivery.runtime.rules import ServiceRules
from delivery.runtime.throttle import holds
from delivery.smtp import proxies
from delivery.values import Client
from tables.errors import TableUnavailable

UNKNOWN = "unknown"  # a name or an address that nobody knows

_SESSION = ("server_address", "server_port", "tls")
_CLIENT = (("NAME", "name"), ("REVERSE_NAME", "reverse_name"), ("ADDR", "address"))


class Offer(NamedTuple):
    """As ServerProtocol.offer() takes it."""

    lines: tuple[str, ...]
    discarded: tuple[str, ...] | None  # None: those of smtpd_discard_ehlo_keywords
    unsaid: tuple[str, ...]


def of(
    rules: ServiceRules, client: Client, *, is_encrypted: bool, mechanisms: tuple[str, ...]
) -> Offer:
    """`mechanisms`: those by which this client may log in."""
    discarded = _discarded(rules, client)
    lines: list[str] = []
    unsaid: tuple[str, ...] = ()
    if rules.tls.is_offered and not is_encrypted:
        lines.append("STARTTLS")
    if rules.sasl.is_active(is_encrypted=is_encrypted):
        if not holds(rules.sasl.exceptions, client):
            lines += rules.sasl.lines(mechanisms)
        if not _is_discarded("AUTH", rules, discarded):
            unsaid = ("AUTH",)
    if rules.xclient_hosts and holds(rules.xclient_hosts, client):
        lines.append(proxies.XCLIENT)
    if rules.xforward_hosts and holds(rules.xforward_hosts, client):
        lines.append(proxies.XFORWARD)
    return Offer(tuple(lines), discarded, unsaid)


def _is_discarded(keyword: str, rules: ServiceRules, discarded: tuple[str, ...] | None) -> bool:
    words = rules.server.smtpd_discard_ehlo_keywords if discarded is None else discarded
    return keyword in map(str.upper, words)


def _discarded(rules: ServiceRules, client: Client) -> tuple[str, ...] | None:
    if not rules.discarded_keywords:
        return None
    try:
        found = rules.discarded_keywords.find((client.address,))
    except TableUnavailable as error:
        log.event("smtpd", problem=str(error))
        return None
    return None if found is None else tuple(re.split(r"[,\s]+", found.value))


def spoken_for(
    known: Mapping[str, Any], attributes: Mapping[str, str | None], *, temporary: bool
) -> dict[str, Any]:
    """The facts of the new session. `temporary`: a name is unknown only for now."""
    client: Client = known["client"]
    changes: dict[str, Any] = {}
    for attribute, name in _CLIENT:
        if attribute in attributes:
            changes[name] = attributes[attribute] or UNKNOWN
    if "NAME" in attributes or "REVERSE_NAME" in attributes:
        changes["forward_error"] = temporary
    if "PORT" in attributes:
        changes["port"] = int(attributes["PORT"] or 0)
    found: dict[str, Any] = {name: known[name] for name in _SESSION if name in known}
    found["client"] = replace(client, **changes)
    if address := attributes.get("DESTADDR"):
        found["server_address"] = address
    if port := attributes.get("DESTPORT"):
        found["server_port"] = int(port)
    if helo := attributes.get("HELO"):
        found["helo"] = helo
    if protocol := attributes.get("PROTO"):
        found["protocol"] = protocol
    if login := attributes.get("LOGIN"):
        found |= {"login": login, "sasl_method": "XCLIENT"}
    return found
