"""sender - restrictions that look at the address of MAIL FROM; most say nothing of the null sender.

SOURCE       postconf(5) smtpd_sender_restrictions; Postfix smtpd_check(3)
"""

from __future__ import annotations

from delivery.policy import access
from delivery.policy.case import SENDER, Case, Subject
from delivery.policy.mailbox import (
    check_mail_access,
    reject_non_fqdn_address,
    reject_unknown_address,
    reject_unlisted,
    reject_unverified,
)
from delivery.policy.registry import Answer, restriction
from delivery.policy.verdict import DUNNO, Abort, Verdict, lookup_failure, reject
from tables.addresses import Address
from tables.errors import TableUnavailable
from tables.reading.lookup import Maps
from tables.restrictions import Argument


@restriction("check_sender_access", Argument.TABLE)
def check_sender_access(case: Case, maps: Maps) -> Answer:
    """The resolved address, domain and parents, user@; the null sender by its own key."""
    sender = case.facts.sender
    if sender is None:
        return DUNNO
    if sender:
        return check_mail_access(case, maps, sender, SENDER)
    key = case.settings.smtpd_null_access_lookup_key
    return access.ask_table(case, maps, (key,), Subject("", SENDER)) or DUNNO


@restriction("reject_non_fqdn_sender")
def reject_non_fqdn_sender(case: Case, _: None) -> Verdict:
    """504 5.5.2 (non_fqdn_reject_code) for a domain without a dot."""
    sender = case.facts.sender
    return reject_non_fqdn_address(case, sender, SENDER) if sender else DUNNO


@restriction("reject_unknown_sender_domain")
async def reject_unknown_sender_domain(case: Case, _: None) -> Verdict:
    """450 4.1.8 (unknown_address_reject_code) for a domain without MX and address."""
    sender = case.facts.sender
    return await reject_unknown_address(case, sender, SENDER) if sender else DUNNO


@restriction("reject_unlisted_sender")
def reject_unlisted_sender(case: Case, _: None) -> Verdict:
    """550 5.1.0 for a sender in our own domains that does not exist there."""
    sender = case.facts.sender
    if not sender or case.sender_checked:
        return DUNNO
    if not case.warning:
        case.sender_checked = True
    return reject_unlisted(case, sender, SENDER)


@restriction("reject_unverified_sender")
async def reject_unverified_sender(case: Case, _: None) -> Verdict:
    """450 4.1.7 (unverified_sender_reject_code) when a probe to the sender fails."""
    sender = case.facts.sender
    return await reject_unverified(case, sender, SENDER) if sender else DUNNO


@restriction("reject_authenticated_sender_login_mismatch")
def reject_authenticated_sender_login_mismatch(case: Case, _: None) -> Verdict:
    """553 5.7.1: logged in, but smtpd_sender_login_maps gives the sender to nobody or another."""
    return _owned(case, unknown_sender_is_fine=False) if case.facts.login else DUNNO


@restriction("reject_unauthenticated_sender_login_mismatch")
def reject_unauthenticated_sender_login_mismatch(case: Case, _: None) -> Verdict:
    """553 5.7.1: not logged in, but the sender belongs to somebody."""
    return DUNNO if case.facts.login else _unowned(case)


@restriction("reject_known_sender_login_mismatch")
def reject_known_sender_login_mismatch(case: Case, _: None) -> Verdict:
    """Both of the above, for senders that smtpd_sender_login_maps knows."""
    return _owned(case, unknown_sender_is_fine=True) if case.facts.login else _unowned(case)


@restriction("reject_sender_login_mismatch")
def reject_sender_login_mismatch(case: Case, _: None) -> Verdict:
    """Both of the above. postconf(5) reject_sender_login_mismatch."""
    return _owned(case, unknown_sender_is_fine=False) if case.facts.login else _unowned(case)


def _owners(case: Case, sender: Address) -> str | None:
    """The owners of the sender as the table names them; aborts when it cannot tell."""
    try:
        resolved = case.addresses.resolve(sender, case.facts.recipient, case.lookups)
        found = case.partners.sender_login_maps.find(
            case.addresses.address_keys(resolved.folded), case.lookups
        )
    except TableUnavailable as error:
        raise Abort(lookup_failure(sender.internal)) from error
    return None if found is None else found.value


def _owned(case: Case, *, unknown_sender_is_fine: bool) -> Verdict:
    sender, login = case.facts.sender, case.facts.login
    if not sender or not case.settings.smtpd_sasl_auth_enable:
        return DUNNO
    if not case.partners.sender_login_maps:
        return DUNNO
    owners = _owners(case, sender)
    if owners is None and unknown_sender_is_fine:
        return DUNNO
    names = (owners or "").replace(",", " ").split()
    if login.casefold() in (name.casefold() for name in names):
        return DUNNO
    text = f"<{sender.internal}>: Sender address rejected: not owned by user {login}"
    return reject(553, "5.7.1", text)


def _unowned(case: Case) -> Verdict:
    sender = case.facts.sender
    if not sender or not case.settings.smtpd_sasl_auth_enable:
        return DUNNO
    if not case.partners.sender_login_maps or _owners(case, sender) is None:
        return DUNNO
    return reject(553, "5.7.1", f"<{sender.internal}>: Sender address rejected: not logged in")
