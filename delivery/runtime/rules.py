"""rules - one generation made ready to decide: parameters, routing and restriction lists, compiled.

SUMMARY      Rules(snapshot, config) once for each generation; .service(name) for each smtpd service
RULES        everything is compiled before the generation is used: a generation whose lists or
             parameters do not hold together is refused here and the one before stays in force
ERRORS       ParameterError, EntryError, TableUnavailable, all of them TableError
SOURCE       postconf(5), master(5) -o
"""

from __future__ import annotations

from dataclasses import dataclass

from tables.reading.snapshot import Snapshot

from delivery.config import Config
from delivery.policy.checks import Policy
from delivery.routing.router import Router
from delivery.runtime.machine import machine_defaults, own_addresses
from delivery.smtp.settings import ServerSettings
from tables.parameters import Parameters
from tables.reading.matchlist import MatchList
from tables.services import Service

DEFAULT_SERVICE = Service(name="smtp", type="inet", command="smtpd", private=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What a session reads itself; field names are those of postconf(5)."""

    myhostname: str
    mail_name: str
    smtpd_banner: str
    smtpd_timeout: float
    smtpd_recipient_limit: int
    smtpd_recipient_overshoot_limit: int
    smtpd_soft_error_limit: int
    smtpd_hard_error_limit: int
    smtpd_junk_command_limit: int
    smtpd_error_sleep_time: float
    smtpd_peername_lookup: bool
    smtpd_client_connection_count_limit: int
    smtpd_client_event_limit_exceptions: tuple[str, ...]
    hopcount_limit: int
    header_size_limit: int


class ServiceRules:
    """The rules as one smtpd service sees them, with its own -o settings."""

    def __init__(self, rules: Rules, service: Service) -> None:
        self.rules = rules
        self.service = service
        parameters = rules.parameters
        if service.overrides:
            parameters = parameters.with_overrides(service.overrides)
        self.parameters = parameters
        self.router = (
            Router(parameters, rules.snapshot, own_addresses(parameters))
            if service.overrides
            else rules.router
        )
        self.policy = Policy(parameters, rules.snapshot, self.router)
        self.server = parameters.bind(ServerSettings)
        self.settings = parameters.bind(SessionSettings)
        self.unlimited = MatchList(
            "smtpd_client_event_limit_exceptions",
            self.settings.smtpd_client_event_limit_exceptions,
            rules.snapshot.maps,
        )


class Rules:
    """One generation, ready. Immutable; sessions and deliveries share it."""

    def __init__(self, snapshot: Snapshot, config: Config) -> None:
        self.snapshot = snapshot
        self.number = snapshot.number
        self.parameters: Parameters = snapshot.parameters.with_defaults(machine_defaults(config))
        self.router = Router(self.parameters, snapshot, own_addresses(self.parameters))
        self.services = {
            service.name: ServiceRules(self, service) for service in self._smtpd_services()
        }

    def _smtpd_services(self) -> tuple[Service, ...]:
        """The inet services that are smtpd; without any, one on the usual port."""
        found = tuple(
            service
            for service in self.snapshot.services
            if service.type == "inet" and service.daemon == "smtpd"
        )
        return found if self.snapshot.services else (DEFAULT_SERVICE,)
