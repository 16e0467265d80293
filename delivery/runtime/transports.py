"""transports - from the name of a transport to the agent that delivers for it.

SUMMARY      Transports.agent(rules, "virtual") -> Agent | None
RULES        a transport is a unix service of the generation, and its daemon says which agent; a
             generation without services has those of Postfix's own master.cf
             agents are made once for each generation and transport, and live as long as its rules;
             what outlives a generation (threads, connections) is kept here and shared
             lmtp reads the lmtp_ twin of each smtp_ parameter
ERRORS       agent(): ParameterError, ValueError: the service has parameters that cannot be
SOURCE       master(5), transport(5), lmtp(8)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import fields
from weakref import ref

from delivery import log
from delivery.agents.base import Agent
from delivery.agents.courier import Courier
from delivery.agents.credentials import Credentials, LoginSettings
from delivery.agents.discard import DiscardAgent
from delivery.agents.error import ErrorAgent
from delivery.agents.filtered import FilteredAgent
from delivery.agents.idle import IdleConnections
from delivery.agents.local import LocalAgent, LocalSettings
from delivery.agents.mailbox import MailboxAgent, MailboxSettings
from delivery.agents.maildir import MaildirWriter
from delivery.agents.nexthop import parse_port
from delivery.agents.patience import Timeouts
from delivery.agents.pipe import PipeAgent, PipeSettings
from delivery.agents.remote import Remote, RemoteAgent, RemoteSettings
from delivery.agents.session import Habits
from delivery.agents.stalls import Stalls
from delivery.agents.tls import TlsContexts
from delivery.agents.tlspolicy import TlsPolicies, TlsSettings
from delivery.config import Config
from delivery.content.outgoing import Outgoing
from delivery.content.settings import OutgoingSettings
from delivery.runtime.clientdns import ClientDns
from delivery.runtime.machine import host_name
from delivery.runtime.resolver import Resolver
from delivery.runtime.rules import Rules
from delivery.smtp.settings import ClientSettings
from delivery.values import Status
from tables import sizelimits
from tables.parameters import REGISTRY, Parameters
from tables.reading.lookup import Maps
from tables.reading.matchlist import MatchList

SYSTEM_CONNECT_TIMEOUT = "180s"

# what the SMTP client reads -> the parameter of the LMTP client
_TABLES = (
    "smtp_tls_policy_maps",
    "smtp_sasl_password_maps",
    "smtp_sasl_mechanism_filter",
    "smtp_reply_filter",
    "smtp_dns_reply_filter",
    "smtp_dns_resolver_options",
    "smtp_path_mtu_discovery_exceptions",
)
_CLIENT_SETTINGS = (
    RemoteSettings,
    ClientSettings,
    Timeouts,
    TlsSettings,
    LoginSettings,
    OutgoingSettings,
)
LMTP_TWINS = {
    field.name: field.name.replace("smtp_", "lmtp_", 1)
    for settings in _CLIENT_SETTINGS
    for field in fields(settings)
    if field.name.startswith("smtp_")
} | {
    **{name: name.replace("smtp_", "lmtp_", 1) for name in _TABLES},
    "smtp_helo_name": "lmtp_lhlo_name",
    "smtp_helo_timeout": "lmtp_lhlo_timeout",
    "smtp_discard_ehlo_keywords": "lmtp_discard_lhlo_keywords",
    "smtp_discard_ehlo_keyword_address_maps": "lmtp_discard_lhlo_keyword_address_maps",
}

# daemon -> the parameter that puts its outcomes into other words
_FILTERS = {
    "virtual": "virtual_delivery_status_filter",
    "local": "local_delivery_status_filter",
    "pipe": "pipe_delivery_status_filter",
    "smtp": "smtp_delivery_status_filter",
    "lmtp": "lmtp_delivery_status_filter",
}


class Transports:
    """Makes agents."""

    def __init__(self, config: Config, resolver: Resolver, courier: Courier | None = None) -> None:
        """`courier`: one that runs already, with rights that this process has given up."""
        self._config = config
        self._resolver = resolver
        self._maildirs = MaildirWriter(hostname=host_name())
        self._idle = IdleConnections()
        self._stalls = Stalls()
        # our own starts with its first order
        self._courier = courier or Courier(directory=str(config.home), spools=config.mail_spools)
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
        agents = rules.agents
        if transport not in agents:
            agents[transport] = self._make(rules, transport)
        return agents[transport]

    async def close(self) -> None:
        """End the helper, say goodbye to other servers, let deliveries into Maildirs end."""
        self._idle.close()
        await self._courier.close()
        await asyncio.to_thread(self._maildirs.close)

    # inside

    def _make(self, rules: Rules, transport: str) -> Agent | None:
        parameters = rules.parameters
        service = rules.service_of(transport)
        maker = None if service is None else self._makers.get(service.daemon)
        if service is None or maker is None:
            return None
        if service.overrides:
            parameters = parameters.with_overrides(service.overrides)
        if problem := sizelimits.conflict(parameters, service.daemon):
            log.event(
                service.daemon, transport=transport, problem=f"configuration error: {problem}"
            )
            return ErrorAgent(Status.DEFERRED, "4.3.0 unknown mail transport error")
        agent = maker(rules, parameters, transport)
        name = _FILTERS.get(service.daemon, "")
        filters = rules.snapshot.maps(parameters.text(name)) if name else None
        return FilteredAgent(agent, filters, name) if filters else agent

    def _virtual(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        maps = rules.snapshot.maps
        return MailboxAgent(
            self._maildirs,
            parameters.bind(MailboxSettings),
            maps(parameters.text("virtual_mailbox_maps")),
            maps(parameters.text("virtual_mailbox_limit_maps")),
            uids=maps(parameters.text("virtual_uid_maps")),
            gids=maps(parameters.text("virtual_gid_maps")),
            helper=self._courier,
        )

    def _local(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        def maps(name: str) -> Maps:
            return rules.snapshot.maps(parameters.text(name))

        return LocalAgent(
            parameters.bind(LocalSettings),
            maps("alias_maps"),
            maps("mailbox_transport_maps"),
            mailbox_commands=maps("mailbox_command_maps"),
            fallback_transports=maps("fallback_transport_maps"),
            agent=self._others(rules),
            router=rules.router,
            helper=self._courier,
        )

    def _pipe(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        service = rules.service_of(transport)
        limit = f"{transport}_time_limit"
        return PipeAgent(
            parameters.bind(PipeSettings),
            () if service is None else service.arguments,
            self._courier,
            transport=transport,
            time_limit=parameters.seconds(limit) if parameters.is_set(limit) else None,
        )

    def _smtp(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        usual = self._config.smtp_client_port
        return self._remote(rules, parameters, _port(parameters, "smtp_tcp_port", usual))

    def _lmtp(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        twins = {
            name: parameters.text(twin) for name, twin in LMTP_TWINS.items() if twin in REGISTRY
        }
        if not parameters.seconds("lmtp_connect_timeout"):  # 0: as long as the system tries
            twins["smtp_connect_timeout"] = SYSTEM_CONNECT_TIMEOUT
        of_lmtp = parameters.with_overrides(twins)
        port = _port(parameters, "lmtp_tcp_port", 24)
        return self._remote(rules, of_lmtp, port, lmtp=True)

    def _remote(
        self, rules: Rules, parameters: Parameters, port: int, *, lmtp: bool = False
    ) -> Agent:
        settings = parameters.bind(RemoteSettings)
        tls, login = parameters.bind(TlsSettings), parameters.bind(LoginSettings)

        def maps(name: str) -> Maps:
            return rules.snapshot.maps(parameters.text(name))

        def names(name: str) -> MatchList:
            return MatchList(name, parameters.items(name), rules.snapshot.maps, hosts=False)

        remote = Remote(
            settings=settings,
            protocol=parameters.bind(ClientSettings),
            timeouts=parameters.bind(Timeouts),
            habits=Habits(
                tls=tls,
                contexts=TlsContexts(tls),
                login=login,
                mechanisms=names("smtp_sasl_mechanism_filter"),
                outgoing=Outgoing(parameters, rules.snapshot, rules.router),
                skips_5xx_greeting=settings.smtp_skip_5xx_greeting,
                tells_origin=settings.smtp_send_xforward_command,
                soft_bounce=rules.bounce.soft_bounce,
                assumes_final=lmtp and settings.lmtp_assume_final,
            ),
            policies=TlsPolicies(tls, maps("smtp_tls_policy_maps")),
            credentials=Credentials(
                login, maps("smtp_sasl_password_maps"), rules.router.keyring.find
            ),
            cached=names("smtp_connection_cache_destinations"),
            fragmented=names("smtp_path_mtu_discovery_exceptions"),
            replies=maps("smtp_reply_filter"),
            discarded=maps("smtp_discard_ehlo_keyword_address_maps"),
            own_addresses=rules.own_addresses,
            default_port=port,
            lmtp=lmtp,
        )
        options = parameters.items("smtp_dns_resolver_options")
        return RemoteAgent(
            remote,
            ClientDns(self._resolver, options, maps("smtp_dns_reply_filter")),
            self._idle,
            stalls=self._stalls,
            agent=self._others(rules),
        )

    def _others(self, rules: Rules) -> Callable[[str], Agent | None]:
        """How an agent finds the agents of other transports."""
        weak = ref(rules)  # what an agent holds on to would keep old rules for ever

        def other(name: str) -> Agent | None:
            living = weak()
            return None if living is None else self.agent(living, name)

        return other

    def _error(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        return ErrorAgent(Status.DEFERRED if transport == "retry" else Status.BOUNCED)

    def _discard(self, rules: Rules, parameters: Parameters, transport: str) -> Agent:
        return DiscardAgent()


def _port(parameters: Parameters, name: str, usual: int) -> int:
    """The port of servers that are named without one; a bad name is said, and is not used."""
    try:
        return parse_port(parameters.text(name), usual)
    except ValueError as error:
        log.event("smtp", problem=f"{name}: {error}")
        return usual
