"""general - restrictions that look at nothing in particular: permit, reject, sleep, pipelining.

INPUT        the subject of the list they stand in
SOURCE       postconf(5) smtpd_recipient_restrictions; Postfix smtpd_check(3) generic_checks
"""

from __future__ import annotations

from delivery.policy.case import Case
from delivery.policy.facts import Stage
from delivery.policy.registry import restriction
from delivery.policy.verdict import (
    DUNNO,
    PERMIT,
    Blame,
    Verdict,
    defer_if_permit,
    defer_if_reject,
    reject,
)
from tables.restrictions import Argument

SLEEP_LIMIT_S = 300  # postconf(5) smtpd_timeout default: longer than that no client waits


@restriction("permit")
def permit(case: Case, _: None) -> Verdict:
    """Take it; the rest of this list is not read."""
    return PERMIT


@restriction("reject")
def reject_all(case: Case, _: None) -> Verdict:
    """554 5.7.1 (reject_code)."""
    return reject(case.settings.reject_code, "5.7.1", case.subject.rejected("Access denied"))


@restriction("defer")
def defer_all(case: Case, _: None) -> Verdict:
    """450 4.3.2 (defer_code)."""
    return reject(case.settings.defer_code, "4.3.2", case.subject.rejected("Try again later"))


@restriction("defer_if_permit")
def defer_a_permit(case: Case, _: None) -> Verdict:
    """450 4.7.0 unless something later refuses for good."""
    return defer_if_permit(450, "4.7.0", case.subject.rejected("defer_if_permit requested"))


@restriction("defer_if_reject")
def defer_a_reject(case: Case, _: None) -> Verdict:
    """450 4.7.0 in place of a later 5xx."""
    return defer_if_reject(450, "4.7.0", case.subject.rejected("defer_if_reject requested"))


@restriction("sleep", Argument.NUMBER)
async def sleep(case: Case, seconds: float) -> Verdict:
    """Wait, then go on; only this session waits."""
    await case.ask.sleep(min(seconds, SLEEP_LIMIT_S))
    return DUNNO


@restriction("reject_unauth_pipelining")
def reject_unauth_pipelining(case: Case, _: None) -> Verdict:
    """503 5.5.0 when commands came ahead of their time (RFC 2920 3.1)."""
    if not case.facts.bad_pipelining:
        return DUNNO
    text = case.subject.rejected("Improper use of SMTP command pipelining")
    return reject(503, "5.5.0", text, Blame.PROTOCOL)


@restriction("reject_plaintext_session")
def reject_plaintext_session(case: Case, _: None) -> Verdict:
    """450 4.7.1 (plaintext_reject_code) without TLS."""
    if case.facts.tls is not None:
        return DUNNO
    code = case.settings.plaintext_reject_code
    return reject(code, "4.7.1", "Session encryption is required")


@restriction("reject_multi_recipient_bounce")
def reject_multi_recipient_bounce(case: Case, _: None) -> Verdict:
    """550 5.5.3 for the null sender with several recipients: a bounce has one."""
    facts = case.facts
    allowed = 0 if facts.stage is Stage.RCPT else 1
    if facts.sender is None or facts.sender or facts.recipient_count <= allowed:
        return DUNNO
    code = case.settings.multi_recipient_bounce_reject_code
    return reject(code, "5.5.3", case.subject.rejected("Multi-recipient bounce"))
