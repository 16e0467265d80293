"""rules - one generation made ready to decide: parameters, routing and restriction lists, compiled.

SUMMARY      Rules(snapshot, config) once for each generation; .services: those of smtpd by name
RULES        everything is compiled before the generation is used: a generation whose lists or
             parameters do not hold together is refused here and the one before stays in force
ERRORS       ParameterError, EntryError, TableUnavailable, all of them TableError
SOURCE       postconf(5), master(5) -o
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from delivery.addressees import BounceSettings
from delivery.agents.base import Agent
from delivery.config import Config
from delivery.policy.checks import Policy
from delivery.routing.router import Router
from delivery.runtime.cleanuprules import (
    CLIENT_SIDE,
    CleanupRules,
    handling,
    notice,
)
from delivery.runtime.footer import Footer
from delivery.runtime.machine import on_this_machine, own_addresses
from delivery.runtime.rates import Rate
from delivery.runtime.saslrules import SaslRules, SaslSettings
from delivery.runtime.templatefile import TemplateFile
from delivery.runtime.tlsserver import ServerTlsSettings, TlsServer
from delivery.smtp.settings import ServerSettings
from delivery.smtp.words import CommandWords
from delivery.spool.active import TransportLimits
from delivery.spool.feedback import Feedback, parse_feedback
from delivery.spool.records import SpoolLimits
from delivery.spool.schedule import QueueTimes
from delivery.values import Envelope, Recipient, Route
from tables.addresses import Address
from tables.errors import ParameterError
from tables.parameters import Parameters
from tables.reading.matchlist import MatchList
from tables.reading.snapshot import Snapshot
from tables.services import STANDARD, Service

DEFAULT_SERVICE = STANDARD[0]
PICKUP_SERVICE = Service(name="pickup", type="unix", command="pickup")
EVERYBODY = ("static:anyone",)  # the default of lists of users
_RATE_LIMITS = {  # postconf(5)
    Rate.CONNECTION: "smtpd_client_connection_rate_limit",
    Rate.MESSAGE: "smtpd_client_message_rate_limit",
    Rate.RECIPIENT: "smtpd_client_recipient_rate_limit",
    Rate.HANDSHAKE: "smtpd_client_new_tls_session_rate_limit",
    Rate.LOGIN: "smtpd_client_auth_rate_limit",
}
DELIVERING = ("unix", "fifo")  # types of services that deliver
# postconf(5) queue_minfree: so many times message_size_limit are free, or mail is refused: the end
# of a delivery needs room on the disk as well
ROOM_FACTOR = 1.5
OF_PROBES = (  # parameters of which probes have their own, named address_verify_...
    "default_transport",
    "local_transport",
    "virtual_transport",
    "relay_transport",
    "relayhost",
    "transport_maps",
    "sender_dependent_relayhost_maps",
    "sender_dependent_default_transport_maps",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """What every service that takes mail reads; field names are those of postconf(5)."""

    myhostname: str
    mail_name: str
    cleanup_service_name: str
    receive_override_options: tuple[str, ...]
    content_filter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What a session reads itself; field names are those of postconf(5)."""

    myhostname: str
    smtpd_banner: str
    smtpd_timeout: float
    smtpd_per_request_deadline: bool
    smtpd_min_data_rate: int
    smtpd_recipient_limit: int
    smtpd_recipient_overshoot_limit: int
    smtpd_soft_error_limit: int
    smtpd_hard_error_limit: int
    smtpd_junk_command_limit: int
    smtpd_error_sleep_time: float
    smtpd_peername_lookup: bool
    soft_bounce: bool
    smtpd_upstream_proxy_protocol: str
    smtpd_upstream_proxy_timeout: float
    smtpd_authorized_xclient_hosts: tuple[str, ...]
    smtpd_authorized_xforward_hosts: tuple[str, ...]
    smtpd_discard_ehlo_keyword_address_maps: str
    smtpd_command_filter: str
    smtpd_expansion_filter: str
    smtpd_reject_footer: str
    smtpd_reject_footer_maps: str
    anvil_rate_time_unit: float
    smtpd_client_connection_count_limit: int
    smtpd_client_event_limit_exceptions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSettings:
    """What is told to the postmaster, and by whom; field names are those of postconf(5)."""

    notify_classes: tuple[str, ...]
    error_notice_recipient: str
    bounce_notice_recipient: str
    double_bounce_sender: str


class MailRules:
    """The rules as one service that takes mail sees them, with its own -o settings."""

    def __init__(self, rules: Rules, service: Service, source: str = "smtpd") -> None:
        """`source`: smtpd or sendmail."""
        self.number = rules.number  # not the rules: a circle would outlive its last user
        self.service = service
        self.parameters = rules.parameters
        self.router = rules.router
        if service.overrides:
            self.parameters = rules.parameters.with_overrides(service.overrides)
            self.router = Router(self.parameters, rules.snapshot, rules.own_addresses)
        self.mail = mail = self.parameters.bind(MailSettings)
        self.cleanup = rules.cleanup_rules(mail.cleanup_service_name, service.overrides)
        self.handling = handling(source, mail.receive_override_options, mail.content_filter)


