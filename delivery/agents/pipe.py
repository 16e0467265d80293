"""pipe - the pipe(8) agent: a message is given to a command, as another user.

SUMMARY      PipeAgent(settings, arguments of the service, helper).deliver()
DURABLE      SENT means that the command ended with status 0: what it keeps is its own matter
RULES        one run for all recipients of the delivery (transport_destination_recipient_limit),
             sorted by domain, then address;
             flags D and O need a delivery of one recipient
             with flag D a message that was delivered to the same address before is returned
             whatever the exit status says holds for all recipients
ERRORS       attributes that cannot work: 4.3.5, all mail waits
SOURCE       pipe(8); Postfix pipe.c
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from delivery import log
from delivery.agents.base import ContentReader, Delivery, Result, settle
from delivery.agents.command_environment import EXPORTED, IMPORTED, client_facts, exported
from delivery.agents.courier import CourierFailed
from delivery.agents.envelope_text import envelope_text
from delivery.agents.local_drops import MISCONFIGURED, Helper
from delivery.agents.pipe_arguments import (
    OF_MESSAGE,
    PipeAttributes,
    PipeError,
    make_argv,
    parse_pipe,
    shown_address,
)
from delivery.agents.sysexits import judge
from delivery.courier.wire import Run
from delivery.trace import HeaderScan
from delivery.values import Recipient, Status

_OUTPUT_SHOWN = 100


@dataclass(frozen=True, slots=True)
class PipeSettings:
    """Field names and defaults are those of postconf(5)."""

    recipient_delimiter: str = ""
    command_time_limit: float = 1000.0
    enable_original_recipient: bool = True
    export_environment: tuple[str, ...] = EXPORTED
    import_environment: tuple[str, ...] = IMPORTED


class PipeAgent:
    """pipe(8) for one service of one generation."""

    def __init__(
        self,
        settings: PipeSettings,
        words: Sequence[str],
        helper: Helper,
        *,
        transport: str,
        time_limit: float | None = None,
    ) -> None:
        """`words`: Service.arguments. `time_limit`: transport_time_limit, when it is set."""
        self._settings = settings
        self._helper = helper
        self._transport = transport
        self._seconds = settings.command_time_limit if time_limit is None else time_limit
        self._problem = ""
        self._attributes: PipeAttributes | None = None
        try:
            self._attributes = parse_pipe(words)
        except PipeError as error:
            self._problem = str(error)

    async def deliver(self, delivery: Delivery) -> Result:
        """One Outcome for every recipient; see base.py."""
        dsn, reason = await self._deliver(delivery)
        status = {"2": Status.SENT, "4": Status.DEFERRED}.get(dsn[0], Status.BOUNCED)
        relay = self._transport
        return Result(outcomes=settle(delivery.recipients, status, dsn, reason, relay=relay))

    async def _deliver(self, delivery: Delivery) -> tuple[str, str]:
        """(status code, reason)."""
        attributes = self._attributes
        if attributes is None:
            return self._wrong(delivery, self._problem)
        flags = attributes.flags
        if len(delivery.recipients) > 1 and (needs := flags & {"D", "O"}):
            limit = f"{self._transport}_destination_recipient_limit = 1"
            return self._wrong(delivery, f"pipe flag {min(needs)} requires {limit}")
        if delivery.envelope.is_probe:
            return "2.0.0", f"delivers to command: {attributes.argv[0]}"
        size = delivery.content.size + len(delivery.content.headers)
        if attributes.size and size > attributes.size:
            return "5.2.3", "message too large"
        try:
            if "D" in flags and await _was_here(delivery):
                shown = delivery.recipients[0].address.internal
                return "5.4.6", f"mail forwarding loop for {shown}"
            answer = await self._helper.carry(
                self._order(delivery, attributes, size), delivery.content
            )
        except CourierFailed as error:
            return "4.3.0", str(error)
        except OSError as error:
            return "4.3.0", f"cannot read the message: {error}"
        dsn, reason = judge(answer, attributes.argv[0])
        if not dsn.startswith("2"):
            return dsn, reason
        said = f" ({reason[:_OUTPUT_SHOWN]})" if reason else ""
        return dsn, f"delivered via {self._transport} service{said}"

    def _order(self, delivery: Delivery, attributes: PipeAttributes, size: int) -> Run:
        settings, flags = self._settings, attributes.flags
        sender = delivery.envelope.sender
        first = delivery.recipients[0]
        nexthop = delivery.route.nexthop
        shown = shown_address(sender, flags) if sender else attributes.null_sender
        facts = {
            **dict.fromkeys(OF_MESSAGE, ""),
            "sender": shown,
            "nexthop": nexthop.casefold() if "h" in flags else nexthop,
            "size": str(size),
            "queue_id": delivery.queue_id,
            "envid": delivery.envelope.envid,
            **{name.lower(): value for name, value in client_facts(delivery.envelope).items()},
        }
        if delivery.envelope.client is not None:
            facts["client_port"] = str(delivery.envelope.client.port)
        shows_original = "O" in flags and settings.enable_original_recipient
        return Run(
            user=attributes.user,
            group=attributes.group,
            command="",
            shell="",
            argv=make_argv(
                attributes,
                facts,
                sorted(delivery.recipients, key=_by_domain),
                delimiter=settings.recipient_delimiter,
            ),
            exported=exported(settings.export_environment, settings.import_environment),
            variables=(),
            directory=attributes.directory,
            chroot=attributes.chroot,
            seconds=self._seconds,
            limit=0,
            prefix=envelope_text(
                sender,
                from_line="F" in flags,
                return_path="R" in flags,
                original=first.original if shows_original else None,
                delivered=first.address if "D" in flags else None,
                eol=attributes.eol,
                null_sender=attributes.null_sender,
            ),
            eol=attributes.eol,
            quotes_from=">" in flags,
            stuffs_dots="." in flags,
            ends_blank="B" in flags,
        )

    def _wrong(self, delivery: Delivery, problem: str) -> tuple[str, str]:
        log.event("pipe", queue_id=delivery.queue_id, service=self._transport, problem=problem)
        return "4.3.5", MISCONFIGURED


def _by_domain(recipient: Recipient) -> tuple[str, str]:
    """The order in which qmgr(8) has recipients."""
    address = recipient.address
    return address.domain.casefold(), address.internal


async def _was_here(delivery: Delivery) -> bool:
    """True when the message says that it was delivered to this address. Raises OSError."""
    found = HeaderScan()
    with ContentReader(delivery.content) as reader:
        while not found.is_over and (piece := await reader.next()):
            found.feed(piece)
    found.finish()
    return found.was_delivered_to(delivery.recipients[0].address)
