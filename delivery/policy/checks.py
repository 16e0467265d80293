"""checks - which lists run at which command; the door of the room.

SUMMARY      Policy: all lists of one snapshot and service, compiled once; .asked: the stages at
             which lists are asked; at the others every command goes on, but for an address at
             MAIL that is not fit to be one
             Checks: one connection; a method for each command, all of them
                 (Facts) -> Decision (refused: answer with it; otherwise go on), or what is to be
                 awaited for it where lists are asked
ORDER        at MAIL and RCPT an address to which no mail can go is refused before all lists
             smtpd_delay_reject = yes: client, HELO and sender lists run at each RCPT (and at ETRN)
             RCPT: [client, helo, sender,] relay, recipient, then reject_unlisted_recipient unasked
             a permit ends its own list only; the first refusal ends the command
RULES        a defer_if_permit of client, HELO or sender also holds at the later commands
ERRORS       none from a check; ParameterError from Policy() when a list does not compile
SOURCE       SMTPD_ACCESS_README, postconf(5) smtpd_delay_reject; Postfix smtpd_check(3)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from delivery.policy.case import (
    CLIENT,
    DATA,
    END_OF_DATA,
    ETRN,
    HELO,
    RECIPIENT,
    SENDER,
    Case,
    Partners,
    Subject,
)
from delivery.policy.facts import Addresses, Ask, Facts, Stage, Tables, Trace
from delivery.policy.lists import Compiler, Step
from delivery.policy.mailbox import reject_unlisted
from delivery.policy.settings import PolicySettings
from delivery.policy.verdict import (
    GO_ON,
    NO_EFFECTS,
    Abort,
    Blame,
    Decision,
    Effects,
    Verdict,
    lookup_failure,
)
from delivery.policy.walk import Refused, Walker
from tables.addresses import Address
from tables.errors import TableUnavailable
from tables.parameters import Parameters
from tables.reading.matchlist import MatchList

_UNLISTED = {
    SENDER: Step("reject_unlisted_sender"),
    RECIPIENT: Step("reject_unlisted_recipient"),
}
_DEFERRED = Step("defer_if_permit")
_BAD_SENDER = Decision(501, "5.1.7", "Bad sender address syntax", blame=Blame.PROTOCOL)
_BAD_RECIPIENT = Decision(501, "5.1.3", "Bad recipient address syntax", blame=Blame.PROTOCOL)
_LISTS = {  # the parameter, what is accepted or refused, and what a bare type:name means in it
    "client": ("smtpd_client_restrictions", CLIENT, "check_client_access"),
    "helo": ("smtpd_helo_restrictions", HELO, "check_helo_access"),
    "sender": ("smtpd_sender_restrictions", SENDER, "check_sender_access"),
    "relay": ("smtpd_relay_restrictions", RECIPIENT, "check_recipient_access"),
    "recipient": ("smtpd_recipient_restrictions", RECIPIENT, "check_recipient_access"),
    "data": ("smtpd_data_restrictions", DATA, ""),
    "end_of_data": ("smtpd_end_of_data_restrictions", END_OF_DATA, ""),
    "etrn": ("smtpd_etrn_restrictions", ETRN, "check_etrn_access"),
}
Deciding = Decision | Coroutine[Any, Any, Decision]
# postconf(5) smtpd_delay_reject
_DELAYED = frozenset({Stage.CONNECT, Stage.HELO, Stage.EHLO, Stage.MAIL})


class Policy:
    """The restriction lists of one snapshot, for one service's parameters. Immutable, shared."""

    __slots__ = ("asked", "lists", "order", "partners", "settings", "walker")

    def __init__(self, parameters: Parameters, tables: Tables, addresses: Addresses) -> None:
        """Compile every list; raises ParameterError naming the parameter that is wrong."""
        self.settings = parameters.bind(PolicySettings)
        self.partners = _partners(self.settings, tables, addresses)
        compiler = Compiler(self.settings, parameters, tables)
        self.walker = Walker(compiler, soft_bounce=self.settings.soft_bounce)
        self.lists = {stage: compiler.compile(name) for stage, (name, *_) in _LISTS.items()}
        self.asked = frozenset(Stage) - self._idle()
        is_relay_first = self.settings.smtpd_relay_before_recipient_restrictions
        self.order = ("relay", "recipient") if is_relay_first else ("recipient", "relay")

    def _idle(self) -> frozenset[Stage]:
        """The stages at which nothing is asked."""
        idle = _DELAYED if self.settings.smtpd_delay_reject else frozenset[Stage]()
        if not self.lists["data"]:
            idle |= {Stage.DATA}
        if not self.lists["end_of_data"]:
            idle |= {Stage.END_OF_MESSAGE}
        return idle


