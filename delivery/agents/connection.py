"""connection - one TCP connection to another server, driven by the client protocol.

SUMMARY      await connect(host, ...) -> Connection; await connection.next_event(); write in between
             await connection.start_tls(context, name): what follows is encrypted
RULES        every wait has its limit, by what is being waited for (patience.py); one alarm watches
             all of a connection
             what is written waits when the other side does not take it: memory stays bounded
ERRORS       ConnectFailed; PeerError from the protocol (lost connection, no SMTP); TimedOut;
             HandshakeFailed, after which the connection is of no use
SOURCE       postconf(5) smtp_..._timeout; RFC 5321 4.5.3.2
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from delivery import log
from delivery.agents.hosts import Host
from delivery.agents.patience import Patience, Timeouts
from delivery.alarm import Alarm
from delivery.errors import DeliveryError
from delivery.smtp.client import ClientProtocol
from delivery.smtp.events import NEED_DATA, Signal
from delivery.smtp.exchange import ClientEvent
from delivery.smtp.settings import ClientSettings

WRITE_BUFFER = 256 * 1024
# linux/in.h, linux/in6.h; Python has no names for them
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DONT = 10, 23, 0


class ConnectFailed(DeliveryError):
    """No connection; the text is the system's."""


class HandshakeFailed(DeliveryError):
    """TLS did not come about; the text is OpenSSL's."""


class TimedOut(DeliveryError):
    """The other side did not answer, or take our bytes, in time."""


class Connection(asyncio.Protocol):
    """Bytes between a socket and a ClientProtocol; made by connect()."""

    def __init__(self, host: Host, client: ClientProtocol, timeouts: Timeouts) -> None:
        self.host = host
        self.client = client
        self.timeouts = timeouts
        self.is_lost = False
        self.is_reused = False  # has already carried a message
        self.uses = 0  # messages it carried
        self.has_spoken = False  # EHLO or more was sent
        self.opened = time.monotonic()
        self.tls: ssl.SSLObject | None = None  # once the connection is encrypted
        self._patience = Patience(timeouts)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._awaited: asyncio.Future[ClientEvent] | None = None  # someone waits for the peer
        self._writable: asyncio.Future[None] | None = None  # writing is paused
        self._watched: asyncio.Future[Any] | None = None  # one of these
        self._alarm = Alarm(self._expire)  # at the end of our patience for it

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._transport.set_write_buffer_limits(WRITE_BUFFER)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self.client.receive_data(data)
        self._look()

    def eof_received(self) -> None:
        """Called by the loop; we close as well."""
        self.client.receive_eof()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop, also after close()."""
        self.is_lost = True
        self.client.receive_eof()
        self._look()
        _wake(self._writable)
        self._alarm.cancel()

    def pause_writing(self) -> None:
        """Called by the loop."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Called by the loop."""
        _wake(self._writable)
        self._writable = None

    # ours

    @property
    def socket(self) -> socket.socket | None:
        """The socket, for its options; None before it is connected."""
        return None if self._transport is None else self._transport.get_extra_info("socket")

    async def next_event(self) -> ClientEvent:
        """The next event; to wait for it, send what is due. Raises PeerError, TimedOut."""
        event = self.client.next_event()
        if not isinstance(event, Signal):
            return event
        awaited: asyncio.Future[ClientEvent] = self._loop.create_future()
        self._awaited = awaited
        try:
            self._wait(event, awaited)
            return await awaited
        finally:
            self._awaited = None

    async def flush(self) -> None:
        """Send what is due, and wait while the other side takes nothing. Raises TimedOut."""
        self._send()
        while self._writable is not None and not self.is_lost:
            assert self._transport is not None, "writing was paused by it"
            before = self._transport.get_write_buffer_size()
            try:
                self._watch(self._writable)
                await self._writable
            except TimedOut:
                if self._transport.get_write_buffer_size() >= before:
                    raise
                if self._writable is not None:  # still paused
                    self._writable = self._loop.create_future()
            took = before - self._transport.get_write_buffer_size()
            self._patience.took(took, self._loop.time())

    async def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """Encrypt what follows; `name` is the server name to ask for. Raises HandshakeFailed."""
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        limit = self.timeouts.smtp_starttls_timeout
        try:
            async with asyncio.timeout(limit + 1.0):  # the limit of the loop comes first
                made = await loop.start_tls(
                    self._transport,
                    self,
                    context,
                    server_hostname=name or None,
                    ssl_handshake_timeout=limit,
                )
        except (OSError, TimeoutError, ValueError) as error:  # ValueError: a name that is none
            self.abort()
            raise HandshakeFailed(str(error)) from error
        if made is None or self.is_lost:
            self.abort()
            raise HandshakeFailed("the connection is closed")
        self._transport = made
        self.tls = made.get_extra_info("ssl_object")

    def quit(self) -> None:
        """Say goodbye, without waiting for the answer, and close."""
        if self._transport is None or self.is_lost:
            return
        with contextlib.suppress(DeliveryError):  # in the middle of something: just close
            self.client.quit()
            self._send()
        self._transport.close()

    def abort(self) -> None:
        """Close at once, in the middle of whatever it is."""
        if self._transport is not None:
            self._transport.abort()

    def is_idle(self) -> bool:
        """True when nothing is wrong and nothing came in unasked: it may be used again."""
        return self.client.is_idle and not self.is_lost

    def _send(self) -> None:
        data = self.client.data_to_send()
        if data and self._transport is not None and not self.is_lost:
            self.has_spoken = True
            self._transport.write(data)

    def _look(self) -> None:
        """Something came: who waits is to hear of events, not of each reply on the way there."""
        awaited = self._awaited
        if awaited is None or awaited.done():
            return
        try:
            event = self.client.next_event()
            if isinstance(event, Signal):
                self._wait(event, awaited)
                return
        except Exception as error:  # noqa: BLE001 - it belongs to who waits
            awaited.set_exception(error)
        else:
            awaited.set_result(event)

    def _wait(self, signal: Signal, awaited: asyncio.Future[ClientEvent]) -> None:
        """Send what is due; what comes next is in `awaited`, or the end of our patience is."""
        assert signal is NEED_DATA, f"the protocol waits for us: {self.client.doing}"
        self._send()
        self._watch(awaited)

    def _watch(self, future: asyncio.Future[Any]) -> None:
        """Let `future` end with TimedOut when our patience does."""
        client, now = self.client, self._loop.time()
        self._watched = future
        self._alarm.set(now + self._patience.left(client.doing, client.answers, now))

    def _expire(self) -> None:
        if self._watched is not None and not self._watched.done():
            self._watched.set_exception(TimedOut())


