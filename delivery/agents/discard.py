"""discard - the discard(8) agent: delivered to nowhere, successfully.

SUMMARY      every recipient is SENT; the reason is the next hop of the route
DURABLE      there is nothing to keep
SOURCE       Postfix discard(8)
"""

from __future__ import annotations

from delivery.agents.base import Delivery, Result, settle
from delivery.values import Status


class DiscardAgent:
    """Throws mail away, as the administrator asked."""

    async def deliver(self, delivery: Delivery) -> Result:
        """All recipients are SENT."""
        reason = delivery.route.nexthop or "discarded"
        return Result(outcomes=settle(delivery.recipients, Status.SENT, "2.0.0", reason))
