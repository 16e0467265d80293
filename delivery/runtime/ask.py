"""ask - whom restrictions may wait for: the DNS, policy services, probes of addresses, a clock.

SUMMARY      Asker(resolver) keeps delivery.policy.facts.Ask; .logins: who may log in
SOURCE       SMTPD_ACCESS_README
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from delivery.policy.facts import (
    PolicyService,
    Probe,
    ProbeUnavailable,
)
from delivery.runtime.dovecot import Logins
from delivery.runtime.policyclient import PolicyClient
from delivery.runtime.resolver import Resolver
from tables.addresses import Address


class Verifying(Protocol):
    """Who sends probes: verifier.py, or the way to it."""

    async def verify(self, address: Address) -> Probe:
        """What is known of the address; raises ProbeUnavailable."""
        ...


class Asker:
    """One for the engine."""

    def __init__(self, resolver: Resolver, verifier: Verifying | None = None) -> None:
        """Without a verifier addresses cannot be verified."""
        self._resolver = resolver
        self._verifier = verifier
        self._policies = PolicyClient()
        self.logins = Logins()

    @property
    def resolver(self) -> Resolver:
        """The DNS."""
        return self._resolver

    async def policy(self, service: PolicyService, attributes: Sequence[tuple[str, str]]) -> str:
        """The action that the service answers; raises PolicyServiceUnavailable."""
        return await self._policies.ask(service, attributes)

    async def verify(self, address: Address) -> Probe:
        """What probes found out about the address; raises ProbeUnavailable."""
        if self._verifier is None:
            raise ProbeUnavailable("address verification is not available")
        # in a task of its own: it waits, and eager coroutines have none
        return await asyncio.create_task(self._verifier.verify(address))

    async def sleep(self, seconds: float) -> None:
        """postconf(5) sleep."""
        await asyncio.sleep(seconds)

    def close(self) -> None:
        """Hang up where connections were kept."""
        self._policies.close()
        self.logins.close()
