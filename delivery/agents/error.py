"""error - the error(8) agent and its sister retry: the route itself says why not.

SUMMARY      error: every recipient is BOUNCED; retry: every recipient is DEFERRED
RULES        the next hop is the reason, with an optional status code before it ("5.1.6 moved"); a
             code of another class than the transport's gets the class of the transport
             without a code 5.0.0 or 4.0.0; without a text "mail is undeliverable"
DURABLE      nothing is delivered
SOURCE       Postfix error(8), dsn_util.c
"""

from __future__ import annotations

import re

from delivery.agents.base import Delivery, Result, settle
from delivery.values import Status

_STATUS = re.compile(r"([245])(\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|$)(.*)", re.DOTALL)  # RFC 3463 2


class ErrorAgent:
    """error(8) with Status.BOUNCED, retry(8) with Status.DEFERRED."""

    def __init__(self, status: Status = Status.BOUNCED, reason: str = "") -> None:
        """`reason`: in place of the next hop, for an agent that cannot work."""
        self._status = status
        self.reason = reason
        self._class = "5" if status is Status.BOUNCED else "4"

    async def deliver(self, delivery: Delivery) -> Result:
        """The same outcome for all recipients."""
        dsn, reason = self.explain(self.reason or delivery.route.nexthop)
        return Result(outcomes=settle(delivery.recipients, self._status, dsn, reason))

    def explain(self, nexthop: str) -> tuple[str, str]:
        """(status code, reason) of a next hop."""
        match = _STATUS.match(nexthop.strip())
        if match is None:
            return f"{self._class}.0.0", nexthop.strip() or "mail is undeliverable"
        return f"{self._class}{match[2]}", match[3].strip() or "mail is undeliverable"
