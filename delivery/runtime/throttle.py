"""throttle - does one client ask for too much? What it did lately against its service's limits.

SUMMARY      Throttle(counts, rules, client): await connect(), is_over(rate) -> True: say no
             await was_over(rate): so many before already
             disconnect(), at the end; .limits: none of them for most clients; .is_free: none at all
RULES        the numbers come from anvil.py; whoever has no limit costs no question
             clients of smtpd_client_event_limit_exceptions, and proxies that may speak for others
             (smtpd_authorized_xclient_hosts), are neither counted nor limited
             a limit of 0 is none; what is asked for counts, whether it is granted or not
ERRORS       none: a list that cannot be asked holds nobody, with a log line
SOURCE       Postfix TUNING_README; postconf(5) smtpd_client_connection_count_limit and its kin
"""

from __future__ import annotations

from collections.abc import Mapping

from delivery import log
from delivery.runtime.anvil import Counts
from delivery.runtime.rates import Rate
from delivery.runtime.rules import ServiceRules
from delivery.values import Client
from tables.errors import TableError
from tables.reading.matchlist import MatchList

NO_LIMITS: Mapping[Rate, int] = {}


class Throttle:
    """One client at one service."""

    def __init__(self, counts: Counts, rules: ServiceRules, client: Client) -> None:
        self._counts = counts
        self._client = client
        self._service = rules.service.name
        self._settings = rules.settings
        self.is_free = holds(rules.unlimited, client) or holds(rules.xclient_hosts, client)
        self.limits = NO_LIMITS if self.is_free else rules.rate_limits
        self._is_connected = False

    async def connect(self) -> bool:
        """It has connected; True when that is once too often."""
        if self.is_free:
            return False
        self._is_connected = True
        settings = self._settings
        unit = settings.anvil_rate_time_unit
        now, lately = await self._counts.connect(self._service, self._client.address, unit)
        limit = self.limits.get(Rate.CONNECTION, lately)
        return 0 < settings.smtpd_client_connection_count_limit < now or limit < lately

    def disconnect(self) -> None:
        """It is gone."""
        if self._is_connected:
            self._is_connected = False
            self._counts.disconnect(self._service, self._client.address)

    async def is_over(self, rate: Rate) -> bool:
        """It asks for one more; True when that is one too many."""
        limit = self.limits.get(rate)
        if limit is None:
            return False
        unit = self._settings.anvil_rate_time_unit
        return await self._counts.count(rate, self._service, self._client.address, unit) > limit

    async def was_over(self, rate: Rate) -> bool:
        """True when it has asked for too much already: not even worth trying."""
        limit = self.limits.get(rate)
        if limit is None:
            return False
        unit = self._settings.anvil_rate_time_unit
        return await self._counts.lately(rate, self._service, self._client.address, unit) > limit


def holds(hosts: MatchList, client: Client) -> bool:
    """True for a client that the list names."""
    try:
        return hosts.matches_host(client.name, client.address)
    except TableError as error:
        log.event("smtpd", problem=str(error))
        return False