class ServiceRules(MailRules):
    """The rules of an smtpd service."""

    def __init__(self, rules: Rules, service: Service) -> None:
        super().__init__(rules, service)
        parameters = self.parameters
        self.main = rules.parameters
        self.policy = Policy(parameters, rules.snapshot, self.router)
        self.server = parameters.bind(ServerSettings)
        self.words = CommandWords(self.server, rules.snapshot.maps)
        self.settings = settings = parameters.bind(SessionSettings)
        self.notices = parameters.bind(NoticeSettings)
        self.notified = notice("notify", parameters.items("internal_mail_filter_classes"))
        maps = rules.snapshot.maps
        self.unlimited = MatchList(
            "smtpd_client_event_limit_exceptions",
            settings.smtpd_client_event_limit_exceptions,
            maps,
        )
        self.xclient_hosts = MatchList(
            "smtpd_authorized_xclient_hosts", settings.smtpd_authorized_xclient_hosts, maps
        )
        self.xforward_hosts = MatchList(
            "smtpd_authorized_xforward_hosts", settings.smtpd_authorized_xforward_hosts, maps
        )
        limits = {rate: parameters.integer(name) for rate, name in _RATE_LIMITS.items()}
        self.rate_limits = {rate: limit for rate, limit in limits.items() if limit > 0}  # 0: none
        self.discarded_keywords = maps(settings.smtpd_discard_ehlo_keyword_address_maps)
        self.command_filter = maps(settings.smtpd_command_filter)
        self.footer = Footer(
            settings.smtpd_reject_footer,
            maps(settings.smtpd_reject_footer_maps),
            settings.myhostname,
            settings.smtpd_expansion_filter,
        )
        self.flush_domains = _flush_domains(parameters, rules.snapshot)
        self.tls = TlsServer(parameters.bind(ServerTlsSettings))
        needs_tls = self.tls.settings.is_required
        self.sasl = SaslRules(parameters.bind(SaslSettings), maps, needs_tls=needs_tls)


