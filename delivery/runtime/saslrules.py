"""saslrules - who may log in at a service, and how.

SUMMARY      SaslRules(settings, open_maps): .endpoint of the service that is asked, '' for none
             .is_active(is_encrypted=...), .usable(mechanisms, is_encrypted=...),
             .lines(names) for EHLO, .exceptions: clients that are not told
RULES        where TLS is required, or smtpd_tls_auth_only is set, nobody logs in without it
             security options leave out mechanisms that have, or lack, a property
             smtpd_sasl_mechanism_filter concerns what is told alone, as in Postfix
             smtpd_sasl_exceptions_networks are not told of AUTH, but may use it
             of the kinds of authentication services Waypost knows dovecot
ERRORS       ParameterError when made
SOURCE       postconf(5) smtpd_sasl_...; Postfix smtpd_sasl_glue.c, xsasl_dovecot_server.c
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from delivery import log
from delivery.runtime.dovecot import Mechanism
from delivery.runtime.sockets import endpoint
from tables.errors import TableError
from tables.reading.lookup import Maps
from tables.reading.matchlist import MatchList

DOVECOT = "dovecot"
# option -> property that a mechanism must not have
_WITHOUT = {
    "noplaintext": "plaintext",
    "noactive": "active",
    "nodictionary": "dictionary",
    "noanonymous": "anonymous",
}
# option -> property that it must have
_WITH = {"mutual_auth": "mutual-auth", "forward_secrecy": "forward-secrecy"}
_PRIVATE = "private"  # for other programs


@dataclass(frozen=True, slots=True, kw_only=True)
class SaslSettings:
    """Field names are those of postconf(5)."""

    queue_directory: str
    smtpd_sasl_auth_enable: bool
    smtpd_sasl_type: str
    smtpd_sasl_path: str
    smtpd_sasl_service: str
    smtpd_sasl_security_options: tuple[str, ...]
    smtpd_sasl_tls_security_options: tuple[str, ...]
    smtpd_sasl_mechanism_filter: tuple[str, ...]
    smtpd_sasl_exceptions_networks: tuple[str, ...]
    smtpd_sasl_authenticated_header: bool
    smtpd_tls_auth_only: bool
    broken_sasl_auth_clients: bool


class SaslRules:
    """Those of one service of a generation."""

    def __init__(
        self, settings: SaslSettings, open_maps: Callable[[str], Maps], *, needs_tls: bool
    ) -> None:
        self.settings = settings
        self.endpoint = ""
        self._needs_tls = needs_tls or settings.smtpd_tls_auth_only
        filters = settings.smtpd_sasl_mechanism_filter
        self._filter = MatchList("smtpd_sasl_mechanism_filter", filters, open_maps, hosts=False)
        self.exceptions = MatchList(  # those who are not told of AUTH
            "smtpd_sasl_exceptions_networks", settings.smtpd_sasl_exceptions_networks, open_maps
        )
        if not settings.smtpd_sasl_auth_enable:
            return
        if settings.smtpd_sasl_type == DOVECOT:
            self.endpoint = endpoint(settings.smtpd_sasl_path, settings.queue_directory)
        else:
            kind = settings.smtpd_sasl_type
            log.event("smtpd", problem=f"nobody can log in: smtpd_sasl_type {kind} is not dovecot")

    def is_active(self, *, is_encrypted: bool) -> bool:
        """True when a client may log in as things are."""
        return bool(self.endpoint) and (is_encrypted or not self._needs_tls)

    def usable(self, mechanisms: Iterable[Mechanism], *, is_encrypted: bool) -> tuple[str, ...]:
        """The names of those that may be used."""
        settings = self.settings
        options = settings.smtpd_sasl_security_options
        if is_encrypted:
            options = settings.smtpd_sasl_tls_security_options
        return tuple(each.name for each in mechanisms if _is_allowed(each.properties, options))

    def lines(self, mechanisms: tuple[str, ...]) -> tuple[str, ...]:
        """EHLO lines."""
        names = " ".join(filter(self._passes, mechanisms))
        if not names:
            return ()
        if self.settings.broken_sasl_auth_clients:
            return f"AUTH {names}", f"AUTH={names}"
        return (f"AUTH {names}",)

    def _passes(self, name: str) -> bool:
        try:
            return self._filter.matches(name)
        except TableError as error:
            log.event("smtpd", problem=str(error))
            return False


def _is_allowed(properties: frozenset[str], options: Iterable[str]) -> bool:
    given = {option.lower() for option in options}
    return (
        _PRIVATE not in properties
        and not any(_WITHOUT.get(option) in properties for option in given)
        and all(_WITH[option] in properties for option in given & set(_WITH))
    )
