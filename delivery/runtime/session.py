"""session - one connection: bytes to events, events to replies, and the clock.

SUMMARY      Session is an asyncio.Protocol; the listener makes one for each connection
RULES        replies of one read go out in one write (RFC 2920 3.2); while one command waits for the
             DNS or the disk the next ones stay unread
             a session without a word for smtpd_timeout ends with 421; one that does not read its
             replies is not answered further
             whatever goes wrong inside ends in 421 4.3.0 and a log line, never in silence
LIMITS       READ_AHEAD bytes wait at most before reading from the socket stops
SOURCE       Postfix smtpd(8); RFC 5321 4.5.3.2.7
"""

from __future__ import annotations

import asyncio
import socket
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, cast

from delivery import log
from delivery.policy.checks import Checks
from delivery.policy.facts import DnsUnavailable, Facts, Stage
from delivery.runtime import eager
from delivery.runtime.ask import Asker
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.dialogue import Dialogue
from delivery.runtime.rules import ServiceRules
from delivery.smtp import replies
from delivery.smtp.events import NEED_DATA, PAUSED, ContentChunk
from delivery.smtp.replies import Reply
from delivery.smtp.server import ServerProtocol
from delivery.values import Client

READ_AHEAD = 128 * 1024


class Session(asyncio.Protocol):
    """One client."""

    def __init__(
        self,
        rules: ServiceRules,
        cleanup: Cleanup,
        asker: Asker,
        *,
        admit: Callable[[Session], Reply | None],
        gone: Callable[[Session], None],
    ) -> None:
        """`admit` says whether the client may stay (a reply: no); `gone` is told of the end."""
        self.client = Client(address="", port=0)
        self.rules = rules
        self._cleanup = cleanup
        self._asker = asker
        self._admit = admit
        self._gone = gone
        self._smtp = ServerProtocol(rules.server)
        self._dialogue: Dialogue | None = None
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._busy = True  # until greeted
        self._reading = True
        self._unread = False  # bytes came while busy
        self._choked = False  # the client does not read
        self._draining = False
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast(asyncio.Transport, transport)
        peer = self._transport.get_extra_info("peername")
        own = self._transport.get_extra_info("sockname")
        connection = self._transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client = Client(address=_plain(peer[0]), port=int(peer[1]))
        self._extend_deadline()
        self._tick()
        refusal = self._admit(self)
        if refusal is not None:
            self._write(self._smtp.send(refusal))
            self._hang_up()
            return
        self._start(self._greet(_plain(own[0]), int(own[1])))

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        self._smtp.receive_data(data)
        self._extend_deadline()
        if not self._busy:
            self._start(self._serve())
            return
        self._unread = True
        if self._reading and self._smtp.buffered > READ_AHEAD and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """The client does not read what it was told."""
        self._choked = True

    def resume_writing(self) -> None:
        """It reads again."""
        self._choked = False
        if not self._busy:
            self._start(self._serve())

    def connection_lost(self, error: Exception | None) -> None:
        """The end, however it came."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        if not self._busy and self._dialogue is not None:
            self._dialogue.end()  # what is busy is let finish: a message may be on its way to disk
        self._gone(self)

    # for the listener

    def shut_down(self) -> None:
        """Stop: at once between messages, after the message otherwise."""
        self._draining = True
        if not self._busy and not self._smtp.in_transaction:
            self._say_and_close(replies.shutting_down(self.rules.settings.myhostname))

    def abort(self) -> None:
        """Hang up without a word."""
        if self._transport is not None:
            self._transport.abort()

    # inside

    async def _greet(self, server_address: str, server_port: int) -> None:
        if self.rules.settings.smtpd_peername_lookup:
            self.client = await self._named(self.client)
        facts = Facts(
            stage=Stage.CONNECT,
            client=self.client,
            server_address=server_address,
            server_port=server_port,
        )
        checks = Checks(self.rules.policy, self._asker)
        self._dialogue = Dialogue(
            self.rules, self._cleanup, facts, checks, lambda: self._smtp.keywords
        )
        self._write(self._smtp.send(await self._dialogue.greet()))
        await self._serve()

    async def _named(self, client: Client) -> Client:
        """The client with its names. Postfix smtpd_peer.c: a name counts when it leads back."""
        resolver = self._asker.resolver
        try:
            names = await resolver.ptr(client.address)
        except DnsUnavailable:
            return Client(address=client.address, port=client.port, forward_error=True)
        if not names:
            return client
        name = names[0]
        failed = False
        try:
            is_verified = client.address in await resolver.addresses(name)
        except DnsUnavailable:
            is_verified, failed = False, True
        return Client(
            address=client.address,
            port=client.port,
            name=name if is_verified else "unknown",
            reverse_name=name,
            forward_error=failed,
        )

    async def _serve(self) -> None:
        """Answer what has been received."""
        smtp, dialogue = self._smtp, self._dialogue
        assert dialogue is not None
        out: list[bytes] = []
        self._unread = False
        while not self._choked and self._transport is not None:
            event = smtp.next_event()
            if event is NEED_DATA or event is PAUSED:
                break
            if type(event) is ContentChunk:
                dialogue.take(event.data)
                continue
            dialogue.facts = _with_pipelining(dialogue.facts, smtp.improper_pipelining)
            out.append(smtp.send(await dialogue.answer(event)))  # type: ignore[arg-type]
            if self._draining and not smtp.in_transaction and not smtp.closed:
                out.append(smtp.send(replies.shutting_down(self.rules.settings.myhostname)))
        self._write(b"".join(out))
        if smtp.closed:
            self._hang_up()

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._busy = True
        task = eager.run(coroutine, self._served)
        if task is not None:
            self._task = task

    def _served(self, error: BaseException | None) -> None:
        self._task = None
        self._busy = False
        if self._transport is None:
            if self._dialogue is not None:
                self._dialogue.end()
            return
        if error is not None:
            self._broke(error)
            return
        if self._smtp.closed:
            return
        self._extend_deadline()
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        if self._draining and not self._smtp.in_transaction:
            self._say_and_close(replies.shutting_down(self.rules.settings.myhostname))
        elif self._unread:
            self._start(self._serve())

    def _broke(self, error: BaseException) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1:]
        place = f"{where[0].filename}:{where[0].lineno}" if where else ""
        log.event(
            "smtpd",
            problem=f"{type(error).__name__}: {error}",
            at=place,
            client=f"{self.client.name}[{self.client.address}]",
        )
        if self._dialogue is not None:
            self._dialogue.end()
        self._say_and_close(replies.local_error(self.rules.settings.myhostname))

    def _say_and_close(self, reply: Reply) -> None:
        self._write(self._smtp.send(reply))
        self._hang_up()

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None:
            self._transport.write(data)

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # the clock

    def _extend_deadline(self) -> None:
        self._deadline = self._loop.time() + self.rules.settings.smtpd_timeout

    def _tick(self) -> None:
        """One timer for the whole session, moved only when it rings."""
        left = self._deadline - self._loop.time()
        if left > 0 or self._busy:
            self._timer = self._loop.call_later(max(left, 1.0), self._tick)
            return
        client = f"{self.client.name}[{self.client.address}]"
        log.event("smtpd", problem="timeout", client=client)
        if self._choked:
            self.abort()
        else:
            self._say_and_close(replies.timeout(self.rules.settings.myhostname))


def _plain(address: str) -> str:
    """Without zone, and an IPv4 address in its own form."""
    text = address.partition("%")[0]
    return text.removeprefix("::ffff:") if "." in text else text


def _with_pipelining(facts: Facts, bad: bool) -> Facts:
    if facts.bad_pipelining == bad:
        return facts
    return replace(facts, bad_pipelining=bad)
