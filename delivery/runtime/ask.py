"""ask - whom restrictions may wait for: the DNS, policy services, a clock.

SUMMARY      Asker(resolver) keeps delivery.policy.facts.Ask
RULES        a policy request is attribute=value lines and an empty line; action= is the answer
             an answer is bounded in time (the service's own limit) and size (ANSWER_BYTES)
NOT DONE     kept connections to policy services; address probes: verify() says it cannot
SOURCE       SMTPD_POLICY_README
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from delivery.policy.facts import (
    PolicyService,
    PolicyServiceUnavailable,
    Probe,
    ProbeUnavailable,
)
from delivery.runtime.resolver import Resolver
from tables.addresses import Address

ANSWER_BYTES = 64 * 1024


class Asker:
    """One for the engine."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    @property
    def resolver(self) -> Resolver:
        """The DNS."""
        return self._resolver

    async def policy(self, service: PolicyService, attributes: Sequence[tuple[str, str]]) -> str:
        """The action that the service answers; raises PolicyServiceUnavailable."""
        request = "".join(f"{name}={_one_line(value)}\n" for name, value in attributes) + "\n"
        trouble = "no try was allowed"
        for attempt in range(service.try_limit):
            if attempt:
                await asyncio.sleep(service.retry_delay_s)
            try:
                exchange = _exchange(service.endpoint, request.encode())
                answer = await asyncio.create_task(
                    asyncio.wait_for(exchange, timeout=service.timeout_s)
                )
            except (OSError, ValueError, asyncio.IncompleteReadError) as error:
                trouble = f"{type(error).__name__}: {error}"
                continue
            except asyncio.LimitOverrunError:
                trouble = "the answer is too long"
                continue
            return answer
        raise PolicyServiceUnavailable(f"{service.endpoint}: {trouble}")

    async def verify(self, address: Address) -> Probe:
        """Addresses are not probed yet: always could-not-tell."""
        raise ProbeUnavailable("address verification is not available")

    async def sleep(self, seconds: float) -> None:
        """postconf(5) sleep."""
        await asyncio.sleep(seconds)


def _one_line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ").replace("\0", " ")


async def _exchange(endpoint: str, request: bytes) -> str:
    kind, _, place = endpoint.partition(":")
    if kind == "unix":
        reader, writer = await asyncio.open_unix_connection(place, limit=ANSWER_BYTES)
    else:
        host, _, port = (place if kind == "inet" else endpoint).rpartition(":")
        reader, writer = await asyncio.open_connection(
            host.strip("[]") or "127.0.0.1", int(port), limit=ANSWER_BYTES
        )
    try:
        writer.write(request)
        answer = await reader.readuntil(b"\n\n")
    finally:
        writer.close()
    for line in answer.decode("utf-8", "replace").splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip() == "action":
            return value.strip()
    raise ValueError("an answer without action=")
