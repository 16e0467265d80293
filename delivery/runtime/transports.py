"""transports - from the name of a transport to the agent that delivers for it.

SUMMARY      Transports.agent(rules, "virtual") -> Agent | None
RULES        a transport is a unix service of the generation, and its daemon says which agent; a
             generation without services has those of Postfix's own master.cf
             agents are made once for each generation and transport, and live as long as its rules;
             what outlives a generation (threads, connections) is kept here and shared
             lmtp reads the lmtp_ twin of each smtp_ parameter
ERRORS       agent(): ParameterError, ValueError: the service has parameters that cannot be
NOT DONE     unix: sockets of lmtp
SOURCE       master(5), transport(5), lmtp(8)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import fields
from weakref import WeakKeyDictionary, ref

from delivery.agents.base import Agent
from delivery.agents.connection import Timeouts
from delivery.agents.courier import Courier
from delivery.agents.discard import DiscardAgent
from delivery.agents.error import ErrorAgent
from delivery.agents.idle import IdleConnections
from delivery.agents.local import LocalAgent, LocalSettings
from delivery.agents.mailbox import MailboxAgent, MailboxSettings
from delivery.agents.maildir import MaildirWriter
from delivery.agents.pipe import PipeAgent, PipeSettings
from delivery.agents.remote import RemoteAgent, RemoteSettings
from delivery.config import Config
from delivery.content.outgoing import Outgoing
from delivery.content.settings import OutgoingSettings
from delivery.runtime.machine import host_name
from delivery.runtime.resolver import Resolver
from delivery.runtime.rules import STANDARD, Rules
from delivery.smtp.settings import ClientSettings
from delivery.values import Status
from tables.parameters import REGISTRY, Parameters
from tables.reading.lookup import Maps

SYSTEM_CONNECT_TIMEOUT = "180s"

# what the SMTP client reads -> the parameter of the LMTP client
_LMTP_TWINS = {
    field.name: field.name.replace("smtp_", "lmtp_", 1)
    for settings in (RemoteSettings, ClientSettings, Timeouts, OutgoingSettings)
    for field in fields(settings)
    if field.name.startswith("smtp_")
} | {
    "smtp_helo_name": "lmtp_lhlo_name",
    "smtp_helo_timeout": "lmtp_lhlo_timeout",
    "smtp_discard_ehlo_keywords": "lmtp_discard_lhlo_keywords",
}


class Transports:
    """Makes agents."""

    def __init__(self, config: Config, resolver: Resolver) -> None:
        self._config = config
        self._resolver = resolver
        self._maildirs = MaildirWriter(hostname=host_name())
        self._idle = IdleConnections()
        self._courier: Courier | None = None
        self._agents: WeakKeyDictionary[Rules, dict[str, Agent | None]] = WeakKeyDictionary()
        self._makers: dict[str, Callable[[Rules, Parameters, str], Agent]] = {
            "virtual": self._virtual,
            "local": self._local,
            "pipe": self._pipe,
            "smtp": self._smtp,
            "lmtp": self._lmtp,
            "error": self._error,
            "discard": self._discard,
        }

    def agent(self, rules: Rules, transport: str) -> Agent | None:
        """The agent of a transport; None when there is no such service, or nobody to run it."""
        agents = self._agents.setdefault(rules, {})
        if transport not in agents:
            agents[transport] = self._make(rules, transport)
        return agents[transport]

    async def close(self) -> None:
        """End the helper, say goodbye to other servers, let deliveries into Maildirs end."""
        self._idle.close()
        if self._courier is not None:
            await self._courier.close()
        await asyncio.to_thread(self._maildirs.close)

    # inside

    def _helper(self, rules: Rules) -> Courier:
        """The one helper; it starts with its first order.

        The mail spool directory, where it lends rights that users do not have, is what the first
        rules say: whoever could change it in a running engine could have files written anywhere.
        """
        if self._courier is None:
            spool = rules.parameters.text("mail_spool_directory")
            self._courier = Courier(directory=str(self._config.home), spools=[spool])
        return self._courier

    def _make(self, rules: Rules, transport: str) -> Agent | None:
        parameters = rules.parameters
        service = rules.service_of(transport)
        if service is not None:
            daemon: str | None = service.daemon
            if service.overrides:
                parameters = parameters.with_overrides(service.overrides)
        else:
            daemon = None if rules.snapshot.services else STANDARD.get(transport)
        maker = self._makers.get(daemon or "")
        return None if maker is None else maker(rules, parameters, transport)

    def _virtual(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        maps = rules.snapshot.maps
        return MailboxAgent(
            self._maildirs,
            parameters.bind(MailboxSettings),
            maps(parameters.text("virtual_mailbox_maps")),
            maps(parameters.text("virtual_mailbox_limit_maps")),
            uids=maps(parameters.text("virtual_uid_maps")),
            gids=maps(parameters.text("virtual_gid_maps")),
            helper=self._helper(rules),
        )

    def _local(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        def maps(name: str) -> Maps:
            return rules.snapshot.maps(parameters.text(name))

        weak = ref(rules)  # what an agent holds on to would keep old rules for ever

        def other(name: str) -> Agent | None:
            living = weak()
            return None if living is None else self.agent(living, name)

        return LocalAgent(
            parameters.bind(LocalSettings),
            maps("alias_maps"),
            maps("mailbox_transport_maps"),
            mailbox_commands=maps("mailbox_command_maps"),
            fallback_transports=maps("fallback_transport_maps"),
            agent=other,
            router=rules.router,
            helper=self._helper(rules),
        )

    def _pipe(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        service = rules.service_of(transport)
        limit = f"{transport}_time_limit"
        return PipeAgent(
            parameters.bind(PipeSettings),
            () if service is None else service.arguments,
            self._helper(rules),
            transport=transport,
            time_limit=parameters.seconds(limit) if parameters.is_set(limit) else None,
        )

    def _smtp(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        return self._remote(rules, parameters, self._config.smtp_client_port)

    def _lmtp(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        port = parameters.text("lmtp_tcp_port")
        twins = {
            name: parameters.text(twin) for name, twin in _LMTP_TWINS.items() if twin in REGISTRY
        }
        if not parameters.seconds("lmtp_connect_timeout"):  # 0: as long as the system tries
            twins["smtp_connect_timeout"] = SYSTEM_CONNECT_TIMEOUT
        of_lmtp = parameters.with_overrides(twins)
        return self._remote(rules, of_lmtp, int(port) if port.isdecimal() else 24, lmtp=True)

    def _remote(
        self, rules: Rules, parameters: Parameters, port: int, *, lmtp: bool = False
    ) -> Agent:
        return RemoteAgent(
            parameters.bind(RemoteSettings),
            parameters.bind(ClientSettings),
            parameters.bind(Timeouts),
            self._resolver,
            self._idle,
            own_addresses=rules.own_addresses,
            default_port=port,
            lmtp=lmtp,
            outgoing=Outgoing(parameters, rules.snapshot, rules.router),
        )

    def _error(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        return ErrorAgent(Status.DEFERRED if transport == "retry" else Status.BOUNCED)

    def _discard(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        return DiscardAgent()