def _partners(settings: PolicySettings, tables: Tables, addresses: Addresses) -> Partners:
    parents = settings.parent_domain_matches_subdomains

    def match_list(name: str, items: tuple[str, ...]) -> MatchList:
        return MatchList(name, items, tables.maps, parent=name in parents)

    networks = settings.permit_mx_backup_networks
    return Partners(
        settings=settings,
        addresses=addresses,
        mynetworks=match_list("mynetworks", settings.mynetworks),
        relay_domains=match_list("relay_domains", settings.relay_domains),
        permit_mx_backup_networks=match_list("permit_mx_backup_networks", networks),
        rbl_reply_maps=tables.maps(settings.rbl_reply_maps),
        relay_clientcerts=tables.maps(settings.relay_clientcerts),
        sender_login_maps=tables.maps(settings.smtpd_sender_login_maps),
        access_parent="smtpd_access_maps" in parents,
    )


class Checks:
    """The checks of one connection: remembers what one command leaves for the next.

    `effects` is what access tables asked for the current message. Call new_message() whenever the
    transaction ends (after end of data, RSET, EHLO, STARTTLS).
    """

    def __init__(self, policy: Policy, ask: Ask, trace: Trace | None = None) -> None:
        self.policy = policy
        self.effects: Effects = NO_EFFECTS
        self._ask = ask
        self._trace = trace
        # the defer_if_permit that each stage left behind
        self._client_maybe: Verdict | None = None
        self._helo_maybe: Verdict | None = None
        self._sender_maybe: Verdict | None = None

    def new_message(self) -> None:
        """Forget the transaction."""
        self.effects = NO_EFFECTS
        self._sender_maybe = None

    def client(self, facts: Facts) -> Deciding:
        """On connecting. Nothing is asked yet with smtpd_delay_reject = yes."""
        if Stage.CONNECT not in self.policy.asked:
            return GO_ON
        return self._decide(facts, self._client)

    def helo(self, facts: Facts) -> Deciding:
        """HELO or EHLO, `facts.helo` set."""
        if Stage.HELO not in self.policy.asked:
            return GO_ON
        return self._decide(facts, self._helo)

    def mail(self, facts: Facts) -> Deciding:
        """MAIL FROM, `facts.sender` set."""
        if (refusal := self.unfit_sender(facts.sender)) is not None:
            return refusal
        if Stage.MAIL not in self.policy.asked:
            return GO_ON
        return self._decide(facts, self._sender)

    def unfit_sender(self, sender: Address | None) -> Decision | None:
        """The refusal of an address to which no mail can go; a part of mail()."""
        return self._syntax(sender, None, _BAD_SENDER)

    def rcpt(self, facts: Facts) -> Deciding:
        """RCPT TO (or VRFY), `facts.recipient` set; the count is that before this one."""
        if (refusal := self._syntax(facts.recipient, facts.sender, _BAD_RECIPIENT)) is not None:
            return refusal
        return self._decide(facts, self._recipient)

    def data(self, facts: Facts) -> Deciding:
        """DATA, or the first BDAT; `facts.recipient` set when there is only one."""
        if Stage.DATA not in self.policy.asked:
            return GO_ON
        return self._decide(facts, self._data)

    def end_of_data(self, facts: Facts) -> Deciding:
        """The message is here, `facts.size` is its size."""
        if Stage.END_OF_MESSAGE not in self.policy.asked:
            return GO_ON
        return self._decide(facts, self._end_of_data)

    def etrn(self, facts: Facts) -> Deciding:
        """ETRN, `facts.etrn_domain` set."""
        return self._decide(facts, self._etrn)

    async def _decide(self, facts: Facts, stage: Callable[[Case], Awaitable[None]]) -> Decision:
        case = Case(facts, self._ask, self.policy.partners, self._trace, effects=self.effects)
        refused: Refused | None = None
        try:
            await stage(case)
        except Refused as caught:
            refused = caught
        self.effects = case.effects
        if refused is None:
            return replace(GO_ON, notes=tuple(case.notes)) if case.notes else GO_ON
        verdict, step = refused.verdict, refused.step
        return Decision(
            verdict.code,
            verdict.enhanced,
            verdict.text,
            list_name=case.list_name,
            restriction=step.name,
            argument=step.argument,
            table=verdict.table,
            key=verdict.key,
            notes=tuple(case.notes),
            blame=verdict.blame,
        )

    # stages

    async def _client(self, case: Case) -> None:
        self._client_maybe = case.maybe_permit = None
        if not self.policy.lists["client"]:
            return
        try:
            await self._list(case, "client", case.facts.client_text)
        finally:
            self._client_maybe = case.maybe_permit

    async def _helo(self, case: Case) -> None:
        if case.facts.helo is None:
            return
        case.maybe_permit = self._client_maybe
        try:
            await self._list(case, "helo", case.facts.helo)
        finally:
            self._helo_maybe = case.maybe_permit

    async def _sender(self, case: Case) -> None:
        sender = case.facts.sender
        if sender is None:
            return
        case.maybe_permit = self._client_maybe or self._helo_maybe
        case.sender_checked = False
        try:
            await self._list(case, "sender", sender.internal)
        finally:
            self._sender_maybe = case.maybe_permit
        if self.policy.settings.smtpd_reject_unlisted_sender and not case.sender_checked:
            self._check_listed(case, SENDER)

    async def _recipient(self, case: Case) -> None:
        settings, recipient = self.policy.settings, case.facts.recipient
        # RFC 5321 4.5.1: a bare "postmaster" is always taken
        if recipient is None or (name := recipient.internal).lower() == "postmaster":
            return
        if settings.smtpd_delay_reject:
            if self.policy.lists["client"]:
                await self._client(case)
            await self._helo(case)
            await self._sender(case)
        case.maybe_permit, case.maybe_reject = self._sender_maybe, None
        for stage in self.policy.order:  # one defer_if_reject for both
            await self._list(case, stage, name, fresh=False)
        self._force_deferral(case)
        if settings.smtpd_reject_unlisted_recipient and not case.recipient_checked:
            self._check_listed(case, RECIPIENT)

    async def _data(self, case: Case) -> None:
        await self._whole_message(case, "data", "DATA")

    async def _end_of_data(self, case: Case) -> None:
        await self._whole_message(case, "end_of_data", "END-OF-MESSAGE")

    async def _whole_message(self, case: Case, stage: str, name: str) -> None:
        if case.facts.recipient_count > 1:  # postconf(5) smtpd_data_restrictions: no one recipient
            case.facts = replace(case.facts, recipient=None)
        await self._list(case, stage, name)
        self._force_deferral(case)

    async def _etrn(self, case: Case) -> None:
        if self.policy.settings.smtpd_delay_reject:
            await self._client(case)
            await self._helo(case)
        case.maybe_permit = self._client_maybe or self._helo_maybe
        await self._list(case, "etrn", case.facts.etrn_domain)
        self._force_deferral(case)

    # parts of stages

    def _syntax(
        self, address: Address | None, other: Address | None, bad: Decision
    ) -> Decision | None:
        """`bad` where no mail can go, whatever lists say: "user@", "-user", "user@-a.example"."""
        if not address:
            return None
        lookups = None if self._trace is None else self._trace.lookup
        try:
            resolved = self.policy.partners.addresses.resolve(address, other, lookups)
        except TableUnavailable:
            failure = lookup_failure(address.internal)
            return Decision(failure.code, failure.enhanced, failure.text, blame=failure.blame)
        return bad if resolved.is_bad else None

    def _list(self, case: Case, stage: str, name: str, *, fresh: bool = True) -> Awaitable[bool]:
        """Walk one list about `name`."""
        if fresh:
            case.maybe_reject = None
        case.list_name, kind, case.default_access = _LISTS[stage]
        case.subject = Subject(name, kind)
        return self.policy.walker.walk(case, self.policy.lists[stage])

    def _force_deferral(self, case: Case) -> None:
        """Nothing refused, but something could not be found out: say so now."""
        if case.maybe_permit is not None:
            self.policy.walker.refuse(case, _DEFERRED, case.maybe_permit)

    def _check_listed(self, case: Case, kind: str) -> None:
        """postconf(5) smtpd_reject_unlisted_sender, smtpd_reject_unlisted_recipient."""
        address = case.facts.sender if kind == SENDER else case.facts.recipient
        if not address or case.effects.discard:
            return
        try:
            verdict = reject_unlisted(case, address, kind)
        except Abort as abort:
            verdict = abort.verdict
        self.policy.walker.settle(case, _UNLISTED[kind], verdict)
