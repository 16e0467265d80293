"""recipient - restrictions that look at the address of RCPT TO: relaying, existence, access.

SOURCE       postconf(5) smtpd_relay_restrictions, smtpd_recipient_restrictions; SMTPD_ACCESS_README
"""

from __future__ import annotations

from delivery.policy.case import RECIPIENT, Case, Subject
from delivery.policy.mailbox import (
    check_mail_access,
    is_final,
    reject_non_fqdn_address,
    reject_unknown_address,
    reject_unlisted,
    reject_unverified,
    resolve,
)
from delivery.policy.registry import Answer, restriction
from delivery.policy.verdict import DUNNO, PERMIT, Verdict, reject
from delivery.values import AddressClass
from tables.addresses import Address
from tables.reading.lookup import Maps
from tables.restrictions import Argument


@restriction("check_recipient_access", Argument.TABLE)
def check_recipient_access(case: Case, maps: Maps) -> Answer:
    """The resolved address, domain and parents, user@. access(5)."""
    recipient = case.facts.recipient
    return DUNNO if recipient is None else check_mail_access(case, maps, recipient, RECIPIENT)


def is_authorised(case: Case, recipient: Address) -> bool:
    """The destination is ours or a relay domain, and has no sender specified routing.

    postconf(5) permit_auth_destination, allow_untrusted_routing.
    """
    resolved = resolve(case, recipient, RECIPIENT)
    if resolved.is_routed and not case.settings.allow_untrusted_routing:
        return False
    return is_final(resolved) or resolved.address_class is AddressClass.RELAY


@restriction("permit_auth_destination")
def permit_auth_destination(case: Case, _: None) -> Verdict:
    """The recipient's domain is one of ours or in relay_domains."""
    recipient = case.facts.recipient
    return PERMIT if recipient is not None and is_authorised(case, recipient) else DUNNO


@restriction("reject_unauth_destination")
def reject_unauth_destination(case: Case, _: None) -> Verdict:
    """554 5.7.1 Relay access denied (relay_domains_reject_code)."""
    return _unauthorised(case, case.settings.relay_domains_reject_code, "5.7.1")


@restriction("defer_unauth_destination")
def defer_unauth_destination(case: Case, _: None) -> Verdict:
    """454 4.7.1 Relay access denied: the same, kinder to mistakes in the configuration."""
    return _unauthorised(case, case.settings.relay_domains_reject_code - 100, "4.7.1")


def _unauthorised(case: Case, code: int, status: str) -> Verdict:
    recipient = case.facts.recipient
    if recipient is None or is_authorised(case, recipient):
        return DUNNO
    return reject(code, status, f"<{recipient.internal}>: Relay access denied")


@restriction("check_relay_domains")
def check_relay_domains(case: Case, _: None) -> Verdict:
    """The old word: permit a client or destination in relay_domains, refuse all else."""
    recipient = case.facts.recipient
    if recipient is None:
        return DUNNO
    client = case.facts.client.name
    if case.partners.relay_domains.matches_domain(client, case.lookups):
        return PERMIT
    if is_authorised(case, recipient):
        return PERMIT
    text = Subject(recipient.internal, RECIPIENT).rejected("Relay access denied")
    return reject(case.settings.relay_domains_reject_code, "5.7.1", text)


@restriction("reject_non_fqdn_recipient")
def reject_non_fqdn_recipient(case: Case, _: None) -> Verdict:
    """504 5.5.2 (non_fqdn_reject_code) for a domain without a dot."""
    recipient = case.facts.recipient
    return reject_non_fqdn_address(case, recipient, RECIPIENT) if recipient else DUNNO


@restriction("reject_unknown_recipient_domain")
async def reject_unknown_recipient_domain(case: Case, _: None) -> Verdict:
    """450 4.1.2 (unknown_address_reject_code) for a domain without MX and address."""
    recipient = case.facts.recipient
    return await reject_unknown_address(case, recipient, RECIPIENT) if recipient else DUNNO


@restriction("reject_unlisted_recipient")
def reject_unlisted_recipient(case: Case, _: None) -> Verdict:
    """550 5.1.1 User unknown in ... table."""
    recipient = case.facts.recipient
    if not recipient or case.recipient_checked:
        return DUNNO
    if not case.warning:
        case.recipient_checked = True
    return reject_unlisted(case, recipient, RECIPIENT)


@restriction("reject_unverified_recipient")
async def reject_unverified_recipient(case: Case, _: None) -> Verdict:
    """450 4.1.1 (unverified_recipient_reject_code) when a probe to the recipient fails."""
    recipient = case.facts.recipient
    return await reject_unverified(case, recipient, RECIPIENT) if recipient else DUNNO
