"""backup - permit_mx_backup: this machine is a backup mail exchanger of the recipient's domain.

VERDICTS     permit when we are among the MX but not the best, and, with permit_mx_backup_networks,
             all addresses of the best ones are in there
             a DNS failure makes a later refusal a deferral
SOURCE       postconf(5) permit_mx_backup; Postfix smtpd_check(3) permit_mx_backup, i_am_mx
"""

from __future__ import annotations

from dataclasses import replace

from delivery.policy import names
from delivery.policy.case import RECIPIENT, Case, Subject
from delivery.policy.facts import DnsUnavailable, Mx
from delivery.policy.mailbox import resolve
from delivery.policy.recipient import is_authorised
from delivery.policy.registry import restriction
from delivery.policy.verdict import DUNNO, PERMIT, Verdict, defer_if_reject
from tables.domains import to_ascii

_TRY_AGAIN = "Host not found, try again"  # what hosts and resolvers say stays out of replies


@restriction("permit_mx_backup")
async def permit_mx_backup(case: Case, _: None) -> Verdict:
    """We are a backup MX of the recipient's domain, or it is ours anyway."""
    recipient = case.facts.recipient
    if recipient is None:
        return DUNNO
    if is_authorised(case, recipient):
        return PERMIT
    resolved = resolve(case, recipient, RECIPIENT)
    domain = resolved.folded.domain
    if resolved.is_routed and not case.settings.allow_untrusted_routing:
        return DUNNO
    if names.in_brackets(domain) is not None:
        return DUNNO
    search = _Search(case, Subject(recipient.internal, RECIPIENT))
    try:
        exchangers = sorted(
            await case.ask.resolver.mx(to_ascii(domain)), key=lambda mx: mx.preference
        )
    except DnsUnavailable:
        search.doubt(f"Unable to look up mail exchanger information: {_TRY_AGAIN}")
        exchangers = []
    is_backup = bool(exchangers) and await search.is_backup(exchangers)
    return replace(PERMIT if is_backup else DUNNO, pending=search.pending)


class _Search:
    """One question; collects the first thing that could not be found out."""

    def __init__(self, case: Case, subject: Subject) -> None:
        self.case = case
        self.subject = subject
        self.pending: Verdict | None = None

    def doubt(self, why: str) -> None:
        """Note a failure: a later refusal becomes 450 4.4.4."""
        if self.pending is None:
            self.pending = defer_if_reject(450, "4.4.4", self.subject.rejected(why))

    async def is_backup(self, exchangers: list[Mx]) -> bool:
        """True when we are among these, but not among the best."""
        best = [mx for mx in exchangers if mx.preference == exchangers[0].preference]
        others = exchangers[len(best) :]
        if await self._are_we(best) or not await self._are_we(others):
            return False
        if not self.case.partners.permit_mx_backup_networks:
            return True
        for mx in best:
            if not await self._in_networks(mx.host):
                return False
        return True

    async def _are_we(self, exchangers: list[Mx]) -> bool:
        if any(self.case.addresses.is_local(mx.host) for mx in exchangers):
            return True
        for mx in exchangers:
            for address in await self._addresses(mx.host, "Unable to look up mail exchanger host"):
                if self.case.addresses.is_own(address):
                    return True
        return False

    async def _addresses(self, host: str, why: str) -> tuple[str, ...]:
        try:
            found = await self.case.ask.resolver.addresses(host)
        except DnsUnavailable:
            self.doubt(f"{why} {host}: {_TRY_AGAIN}")
            return ()
        if not found:
            self.doubt(f"{why} {host}: Host not found")
        return found

    async def _in_networks(self, host: str) -> bool:
        networks = self.case.partners.permit_mx_backup_networks
        addresses = await self._addresses(host, "Unable to look up host")
        return bool(addresses) and all(networks.matches_host(host, item) for item in addresses)
