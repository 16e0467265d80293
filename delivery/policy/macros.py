"""macros - what $name stands for in texts for clients: refusals by DNS lists, reject footers.

SUMMARY      of(facts, letters(settings.smtpd_expansion_filter)) -> name -> value
RULES        what came from outside is made harmless: what smtpd_expansion_filter does not allow
             becomes "_", and what is not printable ASCII in any case
             the null sender is <>; what is not known yet is empty
SOURCE       Postfix smtpd_expand(3); postconf(5) smtpd_reject_footer, smtpd_expansion_filter
"""

from __future__ import annotations

from functools import lru_cache

from delivery.policy.facts import Facts
from tables.addresses import Address
from tables.escapes import unescape

_PRINTABLE = frozenset("\t") | frozenset(map(chr, range(32, 127)))


@lru_cache(maxsize=16)
def letters(allowed: str) -> frozenset[str]:
    """Those of smtpd_expansion_filter that may stand in a reply."""
    return frozenset(unescape(allowed)) & _PRINTABLE


def of(facts: Facts, allowed: frozenset[str]) -> dict[str, str]:
    """The macros of a session as it stands."""
    client = facts.client
    values = {
        "client": facts.client_text,
        "client_address": client.address,
        "client_name": client.name,
        "client_port": str(client.port),
        "reverse_client_name": client.reverse_name,
        "helo_name": facts.helo or "",
        "sasl_method": facts.sasl_method,
        "sasl_sender": facts.sasl_sender,
        "sasl_username": facts.login,
        **_address("sender", facts.sender),
        **_address("recipient", facts.recipient),
    }
    return {name: harmless(value, allowed) for name, value in values.items()}


def _address(name: str, address: Address | None) -> dict[str, str]:
    if address is None:
        return {name: "", f"{name}_name": "", f"{name}_domain": ""}
    text = address.internal or "<>"
    local, at, domain = text.rpartition("@")
    return {
        name: text,
        f"{name}_name": local if at else text,
        f"{name}_domain": domain if at else "",
    }


def harmless(text: str, allowed: frozenset[str]) -> str:
    """The text without anything that could be more than text."""
    if allowed.issuperset(text):
        return text
    return "".join(letter if letter in allowed else "_" for letter in text)
