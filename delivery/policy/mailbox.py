"""mailbox - what sender and recipient restrictions have in common: they look at an address.

RULES        tables are asked with the address as routing resolves it (qualified, lower case)
             a recipient with routing in its local part is too suspicious to be permitted
SOURCE       Postfix smtpd_check(3): check_mail_access, reject_unknown_address, check_rcpt_maps,
             reject_unverified_address
"""

from __future__ import annotations

from delivery.policy import access, dns, names
from delivery.policy.case import RECIPIENT, SENDER, Case, Subject
from delivery.policy.facts import DnsUnavailable, ProbeStatus, ProbeUnavailable, Resolved
from delivery.policy.registry import Answer, Follow
from delivery.policy.verdict import (
    DUNNO,
    Abort,
    Blame,
    Kind,
    Verdict,
    defer_if_permit,
    fit_enhanced,
    lookup_failure,
    reject,
)
from delivery.values import AddressClass
from tables.addresses import Address
from tables.errors import TableUnavailable
from tables.reading.lookup import Maps

_FINAL = (AddressClass.LOCAL, AddressClass.VIRTUAL_ALIAS, AddressClass.VIRTUAL_MAILBOX)
REASON_LIMIT = 250  # characters of a remote server's words in our reply


def resolve(case: Case, address: Address, kind: str) -> Resolved:
    """Where the address leads; aborts with 451 4.3.0 when a table cannot tell."""
    other = case.facts.recipient if kind == SENDER else case.facts.sender
    try:
        return case.addresses.resolve(address, other, case.lookups)
    except TableUnavailable as error:
        raise Abort(lookup_failure(address.internal)) from error


def is_final(resolved: Resolved) -> bool:
    """The address is in a domain that this machine delivers for."""
    return resolved.address_class in _FINAL


def check_mail_access(case: Case, maps: Maps, address: Address, kind: str) -> Answer:
    """Address, address without extension, domain and parents, local part with @. access(5)."""
    resolved = resolve(case, address, kind)
    asked = case.addresses.access_keys(resolved.folded)
    answer = access.ask_table(case, maps, asked, Subject(address.internal, kind)) or DUNNO
    suspicious = (
        kind == RECIPIENT and resolved.is_routed and not case.settings.allow_untrusted_routing
    )
    if not suspicious:
        return answer
    if isinstance(answer, Follow):
        return Follow(answer.text, answer.subject, on_permit="dunno")
    return DUNNO if answer.kind is Kind.PERMIT and answer.effect is None else answer


def reject_non_fqdn_address(case: Case, address: Address, kind: str) -> Verdict:
    """Refuse a domain that is no full name; literals pass."""
    domain = address.domain
    if names.is_full_name(domain, case.facts.smtputf8) or names.in_brackets(domain) is not None:
        return DUNNO
    text = Subject(address.internal, kind).rejected("need fully-qualified address")
    return reject(case.settings.non_fqdn_reject_code, "5.5.2", text)


async def reject_unknown_address(case: Case, address: Address, kind: str) -> Verdict:
    """Refuse a domain that is not ours and has neither MX nor address, or a null MX (RFC 7505)."""
    resolved = resolve(case, address, kind)
    domain = resolved.folded.domain
    if not domain or is_final(resolved) or names.in_brackets(domain) is not None:
        return DUNNO
    subject = Subject(address.internal, kind)
    status = "4.1.8" if kind == SENDER else "4.1.2"
    try:
        existence = await dns.mail_host(case.ask.resolver, domain)
    except DnsUnavailable:
        text = subject.rejected("Domain not found")
        if case.settings.unknown_address_tempfail_action == "defer_if_permit":
            return defer_if_permit(450, status, text)
        return reject(450, status, text)
    if existence is dns.Existence.YES:
        return DUNNO
    if existence is dns.Existence.NULL_MX:
        text = subject.rejected(f"Domain {domain} does not accept mail (nullMX)")
        return reject(550, "5.7.27", text) if kind == SENDER else reject(556, "5.1.10", text)
    code = case.settings.unknown_address_reject_code
    return reject(code, status, subject.rejected("Domain not found"))


def reject_unlisted(case: Case, address: Address, kind: str) -> Verdict:
    """Refuse an address that does not exist in a domain of ours; the words come from routing."""
    if "no_unknown_recipient_checks" in case.settings.receive_override_options:
        return DUNNO
    as_sender = kind == SENDER
    other = case.facts.recipient if as_sender else case.facts.sender
    try:
        refused = case.addresses.unlisted(
            address, other=other, as_sender=as_sender, trace=case.lookups
        )
    except TableUnavailable as error:
        raise Abort(lookup_failure(address.internal)) from error
    if refused is None:
        return DUNNO
    text = Subject(address.internal, kind).rejected(refused.text)
    return reject(refused.code, fit_enhanced(refused.enhanced, kind), text, Blame.BOUNCE)


async def reject_unverified(case: Case, address: Address, kind: str) -> Verdict:
    """Refuse an address that a probe found undeliverable. ADDRESS_VERIFICATION_README."""
    settings, subject = case.settings, Subject(address.internal, kind)
    if kind == SENDER:
        status, reason = "4.1.7", settings.unverified_sender_reject_reason
        defer_code = settings.unverified_sender_defer_code
        reject_code = settings.unverified_sender_reject_code
        later = settings.unverified_sender_tempfail_action == "defer_if_permit"
    else:
        status, reason = "4.1.1", settings.unverified_recipient_reject_reason
        defer_code = settings.unverified_recipient_defer_code
        reject_code = settings.unverified_recipient_reject_code
        later = settings.unverified_recipient_tempfail_action == "defer_if_permit"
    refuse = defer_if_permit if later else reject
    try:
        probe = await case.ask.verify(address)
    except ProbeUnavailable:
        return refuse(450, status, subject.rejected("address verification problem"))
    if probe.status is ProbeStatus.DELIVERABLE:
        return DUNNO
    code = reject_code if probe.status is ProbeStatus.UNDELIVERABLE else defer_code
    if code // 100 == 2:
        return DUNNO
    why = reason or probe.reason or "Address verification in progress"
    if code // 100 == 4:
        text = subject.rejected(f"unverified address: {why[:REASON_LIMIT]}")
        return refuse(code, status, text)
    return reject(code, status, subject.rejected(f"undeliverable address: {why}"))
