"""helo - restrictions that look at the name given with HELO or EHLO; without one they say nothing.

SOURCE       postconf(5) smtpd_helo_restrictions; RFC 5321 4.1.1.1
"""

from __future__ import annotations

from delivery.policy import access, dns, names
from delivery.policy.case import HELO, Case, Subject
from delivery.policy.facts import DnsUnavailable
from delivery.policy.registry import Answer, restriction
from delivery.policy.verdict import DUNNO, PERMIT, Verdict, defer_if_permit, reject
from tables import keys
from tables.reading.lookup import Maps
from tables.restrictions import Argument


@restriction("check_helo_access", Argument.TABLE)
def check_helo_access(case: Case, maps: Maps) -> Answer:
    """The name and its parents. access(5)."""
    helo = case.facts.helo
    if helo is None:
        return DUNNO
    asked = keys.access_domain(helo, parent=case.partners.access_parent)
    return access.ask_table(case, maps, asked, Subject(helo, HELO)) or DUNNO


@restriction("reject_invalid_helo_hostname")
def reject_invalid_helo_hostname(case: Case, _: None) -> Verdict:
    """501 5.5.2 (invalid_hostname_reject_code) for what is neither name nor literal."""
    helo = case.facts.helo
    if helo is None:
        return DUNNO
    if helo.startswith("["):
        return _bad_literal(case, helo)
    name = names.without_dot(helo)
    if names.is_host_name(name) or names.is_host_address(name):
        return DUNNO
    code = case.settings.invalid_hostname_reject_code
    return reject(code, "5.5.2", Subject(helo, HELO).rejected("Invalid name"))


@restriction("reject_non_fqdn_helo_hostname")
def reject_non_fqdn_helo_hostname(case: Case, _: None) -> Verdict:
    """504 5.5.2 (non_fqdn_reject_code) for a name without a dot."""
    helo = case.facts.helo
    if helo is None:
        return DUNNO
    if helo.startswith("["):
        return _bad_literal(case, helo)
    if names.is_full_name(helo, case.facts.smtputf8):
        return DUNNO
    text = Subject(helo, HELO).rejected("need fully-qualified hostname")
    return reject(case.settings.non_fqdn_reject_code, "5.5.2", text)


@restriction("reject_unknown_helo_hostname")
async def reject_unknown_helo_hostname(case: Case, _: None) -> Verdict:
    """450 4.7.1 (unknown_hostname_reject_code) for a name without A, AAAA and MX."""
    helo = case.facts.helo
    if helo is None:
        return DUNNO
    if helo.startswith("["):
        return _bad_literal(case, helo)
    text = Subject(helo, HELO).rejected("Host not found")
    try:
        if await dns.host(case.ask.resolver, helo) is not dns.Existence.NO:
            return DUNNO
    except DnsUnavailable:
        if case.settings.unknown_helo_hostname_tempfail_action == "defer_if_permit":
            return defer_if_permit(450, "4.7.1", text)
        return reject(450, "4.7.1", text)
    return reject(case.settings.unknown_hostname_reject_code, "4.7.1", text)


def _bad_literal(case: Case, helo: str) -> Verdict:
    inner = names.in_brackets(helo)
    if names.literal_address(helo if inner is None else inner) is not None:
        return DUNNO
    code = case.settings.invalid_hostname_reject_code
    return reject(code, "5.5.2", Subject(helo, HELO).rejected("invalid ip address"))


@restriction("permit_naked_ip_address")
def permit_naked_ip_address(case: Case, _: None) -> Verdict:
    """The name is a bare address: an old word, better replaced by permit_mynetworks."""
    helo = case.facts.helo
    if helo is None or not names.is_host_address(helo):
        return DUNNO
    return PERMIT
