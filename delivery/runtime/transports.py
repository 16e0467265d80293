"""transports - from the name of a transport to the agent that delivers for it.

SUMMARY      Transports.agent(rules, "virtual") -> Agent | None
RULES        a transport is a unix service of the generation, and its daemon says which agent; a
             generation without services has those of Postfix's own master.cf
             agents are made once for each generation and transport; what outlives a generation
             (threads, connections) is kept here and shared
SOURCE       master(5), transport(5)
"""

from __future__ import annotations

from collections.abc import Callable

from delivery.agents.base import Agent
from delivery.agents.discard import DiscardAgent
from delivery.agents.error import ErrorAgent
from delivery.agents.mailbox import MailboxAgent, MailboxSettings
from delivery.agents.maildir import MaildirWriter
from delivery.config import Config
from delivery.runtime.machine import host_name
from delivery.runtime.resolver import Resolver
from delivery.runtime.rules import Rules
from delivery.values import Status
from tables.parameters import Parameters

# name -> daemon; Postfix's master.cf as shipped
STANDARD = {
    "smtp": "smtp",
    "relay": "smtp",
    "local": "local",
    "virtual": "virtual",
    "error": "error",
    "retry": "error",
    "discard": "discard",
}


class Transports:
    """Makes agents."""

    def __init__(self, config: Config, resolver: Resolver) -> None:
        self._config = config
        self._resolver = resolver
        self._maildirs = MaildirWriter(hostname=host_name())
        self._rules: Rules | None = None
        self._agents: dict[str, Agent | None] = {}
        self._makers: dict[str, Callable[[Rules, Parameters, str], Agent]] = {
            "virtual": self._virtual,
            "error": self._error,
            "discard": self._discard,
        }

    def agent(self, rules: Rules, transport: str) -> Agent | None:
        """The agent of a transport; None when there is no such service, or nobody to run it."""
        if rules is not self._rules:
            self._rules, self._agents = rules, {}
        if transport not in self._agents:
            self._agents[transport] = self._make(rules, transport)
        return self._agents[transport]

    async def close(self) -> None:
        """Let running deliveries into Maildirs end."""
        self._maildirs.close()

    # inside

    def _make(self, rules: Rules, transport: str) -> Agent | None:
        parameters = rules.parameters
        daemon = None if rules.snapshot.services else STANDARD.get(transport)
        for service in rules.snapshot.services:
            if service.name == transport and service.type in ("unix", "fifo"):
                daemon = service.daemon
                parameters = parameters.with_overrides(service.overrides)
        maker = self._makers.get(daemon or "")
        return None if maker is None else maker(rules, parameters, transport)

    def _virtual(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        maps = rules.snapshot.maps
        return MailboxAgent(
            self._maildirs,
            parameters.bind(MailboxSettings),
            maps(parameters.text("virtual_mailbox_maps")),
            maps(parameters.text("virtual_mailbox_limit_maps")),
        )

    def _error(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        return ErrorAgent(Status.DEFERRED if transport == "retry" else Status.BOUNCED)

    def _discard(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        return DiscardAgent()
