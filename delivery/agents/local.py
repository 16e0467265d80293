"""local - the local(8) agent: aliases, .forward files, mailboxes and commands of local users.

SUMMARY      LocalAgent.deliver(): recipients are expanded (local_tree), delivered (local_drops)
PARTS        a recipient that stands for several others has a Part for each of them; its Outcome
             says whether it is done with (base.Result)
FORWARDS     what an alias with an owner, a .forward or an :include: names, and every address that
             is not local, becomes a recipient of a new message (base.Forward), one message for
             each sender: the owner of a list in place of the sender. Delivered-To with our
             recipient goes before it. The caller rewrites and expands the new recipients like any
             others and enters the message in the transaction that settles ours: it is neither
             lost nor sent twice. Nothing is forwarded while something else has to be tried again
DURABLE      SENT means handed on as above, or durable in the file, or taken by the command
AGAIN        a recipient that is tried again is expanded again: what was delivered then is
             delivered once more, as by Postfix
SOURCE       Postfix local(8), local.c, forward.c; aliases(5); RFC 3461 5.2.7
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from delivery.agents.base import Agent, ContentReader, Delivery, Forward, Part, Result
from delivery.agents.local_case import DESTINATION_LIMIT, Ledger, Rights, first_case
from delivery.agents.local_drops import Drops, Helper, worst
from delivery.agents.local_settings import LocalSettings
from delivery.agents.local_tables import AliasOwners, LocalTables, Maps, Routing
from delivery.agents.local_tree import Tree
from delivery.agents.users import SystemUsers, Users
from delivery.routing.router import Router
from delivery.trace import HeaderScan, delivered_to
from delivery.values import Outcome, Recipient, Status
from tables.addresses import Address

__all__ = ["LocalAgent", "LocalSettings", "LocalTables", "RouterDoor"]

FORWARDED = "forwarded"


class RouterDoor:
    """Addresses as the engine's router sees them."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def complete(self, address: Address) -> Address:
        """The address with a domain."""
        return self._router.rewriter.complete(address)

    def route(self, address: Address, sender: Address) -> tuple[Address, str]:
        """(address, transport). Raises TableUnavailable."""
        resolution = self._router.resolve(self.complete(address), sender)
        if resolution.is_bad:
            return resolution.recipient, ""
        return resolution.recipient, resolution.route.transport


class _DomainDoor:
    """Addresses without a router: those of local domains are ours, for a transport named local."""

    def __init__(self, is_local: Callable[[str], bool], domain: str = "localhost") -> None:
        self._is_local = is_local
        self._domain = domain

    def complete(self, address: Address) -> Address:
        return address if address.domain else Address(address.local, self._domain)

    def route(self, address: Address, sender: Address) -> tuple[Address, str]:
        is_ours = not address.domain or self._is_local(address.domain)
        return self.complete(address), "local" if is_ours else "smtp"


