"""policyclient - requests to policy services, over connections that are kept for the next one.

SUMMARY      PolicyClient().ask(service, attributes) -> the action that the service answers
PROTOCOL     attribute=value lines and an empty line, both ways; action= is the answer, the first
             one where there are several; names are compared as they are written
RULES        an idle connection is used again, for at most max_idle seconds of rest, max_ttl seconds
             in all and request_limit requests (0: any number); one that the service closed, or that
             said something unasked, is not
             a try that brings no answer is followed by another one after retry_delay, try_limit
             tries in all, each on a connection of its own
LIMITS       timeout for each try; ANSWER_BYTES of answer; IDLE_LIMIT connections at rest
ERRORS       PolicyServiceUnavailable
SOURCE       SMTPD_POLICY_README; postconf(5) smtpd_policy_service_...
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import cast

from delivery import log
from delivery.policy.facts import PolicyService, PolicyServiceUnavailable
from delivery.runtime.sockets import connect

ANSWER_BYTES = 64 * 1024
IDLE_LIMIT = 100


class PolicyClient:
    """One for the engine."""

    def __init__(self) -> None:
        self._idle: dict[str, list[_Connection]] = {}
        self._count = 0

    async def ask(self, service: PolicyService, attributes: Sequence[tuple[str, str]]) -> str:
        """The action that the service answers; raises PolicyServiceUnavailable."""
        lines = [f"{name}={_one_line(value)}\n" for name, value in attributes]
        request = "".join([*lines, "\n"]).encode("utf-8", "surrogateescape")
        trouble = "no try was allowed"
        for attempt in range(service.try_limit):
            if attempt:
                await asyncio.sleep(service.retry_delay_s)
            try:
                return await asyncio.create_task(self._try(service, request))
            except TimeoutError:
                trouble = "no answer in time"
            except (OSError, ValueError) as error:
                trouble = str(error)
        log.event("policy", service=service.endpoint, problem=trouble)
        raise PolicyServiceUnavailable(f"{service.endpoint}: {trouble}")

    def close(self) -> None:
        """Hang up everywhere."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()
        self._count = 0

    # inside

    async def _try(self, service: PolicyService, request: bytes) -> str:
        async with asyncio.timeout(service.timeout_s):
            connection = self._take(service)
            if connection is None:
                connection = await connect(_Connection, service.endpoint)
            try:
                answer = await connection.exchange(request)
            except BaseException:
                connection.close()
                raise
        self._keep(service, connection)
        return _action(answer)

    def _take(self, service: PolicyService) -> _Connection | None:
        kept = self._idle.get(service.endpoint, [])
        now = time.monotonic()
        while kept:
            connection = kept.pop()
            connection.wake()
            self._count -= 1
            if connection.is_usable(service, now):
                return connection
            connection.close()
        self._idle.pop(service.endpoint, None)
        return None

    def _keep(self, service: PolicyService, connection: _Connection) -> None:
        now = time.monotonic()
        connection.rested = now
        if self._count >= IDLE_LIMIT or not connection.is_usable(service, now):
            connection.close()
            return
        self._count += 1
        self._idle.setdefault(service.endpoint, []).append(connection)
        connection.timer = asyncio.get_running_loop().call_later(
            service.max_idle_s, self._expire, service.endpoint, connection
        )

    def _expire(self, endpoint: str, connection: _Connection) -> None:
        kept = self._idle.get(endpoint, [])
        if connection in kept:
            kept.remove(connection)
            self._count -= 1
        connection.close()


class _Connection(asyncio.Protocol):
    """One connection to a service."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._opened = time.monotonic()
        self._requests = 0
        self._said = bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self.rested = 0.0
        self.timer: asyncio.TimerHandle | None = None  # while it rests

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """A piece of the answer, or something that nobody asked for."""
        self._said += data
        end = self._said.find(b"\n\n")
        if self._answer is None or self._answer.done() or len(self._said) > ANSWER_BYTES:
            self._end(ValueError("it says more than an answer"))
        elif end >= 0:
            if end + 2 < len(self._said):
                self._leave()  # what follows would be taken for the next answer
            self._answer.set_result(bytes(self._said[:end]))

    def connection_lost(self, error: Exception | None) -> None:
        """The service hung up, or we did."""
        self._end(error or ConnectionError("it hung up"))

    def is_usable(self, service: PolicyService, now: float) -> bool:
        """True when it may take one more request."""
        limit = service.request_limit
        return not (
            self._transport is None
            or now - self.rested > service.max_idle_s
            or now - self._opened > service.max_ttl_s
            or (limit > 0 and self._requests >= limit)
        )

    async def exchange(self, request: bytes) -> bytes:
        """One request and its answer."""
        if self._transport is None:
            raise ConnectionError("it hung up")
        self._requests += 1
        self._said.clear()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def wake(self) -> None:
        """Its rest is over."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def close(self) -> None:
        """Hang up."""
        self.wake()
        self._leave()

    def _end(self, error: Exception) -> None:
        self._leave()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _leave(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()


def _one_line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ").replace("\0", " ")


def _action(answer: bytes) -> str:
    """The value of the first action attribute. Raises ValueError."""
    for line in answer.decode("utf-8", "replace").split("\n"):
        name, equals, value = line.partition("=")
        if equals and name == "action":
            return value.strip()
    raise ValueError("an answer without action=")
