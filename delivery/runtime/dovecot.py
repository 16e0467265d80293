"""dovecot - Dovecot's authentication service is asked who a client is.

SUMMARY      Logins().at(endpoint) -> AuthService, one for each socket
             service.known: mechanisms that it offered last; await .mechanisms() connects first
             await service.begin(...) -> Exchange, Answer; then await exchange.go_on(response)
PROTOCOL     lines of fields parted by tabs. It says VERSION, MECH ..., DONE; we VERSION, CPID; then
             AUTH and CONT with a number of ours are answered by OK, FAIL or CONT with it
RULES        one connection for all clients; when it is gone whoever waits for an answer hears so,
             and the next one to ask connects again
             what is known of mechanisms is kept meanwhile: who may log in must not depend on when
             the service was restarted
             responses go on as they came, and stand in no log line and no error
LIMITS       CONNECT_S until it has introduced itself, ANSWER_S for an answer, LINE_BYTES a line
             after a failure nobody but who logs in waits for a connection, for RETRY_S
ERRORS       AuthUnavailable: it cannot be asked
SOURCE       Dovecot, Authentication Protocol 1.1; Postfix xsasl_dovecot_server.c
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import cast

from delivery import log
from delivery.errors import DeliveryError
from delivery.runtime.sockets import connect

CONNECT_S = 5.0
ANSWER_S = 10.0  # Postfix AUTH_TIMEOUT
RETRY_S = 5.0
LINE_BYTES = 64 * 1024
MAJOR_VERSION = "1"
_ESCAPES = {"\0": "0", "\x01": "1", "\t": "t", "\n": "n", "\r": "r"}
_TO_ESCAPE = str.maketrans({plain: f"\x01{letter}" for plain, letter in _ESCAPES.items()})
_PLAIN = {letter: plain for plain, letter in _ESCAPES.items()}
_ESCAPED = re.compile(r"\x01(.?)", re.DOTALL)


class AuthUnavailable(DeliveryError):
    """Nobody can tell who it is; the text may be told to clients."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A way to log in; properties in the service's words: plaintext, anonymous, dictionary ..."""

    name: str  # upper case
    properties: frozenset[str] = frozenset()


class Verdict(Enum):
    """What an answer means."""

    MORE = "CONT"
    DONE = "OK"
    FAILED = "FAIL"


@dataclass(frozen=True, slots=True)
class Answer:
    """Of the service."""

    verdict: Verdict
    challenge: str = field(default="", repr=False)  # base64, of MORE
    user: str = ""  # as far as it is known
    reason: str = ""
    is_temporary: bool = False  # FAILED only for now


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the service is told of the client."""

    service: str  # smtpd_sasl_service
    server_address: str
    client_address: str
    is_encrypted: bool


class Logins:
    """The services of an engine."""

    def __init__(self) -> None:
        self._services: dict[str, AuthService] = {}

    def at(self, endpoint: str) -> AuthService:
        """The service that listens at unix:path or inet:host:port."""
        service = self._services.get(endpoint)
        if service is None:
            service = self._services[endpoint] = AuthService(endpoint)
        return service

    def close(self) -> None:
        """Hang up everywhere."""
        for service in self._services.values():
            service.close()
        self._services.clear()


class AuthService:
    """One service."""

    def __init__(self, endpoint: str) -> None:
        self.known: tuple[Mechanism, ...] = ()
        self._endpoint = endpoint
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[_Connection] | None = None
        self._failed: float | None = None  # when it was tried last, in vain

    async def mechanisms(self) -> tuple[Mechanism, ...]:
        """What it offers, known or not yet. Raises AuthUnavailable."""
        if not self.known:
            await self._connected()
        return self.known

    def wake(self) -> None:
        """Connect, so that it is known what it offers; nobody waits, no error is raised."""
        lately = self._failed is not None and time.monotonic() - self._failed < RETRY_S
        if self._connecting is None and not self._is_connected and not lately:
            self._begin_connecting()

    @property
    def is_awaited(self) -> bool:
        """It is not known yet what it offers, and is being asked."""
        return not self.known and self._connecting is not None

    async def begin(
        self, mechanism: str, initial: str | None, about: Circumstances
    ) -> tuple[Exchange, Answer]:
        """The first request; `initial` is base64. Raises AuthUnavailable."""
        exchange = Exchange(await self._connected())
        return exchange, await exchange.begin(mechanism, initial, about)

    def close(self) -> None:
        """Hang up."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            self._connection.close()

    # inside

    @property
    def _is_connected(self) -> bool:
        return self._connection is not None and self._connection.is_open

    async def _connected(self) -> _Connection:
        """The connection; all who need one wait for the same."""
        if self._connection is not None and self._connection.is_open:
            return self._connection
        return await asyncio.shield(self._connecting or self._begin_connecting())

    def _begin_connecting(self) -> asyncio.Task[_Connection]:
        task = asyncio.get_running_loop().create_task(self._connect())
        task.add_done_callback(_forget)
        self._connecting = task
        return task

    async def _connect(self) -> _Connection:
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(CONNECT_S):
                connection = await connect(_Connection, self._endpoint)
                self.known = await connection.introduced
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            if connection is not None:
                connection.close()
            self._failed = time.monotonic()
            text = str(error) or "no answer in time"
            log.event("smtpd", service=self._endpoint, problem=f"SASL: {text}")
            raise AuthUnavailable("Can't connect to authentication server") from error
        finally:
            self._connecting = None
        self._failed, self._connection = None, connection
        return connection


