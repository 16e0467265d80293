"""routes - where a leased recipient goes: a transport that is there and may be used now.

SUMMARY      Routes(agent, tell).of(work, recipient) -> (route, the recipient as it is tried)
             await groups(work) -> the recipients of the lease by route
RULES        a recipient is tried at the address it resolves to (user%here@us is user@here), as logs
             and reports then say; one who is delivered to under another name has no turn of its own
             what is not to be tried now (defer_transports), and what cannot be found out or has no
             service, goes by retry; a flush overrules the first
             a long list keeps nobody waiting: others get their turn after IN_A_ROW recipients
ERRORS       none: what went wrong is told, and the recipient deferred
SOURCE       Postfix qmgr(8), trivial-rewrite(8); postconf(5) defer_transports
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from delivery.agents.base import Agent, Prompt
from delivery.runtime.rules import Rules
from delivery.runtime.work import Work
from delivery.values import Recipient, Route
from tables.errors import TableError

IN_A_ROW = 200  # recipients routed, or put off, before others get their turn


class Routes:
    """For all messages."""

    def __init__(
        self,
        agent: Callable[[Rules, str], Agent | None],
        tell: Callable[[BaseException, str], None],
    ) -> None:
        """`agent(rules, transport)`; `tell(error, queue id)` of what went wrong with us."""
        self._agent = agent
        self._tell = tell
        self._routing = asyncio.Lock()  # one message at a time
        self._routed = 0  # recipients, since others had their turn

    async def groups(self, work: Work) -> dict[Route, list[Recipient]]:
        """The recipients by route; those whose route cannot be found out are tried again later."""
        groups: dict[Route, list[Recipient]] = {}
        recipients = work.lease.envelope.recipients
        if not self._routing.locked() and self._routed + len(recipients) < IN_A_ROW:
            self._routed += len(recipients)
            for recipient in recipients:
                self._group(groups, work, recipient)
            return groups
        async with self._routing:
            for recipient in recipients:
                self._routed += 1
                if self._routed >= IN_A_ROW:
                    self._routed = 0
                    await asyncio.sleep(0)
                self._group(groups, work, recipient)
        return groups

    def of(self, work: Work, recipient: Recipient) -> tuple[Route, Recipient | None]:
        """A route, and the recipient by the address it is tried at; None when that one is there."""
        try:
            route, address = work.rules.route(work.lease.envelope, recipient)
        except TableError as error:
            return Route("retry", f"4.3.0 lookup failure: {error}"), recipient
        except Exception as error:  # noqa: BLE001 - one address must not stop the queue
            self._tell(error, work.queue_id)
            return Route("retry", "4.3.0 internal error; the log says more"), recipient
        target = work.under(address, recipient)
        if not work.is_flushed and work.rules.is_deferred(route.transport):
            route = Route("retry", "4.3.2 deferred transport")
        elif self._found(work.rules, route.transport) is None:
            route = Route("retry", f"4.3.0 {unavailable(route.transport)}")
        return route, target

    def is_prompt(self, rules: Rules, transport: str) -> bool:
        """True when what its agent delivers is on a disk of this machine then."""
        return isinstance(self._found(rules, transport), Prompt)

    def _group(
        self, groups: dict[Route, list[Recipient]], work: Work, recipient: Recipient
    ) -> None:
        route, target = self.of(work, recipient)
        if target is not None:
            groups.setdefault(route, []).append(target)

    def _found(self, rules: Rules, transport: str) -> Agent | Exception | None:
        """The agent, or what is wrong with it; None: no such service, or nobody to run it."""
        try:
            return self._agent(rules, transport)
        except Exception as error:  # noqa: BLE001 - the attempt tells of it
            return error


def unavailable(transport: str) -> str:
    """There is no such service, in Postfix's words."""
    return f"mail transport unavailable: no service named {transport}"
