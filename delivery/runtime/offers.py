"""offers - what one client is offered, and whom a trusted proxy speaks for.

SUMMARY      of(rules, client) -> EHLO lines of this client's own, keywords it is not told (or None)
             spoken_for(known, attributes) -> the facts of the session that XCLIENT begins
RULES        XCLIENT and XFORWARD are for the clients of smtpd_authorized_x..._hosts alone
             smtpd_discard_ehlo_keyword_address_maps, asked by the client's address, replaces
             smtpd_discard_ehlo_keywords
             after XCLIENT what it does not say stays, but for the HELO, the login and the protocol
ERRORS       none: what cannot be looked up is not offered, with a log line
SOURCE       Postfix XCLIENT_README, XFORWARD_README; postconf(5) smtpd_discard_ehlo_keyword...
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from delivery import log
from delivery.runtime.rules import ServiceRules
from delivery.runtime.throttle import holds
from delivery.smtp import proxies
from delivery.values import Client
from tables.errors import TableUnavailable

UNKNOWN = "unknown"  # a name or an address that nobody knows

_SESSION = ("server_address", "server_port")
_CLIENT = (("NAME", "name"), ("REVERSE_NAME", "reverse_name"), ("ADDR", "address"))


def of(rules: ServiceRules, client: Client) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """(lines, keywords not to be told); None: those of smtpd_discard_ehlo_keywords."""
    lines = []
    if holds(rules.xclient_hosts, client):
        lines.append(proxies.XCLIENT)
    if holds(rules.xforward_hosts, client):
        lines.append(proxies.XFORWARD)
    return tuple(lines), _discarded(rules, client)


def _discarded(rules: ServiceRules, client: Client) -> tuple[str, ...] | None:
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
    found: dict[str, Any] = {name: known[name] for name in _SESSION}
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