class LocalAgent:
    """local(8) for one generation."""

    def __init__(
        self,
        settings: LocalSettings,
        aliases: Maps,
        mailbox_transports: Maps,
        *,
        agent: Callable[[str], Agent | None],
        router: Router | None = None,
        is_local: Callable[[str], bool] = lambda domain: False,
        mailbox_commands: Maps | None = None,
        fallback_transports: Maps | None = None,
        helper: Helper | None = None,
        users: Users | None = None,
        destination_limit: int = DESTINATION_LIMIT,
    ) -> None:
        """The tables are those of the parameters alias_maps, mailbox_transport_maps ...

        `agent(transport)`: who delivers for a transport. `helper`: a Courier; without one there
        are no files, commands and users. `users`: those of this machine when there is a helper.
        `is_local(domain)` counts when there is no `router`.
        """
        self._settings = settings
        self._tables = LocalTables(
            alias_maps=aliases,
            mailbox_transport_maps=mailbox_transports,
            mailbox_command_maps=mailbox_commands,
            fallback_transport_maps=fallback_transports,
        )
        self._routing: Routing = _DomainDoor(is_local) if router is None else RouterDoor(router)
        self._agent = agent
        self._destination_limit = destination_limit
        self._helper = helper
        self._users = SystemUsers() if users is None and helper is not None else users
        self._owners = AliasOwners(
            aliases,
            self._routing,
            settings.recipient_delimiter,
            settings.owner_request_special,
            settings.expand_owner_alias,
        )

    async def deliver(self, delivery: Delivery) -> Result:
        """One Outcome for every recipient; see base.py."""
        try:
            seen = await _headers(delivery)
        except OSError as error:
            reason = f"cannot read the message: {error}"
            return Result(
                outcomes=tuple(
                    self._outcome(item, Status.DEFERRED, "4.3.0", reason, delivery)
                    for item in delivery.recipients
                )
            )
        results = [await self._deliver_to(item, delivery, seen) for item in delivery.recipients]
        parts: dict[Recipient, tuple[Part, ...]] = {}
        for result in results:
            parts.update(result.parts)
        return Result(
            outcomes=tuple(outcome for result in results for outcome in result.outcomes),
            forwards=tuple(forward for result in results for forward in result.forwards),
            parts=parts,
            passed_on=frozenset().union(*(result.passed_on for result in results)),
        )

    async def _deliver_to(
        self, recipient: Recipient, delivery: Delivery, seen: HeaderScan
    ) -> Result:
        ledger = Ledger(self._settings.duplicate_filter_limit, self._destination_limit)
        relay = delivery.route.transport
        drops = Drops(
            settings=self._settings,
            delivery=delivery,
            ledger=ledger,
            owners=self._owners,
            helper=self._helper,
            agent=self._other_agent,
            hostname=os.uname().nodename.replace("/", "\\057").replace(":", "\\072"),
            relay=relay,
        )
        tree = Tree(drops, self._tables, self._routing, self._owners, self._users, seen)
        again = await tree.deliver(first_case(recipient, delivery.envelope.sender), Rights())
        forwards = () if again else self._forwards(recipient, delivery, ledger)
        for _ in forwards:
            outcome = self._outcome(recipient, Status.SENT, "2.0.0", FORWARDED, delivery)
            notify = recipient.notify - {"SUCCESS"}  # was told of when it was expanded
            if recipient.notify == {"SUCCESS"}:
                notify = frozenset({"NEVER"})
            told = replace(outcome, recipient=replace(recipient, notify=notify))
            ledger.parts.append(Part(outcome=told))
        if delivery.envelope.is_probe:
            forwards = ()
        return self._result(recipient, delivery, ledger, forwards, again=again)

    def _result(
        self,
        recipient: Recipient,
        delivery: Delivery,
        ledger: Ledger,
        forwards: tuple[Forward, ...],
        *,
        again: bool,
    ) -> Result:
        parts = ledger.parts
        if not parts:  # all of it was a duplicate of something else
            nothing = self._outcome(recipient, Status.SENT, "2.0.0", "nothing to deliver", delivery)
            parts = [Part(outcome=nothing)]
        said = worst(parts) or parts[0].outcome
        if again:
            said = next(part.outcome for part in parts if part.outcome.status is Status.DEFERRED)
        is_simple = (
            len(parts) == 1
            and parts[0].outcome.recipient == recipient
            and parts[0].owner is None
            and parts[0].route is None
        )
        return Result(
            outcomes=(replace(said, recipient=recipient),),
            forwards=forwards,
            parts={} if is_simple else {recipient: tuple(parts)},
            passed_on=frozenset(ledger.passed_on),
        )

    def _forwards(
        self, recipient: Recipient, delivery: Delivery, ledger: Ledger
    ) -> tuple[Forward, ...]:
        """The new messages: one for each Delivered-To and sender."""
        shows = "forward" in self._settings.prepend_delivered_header
        return tuple(
            Forward(
                origin=recipient,
                envelope=replace(delivery.envelope, sender=sender, recipients=tuple(recipients)),
                headers=delivered_to(_folded(delivered)) if shows else b"",
            )
            for (delivered, sender), recipients in ledger.forwards.items()
        )

    def _other_agent(self, transport: str) -> Agent | None:
        agent = self._agent(transport)
        return None if agent is self else agent

    def _outcome(
        self, recipient: Recipient, status: Status, dsn: str, reason: str, delivery: Delivery
    ) -> Outcome:
        relay = delivery.route.transport
        return Outcome(recipient=recipient, status=status, dsn=dsn, reason=reason, relay=relay)


def _folded(address: Address) -> Address:
    return Address(address.local.lower(), address.domain.lower())


async def _headers(delivery: Delivery) -> HeaderScan:
    """The header section of the message. Raises OSError."""
    found = HeaderScan()
    with ContentReader(delivery.content) as reader:
        while not found.is_over and (piece := await reader.next()):
            found.feed(piece)
    found.finish()
    return found
