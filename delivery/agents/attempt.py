"""attempt - what is known so far about one delivery, while hosts are tried one after the other.

SUMMARY      Attempt(delivery): .tell(outgoing), .waiting, .fail(...), .end(...), .fail_all(...),
             .result()
RULES        a recipient waits until a host has said its last word: sent, or refused for good. With
             what was said last about it it is given back when nobody is left to ask
SOURCE       Postfix smtp_trouble.c
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from delivery.agents.base import Delivery, Part, Result, settle
from delivery.content.outgoing import Outgoing
from delivery.values import Outcome, Recipient, Status
from tables.frozen import replace

UNTRIED = "server unavailable or unable to receive mail"


class Attempt:
    """What hosts said about the recipients of one Delivery."""

    __slots__ = (
        "delivery",
        "outcomes",
        "parts",
        "passed_on",
        "renamed",
        "sender",
        "unreachable",
        "waiting",
    )

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.sender = delivery.envelope.sender  # as it is told to the other server
        self.renamed: dict[Recipient, Recipient] = {}  # those that are told to it by another name
        # with what was said last
        self.waiting: dict[Recipient, Outcome | None] = dict.fromkeys(delivery.recipients)
        self.outcomes: list[Outcome] = []
        self.parts: dict[Recipient, tuple[Part, ...]] = {}
        self.passed_on: set[Recipient] = set()
        self.unreachable = ""  # why the last host was of no use at all

    def tell(self, outgoing: Outgoing) -> None:
        """Change addresses as they are to be changed on the way out. Raises TableUnavailable."""
        if not outgoing.renames:
            return
        self.sender = outgoing.address(self.sender)
        for recipient in self.waiting:
            address = outgoing.address(recipient.address)
            if address is not recipient.address:
                self.renamed[recipient] = replace(recipient, address=address)

    def shown(self, recipients: tuple[Recipient, ...]) -> tuple[Recipient, ...]:
        """The same, as the other server is told of them."""
        if not self.renamed:
            return recipients
        return tuple([self.renamed.get(recipient, recipient) for recipient in recipients])

    @property
    def needs_smtputf8(self) -> bool:
        """True when only a server that knows of it can take the message. RFC 6531 3.2"""
        envelope = self.delivery.envelope
        if not envelope.smtputf8 or envelope.utf8_headers:
            return envelope.smtputf8
        shown = self.shown(self.delivery.recipients)
        addresses = [self.sender, *[item.address for item in shown]]
        return not all(item.local.isascii() and item.domain.isascii() for item in addresses)

    def fail(self, outcomes: Iterable[Outcome]) -> None:
        """The last word of a host about recipients that another host may still take."""
        for outcome in outcomes:
            self.waiting[outcome.recipient] = outcome

    def end(self, outcome: Outcome) -> None:
        """A recipient is done with, one way or the other."""
        self.waiting.pop(outcome.recipient, None)
        self.outcomes.append(outcome)

    def fail_all(
        self,
        dsn: str,
        reason: str,
        *,
        relay: str = "none",
        reply: str = "",
        is_final: bool = False,
        but: Collection[Recipient] = (),
    ) -> None:
        """The same for everybody who waits; `is_final`: nobody else is asked about them."""
        status = Status.DEFERRED if dsn.startswith("4") else Status.BOUNCED
        failed = [recipient for recipient in self.waiting if recipient not in but]
        outcomes = settle(failed, status, dsn, reason, relay=relay, reply=reply)
        if is_final:
            for outcome in outcomes:
                self.end(outcome)
        else:
            self.fail(outcomes)

    def result(self) -> Result:
        """What became of it."""
        outcomes = list(self.outcomes)
        for recipient, outcome in self.waiting.items():
            untried = settle((recipient,), Status.DEFERRED, "4.3.0", UNTRIED)
            outcomes += untried if outcome is None else (outcome,)
        return Result(
            outcomes=tuple(outcomes),
            parts=self.parts,
            passed_on=frozenset(self.passed_on),
            unreachable=self.unreachable,
        )