class Exchange:
    """One client that logs in."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._number = 0

    async def begin(self, mechanism: str, initial: str | None, about: Circumstances) -> Answer:
        """The first request. Raises AuthUnavailable."""
        self._number = self._connection.next_number()
        words = [
            "AUTH",
            str(self._number),
            mechanism,
            f"service={_escaped(about.service)}",
            "nologin",
            f"lip={_escaped(about.server_address)}",
            f"rip={_escaped(about.client_address)}",
        ]
        if about.is_encrypted:
            words.append("secured")
        if initial is not None:
            words.append(f"resp={_escaped(initial)}")  # must be the last one
        return await self._ask(words)

    async def go_on(self, response: str) -> Answer:
        """The response to a challenge, base64. Raises AuthUnavailable."""
        return await self._ask(["CONT", str(self._number), _escaped(response)])

    async def _ask(self, words: list[str]) -> Answer:
        # in a task of its own: asyncio.timeout wants one (eager.py)
        return await asyncio.create_task(self._connection.ask(self._number, "\t".join(words)))


class _Connection(asyncio.Protocol):
    """One connection to a service."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.introduced: asyncio.Future[tuple[Mechanism, ...]] = loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._said = b""
        self._mechanisms: list[Mechanism] = []
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}

    @property
    def is_open(self) -> bool:
        """True while it can be asked."""
        return self._transport is not None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected; both sides introduce themselves."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(f"VERSION\t{MAJOR_VERSION}\t1\nCPID\t{os.getpid()}\n".encode())

    def data_received(self, data: bytes) -> None:
        """Lines, whole or in part."""
        *lines, self._said = (self._said + data).split(b"\n")
        if len(self._said) > LINE_BYTES:
            self._end(ValueError("it says more than a line"))
            return
        for line in lines:
            if self._transport is None:
                return
            name, *fields = line.decode("utf-8", "replace").split("\t")
            try:
                self._take(name, fields)
            except (ValueError, IndexError):
                self._end(ValueError(f"not understood: a line that begins with {name[:20]!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        """The service hung up, or we did."""
        self._end(error or ConnectionError("it hung up"))

    # ours

    def next_number(self) -> int:
        """For one exchange."""
        return next(self._numbers)

    async def ask(self, number: int, line: str) -> Answer:
        """One request and its answer. Raises AuthUnavailable."""
        if self._transport is None:
            raise AuthUnavailable("Connection lost to authentication server")
        self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._transport.write(f"{line}\n".encode())
            async with asyncio.timeout(ANSWER_S):
                return await self._waiting[number]
        except TimeoutError:
            raise AuthUnavailable("Connection lost to authentication server") from None
        finally:
            self._waiting.pop(number, None)

    def close(self) -> None:
        """Hang up."""
        self._end(ConnectionError("closed"))

    # inside

    def _take(self, name: str, fields: list[str]) -> None:
        """One line. Raises ValueError, IndexError."""
        match name:
            case "VERSION":
                if fields[0] != MAJOR_VERSION:
                    raise ValueError("another version")
            case "MECH":
                self._mechanisms.append(Mechanism(fields[0].upper(), frozenset(fields[1:])))
            case "DONE":
                if not self.introduced.done():
                    self.introduced.set_result(tuple(self._mechanisms))
            case "OK" | "FAIL" | "CONT":
                waiting = self._waiting.get(int(fields[0]))
                if waiting is not None and not waiting.done():
                    waiting.set_result(_answer(Verdict(name), fields[1:]))

    def _end(self, error: Exception) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
        if not self.introduced.done():
            self.introduced.set_exception(error)
            self.introduced.exception()  # who waits is told; perhaps nobody does
        for waiting in self._waiting.values():
            if not waiting.done():
                lost = AuthUnavailable("Connection lost to authentication server")
                waiting.set_exception(lost)


def _forget(task: asyncio.Task[_Connection]) -> None:
    """Nobody may wait for it."""
    if not task.cancelled():
        task.exception()


def _answer(verdict: Verdict, fields: list[str]) -> Answer:
    """Raises ValueError: a client that is let in must have a name."""
    if verdict is Verdict.MORE:
        return Answer(verdict, challenge=fields[0] if fields else "")
    given = dict(each.partition("=")[::2] for each in fields)
    user = _unescaped(given.get("user", ""))
    if verdict is Verdict.DONE and not user:
        raise ValueError("nobody is let in")
    return Answer(
        verdict,
        user=user,
        reason=_unescaped(given.get("reason", "")),
        is_temporary="temp" in given or given.get("code") == "temp_fail",
    )


def _escaped(text: str) -> str:
    """Text that may stand in a field."""
    return text.translate(_TO_ESCAPE)


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: _PLAIN.get(match[1], match[1]), text)
