"""local - the local(8) agent: aliases, and mailboxes of the domains this machine is for.

SUMMARY      LocalAgent.deliver(): expand aliases, or hand the recipient to mailbox_transport_maps
FORWARDS     an alias becomes one new message to all its addresses (base.Forward): the same sender
             and content, Delivered-To with our recipient before it; NOTIFY without SUCCESS, the
             rest of the DSN parameters kept (RFC 3461 5.2.7.1). The caller rewrites and expands the
             new recipients like any others and enters the message in the transaction that
             settles ours: an alias is neither lost nor sent twice
DURABLE      SENT means handed on as above, or what the mailbox agent means by it
RULES        a message that already carries Delivered-To with our recipient goes in a circle:
             returned a name that is no alias: mailbox_transport_maps (local part ->
             transport:nexthop), else mail for postmaster, mailer-daemon and double-bounce is
             discarded, as Postfix does, else the user is unknown: 5.1.1
             an alias that names itself delivers to that user's mailbox as well; when that has to
             wait, nothing is forwarded yet
ERRORS       table unavailable: 4.3.0; alias circle: 5.4.6
NOT DONE     |command, /file/name and :include: (returned with a reason), owner- aliases, .forward,
             system users' mailboxes, mailbox_command, luser_relay, fallback_transport
SOURCE       Postfix local(8), alias.c, forward.c, unknown.c; aliases(5); RFC 3461 5.2.7
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from delivery.agents.aliases import (
    RESTRICTED,
    AliasLoop,
    AliasProblem,
    Expander,
    Expansion,
    Maps,
)
from delivery.agents.base import Agent, Delivery, Forward, Result, read_content
from delivery.trace import HeaderScan, delivered_to
from delivery.values import Outcome, Recipient, Route, Status
from tables.errors import EntryError, TableUnavailable
from tables.keys import alias_keys
from tables.values import parse_transport

RELAY = "local"


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """Field names and defaults are those of postconf(5)."""

    recipient_delimiter: str = ""
    double_bounce_sender: str = "double-bounce"


class LocalAgent:
    """local(8) for one generation."""

    def __init__(
        self,
        settings: LocalSettings,
        aliases: Maps,
        mailbox_transports: Maps,
        *,
        is_local: Callable[[str], bool],
        agent: Callable[[str], Agent | None],
    ) -> None:
        """`aliases`: alias_maps; `mailbox_transports`: mailbox_transport_maps.

        `is_local(domain)`: its users are ours; `agent(transport)`: who delivers for a transport.
        """
        self._settings = settings
        self._expander = Expander(aliases, is_local, delimiter=settings.recipient_delimiter)
        self._mailbox_transports = mailbox_transports
        self._agent = agent
        self._discarded = {"postmaster", "mailer-daemon", settings.double_bounce_sender.lower()}

    async def deliver(self, delivery: Delivery) -> Result:
        """One Outcome for every recipient; see base.py."""
        try:
            seen = await _headers(delivery)
        except OSError as error:
            reason = f"cannot read the message: {error}"
            return Result(
                outcomes=tuple(
                    _outcome(item, Status.DEFERRED, "4.3.0", reason) for item in delivery.recipients
                )
            )
        parts = [await self._deliver_to(item, delivery, seen) for item in delivery.recipients]
        return Result(
            outcomes=tuple(outcome for part in parts for outcome in part.outcomes),
            forwards=tuple(forward for part in parts for forward in part.forwards),
        )

    async def _deliver_to(
        self, recipient: Recipient, delivery: Delivery, seen: HeaderScan
    ) -> Result:
        if seen.was_delivered_to(recipient.address):
            reason = f"mail forwarding loop for {recipient.address.internal}"
            return _single(recipient, Status.BOUNCED, "5.4.6", reason)
        try:
            expansion = self._expander.expand(recipient.address)
            if expansion is None:
                return await self._deliver_to_user(recipient, delivery)
            return await self._hand_on(recipient, delivery, expansion)
        except TableUnavailable:
            return _single(recipient, Status.DEFERRED, "4.3.0", "alias database unavailable")
        except AliasLoop as error:
            return _single(recipient, Status.BOUNCED, "5.4.6", str(error))
        except AliasProblem:
            return _single(recipient, Status.DEFERRED, "4.3.5", "alias database unavailable")

    async def _hand_on(
        self, recipient: Recipient, delivery: Delivery, expansion: Expansion
    ) -> Result:
        """Forward to the addresses of an alias, and perhaps deliver to its own user."""
        outcome = _outcome(recipient, Status.SENT, "2.0.0", "alias expanded")
        if expansion.to_self:
            own = await self._deliver_to_user(recipient, delivery)
            [outcome] = own.outcomes
            if outcome.status is Status.DEFERRED:
                return own  # all of it later: forwarding now would forward twice
        if expansion.others:
            dsn, reason = RESTRICTED[expansion.others[0].kind]
            outcome = _outcome(recipient, Status.BOUNCED, dsn, reason)
        if not expansion.addresses:
            return Result(outcomes=(outcome,))
        notify = recipient.notify - {"SUCCESS"}
        if recipient.notify == {"SUCCESS"}:
            notify = frozenset({"NEVER"})
        recipients = tuple(
            Recipient(
                address=address, original=recipient.original, notify=notify, orcpt=recipient.orcpt
            )
            for address in expansion.addresses
        )
        envelope = replace(delivery.envelope, recipients=recipients, client=None)
        headers = delivered_to(recipient.address)
        forward = Forward(origin=recipient, envelope=envelope, headers=headers)
        return Result(outcomes=(outcome,), forwards=(forward,))

    async def _deliver_to_user(self, recipient: Recipient, delivery: Delivery) -> Result:
        """To the mailbox of a local user, by the transport that has it."""
        local = recipient.address.local.lower()
        delimiter = self._settings.recipient_delimiter
        found = self._mailbox_transports.find(alias_keys(local, delimiter=delimiter))
        if found is not None:
            return await self._by_transport(found.value, recipient, delivery)
        if local in self._discarded:  # Postfix unknown.c
            return _single(recipient, Status.SENT, "2.0.0", "discarded")
        return _single(recipient, Status.BOUNCED, "5.1.1", f'unknown user: "{local}"')

    async def _by_transport(self, value: str, recipient: Recipient, delivery: Delivery) -> Result:
        try:
            wanted = parse_transport(value)
        except EntryError:
            return _single(recipient, Status.DEFERRED, "4.3.5", "bad mailbox transport")
        agent = self._agent(wanted.transport)
        if agent is None or agent is self:
            reason = f"mail transport unavailable: {wanted.transport}"
            return _single(recipient, Status.DEFERRED, "4.3.0", reason)
        nexthop = wanted.nexthop or recipient.address.domain
        return await agent.deliver(
            replace(
                delivery,
                route=Route(wanted.transport, nexthop),
                recipients=(recipient,),
            )
        )


async def _headers(delivery: Delivery) -> HeaderScan:
    """The header section of the message. Raises OSError."""
    found = HeaderScan()
    async with aclosing(read_content(delivery.content)) as pieces:
        async for piece in pieces:
            found.feed(piece)
            if found.is_over:
                break
    found.finish()
    return found


def _outcome(recipient: Recipient, status: Status, dsn: str, reason: str) -> Outcome:
    return Outcome(recipient=recipient, status=status, dsn=dsn, reason=reason, relay=RELAY)


def _single(recipient: Recipient, status: Status, dsn: str, reason: str) -> Result:
    return Result(outcomes=(_outcome(recipient, status, dsn, reason),))
