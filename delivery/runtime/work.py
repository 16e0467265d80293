"""work - one leased message while it is tried: what came of its recipients up to now.

RULES        recipients that resolve to one address are delivered to once; each has the outcome
             under the name that it has in the lease
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from delivery.agents.base import Part
from delivery.runtime.rules import Rules
from delivery.spool.records import Lease, Submission
from delivery.values import Outcome, Recipient
from tables.addresses import Address


@dataclass(slots=True, eq=False)
class Work:
    """One leased message."""

    lease: Lease
    rules: Rules
    outcomes: list[Outcome] = field(default_factory=list)  # of the recipients the lease names
    told: list[Part] = field(default_factory=list)  # what reports are due about, of all windows
    late: bool = False  # the sender is to hear of the delay
    forwards: list[Submission] = field(default_factory=list)  # to be entered with the end
    passed_on: set[Recipient] = field(default_factory=set)
    # those that are delivered to under another address -> those that the lease names
    leased: dict[Recipient, list[Recipient]] = field(default_factory=dict)
    left: int = 0  # recipients in the active queue
    is_gone: bool = False  # set aside: its content cannot be read
    is_early: bool = False  # tried before it is known to be on disk (spool/early.py)
    is_flushed: bool = False  # an operator wants it tried: defer_transports does not count

    @property
    def queue_id(self) -> str:
        """Its name."""
        return self.lease.queue_id

    def under(self, address: Address, recipient: Recipient) -> Recipient | None:
        """The recipient to deliver to in place of `recipient`; None: it is delivered to anyway."""
        if address == recipient.address:
            return recipient
        renamed = replace(recipient, address=address)
        is_named = renamed in self.lease.numbers
        names = self.leased.setdefault(renamed, [renamed] if is_named else [])
        names.append(recipient)
        return renamed if len(names) == 1 else None

    def by_lease(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """The outcomes for the names that the lease has."""
        if not self.leased:
            return list(outcomes)
        return [
            outcome if name is outcome.recipient else replace(outcome, recipient=name)
            for outcome in outcomes
            for name in self.leased.get(outcome.recipient, (outcome.recipient,))
        ]