class Rules:
    """One generation, ready. Immutable; sessions and deliveries share it."""

    def __init__(self, snapshot: Snapshot, config: Config) -> None:
        self.snapshot = snapshot
        self.number = snapshot.number
        self._running = snapshot.services or STANDARD
        self.parameters: Parameters = on_this_machine(snapshot.parameters, config)
        self.own_addresses = own_addresses(self.parameters)
        self.router = Router(self.parameters, snapshot, self.own_addresses)
        self.probe_router = self._probe_router()
        self.notes_failed_probes = self.parameters.boolean("address_verify_negative_cache")
        self.queue_times = self.parameters.bind(QueueTimes)
        self.bounce = self.parameters.bind(BounceSettings)
        self.words = TemplateFile(self.parameters)  # of reports
        self.agents: dict[str, Agent | None] = {}  # of transports, as transports.py makes them
        self._limits: dict[str, TransportLimits] = {}
        self._cleanups: dict[tuple[str, ...], CleanupRules] = {}
        self.cleanup = self.cleanup_rules(self.parameters.text("cleanup_service_name"), {})
        self.bounced = notice("bounce", self.parameters.items("internal_mail_filter_classes"))
        room = int(ROOM_FACTOR * self.parameters.size("message_size_limit"))
        self.spool_limits = SpoolLimits(
            free_bytes=max(self.parameters.size("queue_minfree"), room),
            active=self.parameters.integer("qmgr_message_active_limit"),
            recipients=self.parameters.integer("qmgr_message_recipient_limit"),
            recipient_minimum=self.parameters.integer("qmgr_message_recipient_minimum"),
        )
        self._deferred = frozenset(self.parameters.items("defer_transports"))
        self._filter_nexthop = self.parameters.text("default_filter_nexthop")
        self.services = {
            service.name: ServiceRules(self, service) for service in self._smtpd_services()
        }
        self.pickup = MailRules(self, self._pickup_service(), "sendmail")
        for service in self._running:
            if service.type in DELIVERING:
                self.transport_limits(service.name)

    def cleanup_rules(self, name: str, overrides: Mapping[str, str]) -> CleanupRules:
        """The cleanup service of that name, for a service that has these settings of its own."""
        service = self.service_of(name)
        own = {} if service is None else dict(service.overrides)
        of_client = {item: overrides[item] for item in CLIENT_SIDE if item in overrides}
        key = (name, *itertools.chain.from_iterable(sorted(of_client.items())))
        if key not in self._cleanups:
            parameters = self.parameters
            router = self.router
            if own:
                parameters = parameters.with_overrides(own)
                router = Router(parameters, self.snapshot, self.own_addresses)
            if of_client:
                parameters = parameters.with_overrides(of_client)
            self._cleanups[key] = CleanupRules(parameters, self.snapshot, router)
        return self._cleanups[key]

    def is_deferred(self, transport: str) -> bool:
        """True when nothing is tried by that transport until a flush. postconf(5)."""
        return transport in self._deferred

    def _probe_router(self) -> Router:
        """Where probes go: by the parameters named address_verify_..., where they differ."""
        parameters = self.parameters
        others = {name: parameters.text(f"address_verify_{name}") for name in OF_PROBES}
        if all(parameters.text(name) == value for name, value in others.items()):
            return self.router
        return Router(parameters.with_overrides(others), self.snapshot, self.own_addresses)

    def route(self, envelope: Envelope, recipient: Recipient) -> tuple[Route, Address]:
        """Where a recipient's mail goes next, and to which address.

        A content filter comes before everything else.
        """
        address = recipient.address
        if not envelope.filter:
            is_ours = envelope.is_probe and not envelope.is_traced  # not a user's, of -bv
            router = self.probe_router if is_ours else self.router
            resolution = router.resolve(address, envelope.sender)
            return resolution.route, resolution.recipient
        transport, _, nexthop = envelope.filter.partition(":")
        fallback = self._filter_nexthop or address.domain or self.bounce.myhostname
        return Route(transport, nexthop or fallback), address

    @cached_property
    def flush_domains(self) -> MatchList:
        """Domains whose mail may be asked for on its own. postconf(5) fast_flush_domains."""
        return _flush_domains(self.parameters, self.snapshot)

    @cached_property
    def submitters(self) -> MatchList | None:
        """Users whose programs may send mail; None: whoever it is."""
        name = "authorized_submit_users"
        return None if self.parameters.items(name) == EVERYBODY else self.user_list(name)

    def user_list(self, parameter: str) -> MatchList:
        """A list of user names."""
        items = self.parameters.items(parameter)
        return MatchList(parameter, items, self.snapshot.maps, hosts=False)

    def service_of(self, transport: str) -> Service | None:
        """The service that delivers for a transport."""
        for service in self._running:
            if service.name == transport and service.type in DELIVERING:
                return service
        return None

    def transport_limits(self, transport: str) -> TransportLimits:
        """How much of a transport may go on at once. Raises ParameterError."""
        if transport not in self._limits:
            self._limits[transport] = self._transport_limits(transport)
        return self._limits[transport]

    def _transport_limits(self, transport: str) -> TransportLimits:
        parameters = self.parameters
        service = self.service_of(transport)
        processes = -1 if service is None else service.maxproc
        if processes < 0:
            processes = parameters.integer("default_process_limit")
        return TransportLimits(
            process_limit=processes,
            destination_concurrency_limit=parameters.integer(
                f"{transport}_destination_concurrency_limit"
            ),
            initial_destination_concurrency=parameters.integer(
                f"{transport}_initial_destination_concurrency"
            ),
            destination_recipient_limit=parameters.integer(
                f"{transport}_destination_recipient_limit"
            ),
            failed_cohort_limit=self._number(
                f"{transport}_destination_concurrency_failed_cohort_limit"
            ),
            positive_feedback=self._feedback(
                f"{transport}_destination_concurrency_positive_feedback"
            ),
            negative_feedback=self._feedback(
                f"{transport}_destination_concurrency_negative_feedback"
            ),
            retry_after_s=self.queue_times.minimal_backoff_time,
            rate_delay_s=parameters.seconds(f"{transport}_destination_rate_delay"),
            transport_rate_delay_s=parameters.seconds(f"{transport}_transport_rate_delay"),
        )

    def _feedback(self, name: str) -> Feedback:
        try:
            return parse_feedback(self.parameters.text(name))
        except ValueError as error:
            raise ParameterError(f"{name}: {error}", name=name) from None

    def _number(self, name: str) -> float:
        text = self.parameters.text(name)
        try:
            return float(text)
        except ValueError:
            raise ParameterError(f"{name}: {text!r} is no number", name=name) from None

    def _pickup_service(self) -> Service:
        """The service that takes mail from programs of this machine."""
        for service in self._running:
            if service.daemon == "pickup":
                return service
        return PICKUP_SERVICE

    def _smtpd_services(self) -> tuple[Service, ...]:
        """The inet services that are smtpd."""
        return tuple(
            service
            for service in self._running
            if service.type == "inet" and service.daemon == "smtpd"
        )


def _flush_domains(parameters: Parameters, snapshot: Snapshot) -> MatchList:
    name = "fast_flush_domains"
    parents = parameters.items("parent_domain_matches_subdomains")
    return MatchList(
        name, parameters.items(name), snapshot.maps, parent=name in parents, hosts=False
    )
