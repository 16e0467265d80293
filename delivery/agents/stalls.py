"""stalls - servers at which messages get stuck while, or after, their content is sent.

SUMMARY      Stalls().note(host) -> how often in a row, .forget(host) after a success
             hint(times) -> plain words for the log, the journal and the sender
RULES        one time is bad luck, TIMES in a row are a pattern: small packets arrive and large
             ones do not, because a router on the way can neither pass them on nor say so (a broken
             path-MTU discovery). smtp_path_mtu_discovery_exceptions names destinations for which
             our packets may be cut up on the way
LIMITS       HOSTS remembered; the longest silent one goes first
SOURCE       RFC 1191, RFC 2923 2.1; Postfix FAQ, "timed out while sending end of data"
"""

from __future__ import annotations

from collections import OrderedDict

from delivery.agents.hosts import Host

HOSTS = 1000
TIMES = 3


class Stalls:
    """Belongs to the engine: it outlives generations."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, int] = OrderedDict()

    def note(self, host: Host) -> int:
        """It happened again; how often in a row by now."""
        times = self._times.pop(host.address, 0) + 1
        self._times[host.address] = times
        if len(self._times) > HOSTS:
            self._times.popitem(last=False)
        return times

    def forget(self, host: Host) -> None:
        """A message has arrived there."""
        self._times.pop(host.address, None)


def hint(times: int) -> str:
    """What an operator should know; '' while it may be bad luck."""
    if times < TIMES:
        return ""
    return (
        f" ({times} times in a row: large packets may get lost on the way there;"
        " try smtp_path_mtu_discovery_exceptions)"
    )