async def connect(
    host: Host,
    settings: ClientSettings,
    timeouts: Timeouts,
    *,
    lmtp: bool = False,
    bind_address: str = "",
    must_bind: bool = False,
    rewrite: Callable[[str], str | None] | None = None,
    fragments: bool = False,
) -> Connection:
    """A new connection to a host. Raises ConnectFailed. `rewrite`: see smtp/answers.py.

    `must_bind`: not from another address when `bind_address` cannot be used.
    `fragments`: packets may be cut up on the way, no path-MTU discovery.
    """
    loop = asyncio.get_running_loop()
    connection = Connection(host, ClientProtocol(settings, lmtp=lmtp, rewrite=rewrite), timeouts)
    if host.port:
        open_socket = partial(_socket, host, bind_address, must_bind=must_bind, fragments=fragments)
        making = loop.create_task(_connect(connection, host, open_socket))
    else:
        making = loop.create_task(loop.create_unix_connection(lambda: connection, host.address))
    try:
        done, _ = await asyncio.wait({making}, timeout=timeouts.smtp_connect_timeout)
        if not done:
            raise ConnectFailed("Connection timed out")
        making.result()
    except OSError as error:
        text = os.strerror(error.errno) if error.errno else str(error)
        raise ConnectFailed(text) from error
    finally:
        making.cancel()
    return connection


def _socket(host: Host, bind_address: str, *, must_bind: bool, fragments: bool) -> socket.socket:
    """A socket to connect from; options must be set before. Raises ConnectFailed, OSError."""
    is_ipv6 = ":" in host.address
    made = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET)
    try:
        made.setblocking(False)
        if fragments and is_ipv6:  # ip(7), ipv6(7)
            made.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DONT)
        elif fragments:
            made.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DONT)
        if bind_address:
            _bind(made, bind_address, must_bind=must_bind)
    except BaseException:
        made.close()
        raise
    return made


def _bind(made: socket.socket, address: str, *, must_bind: bool) -> None:
    """postconf(5) smtp_bind_address, smtp_bind_address_enforce."""
    try:
        made.bind((address, 0))
    except OSError as error:
        text = f"cannot connect from {address}: {error.strerror or error}"
        if must_bind:
            raise ConnectFailed(text) from error
        log.event("smtp", problem=text)


async def _connect(
    connection: Connection, host: Host, open_socket: Callable[[], socket.socket]
) -> object:
    loop = asyncio.get_running_loop()
    made = open_socket()
    try:
        await loop.sock_connect(made, (host.address, host.port))
        return await loop.create_connection(lambda: connection, sock=made)
    except BaseException:
        made.close()
        raise


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
