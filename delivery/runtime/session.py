"""session - one connection: bytes to events, events to replies, and the clock.

SUMMARY      Session is an asyncio.Protocol; the listener makes one for each connection
RULES        replies of one read go out in one write (RFC 2920 3.2); while one command waits for the
             DNS or the disk the next ones stay unread
             a session without a word for smtpd_timeout ends with 421; one that does not read its
             replies is not answered, nor read from, further
             after STARTTLS it goes on over TLS; what came in the clear behind it is not looked at.
             With smtpd_tls_wrappermode it begins so (RFC 8314 3), and nothing is said in the clear
             a client that has said its last (half-closed) is answered to the end
             behind a proxy (smtpd_upstream_proxy_protocol) the client is whom its header names;
             without one in time there is no greeting but 421
             a client that is gone counts as connected while its last command is being worked on:
             hanging up does not free it from the limits
             what went wrong is told to the postmaster at the end (notices.py), if that is wanted
             whatever goes wrong inside ends in 421 4.3.0 and a log line, never in silence
LIMITS       READ_AHEAD bytes wait at most before reading from the socket stops
SOURCE       Postfix smtpd(8); RFC 5321 4.5.3.2.7
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from delivery import log
from delivery.policy.verdict import Blame
from delivery.runtime import eager, handshake, peername
from delivery.runtime.anvil import Counts
from delivery.runtime.ask import Asker
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.dialogue import Dialogue
from delivery.runtime.notices import Notices, Transcript
from delivery.runtime.patience import Patience
from delivery.runtime.rules import ServiceRules
from delivery.smtp import proxyheader, replies
from delivery.smtp.events import NEED_DATA, PAUSED, ContentChunk, Event, StartTls
from delivery.smtp.proxyheader import ProxyHeaderError
from delivery.smtp.replies import Reply
from delivery.smtp.server import ServerProtocol
from delivery.values import Client
from tables.errors import TableUnavailable

READ_AHEAD = 128 * 1024
NOBODY = Client(address="", port=0)  # until it has connected
HAPROXY = "haproxy"  # the one word of smtpd_upstream_proxy_protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all sessions of a process have in common."""

    cleanup: Cleanup
    asker: Asker
    notices: Notices
    counts: Counts
    loop: asyncio.AbstractEventLoop
    admit: Callable[[Session], Reply | None]  # says whether the client may stay; a reply: no
    gone: Callable[[Session], None]  # is told of the end


class Session(asyncio.Protocol):
    """One client."""

    def __init__(self, rules: ServiceRules, shared: Shared) -> None:
        self.client = NOBODY
        self.peer = ""  # whose connection it is: the client's, or a proxy's
        self.rules = rules
        self._shared = shared
        self._loop = shared.loop
        self._smtp = ServerProtocol(
            rules.server,
            command_filter=self._replaced if rules.command_filter else None,
            words=rules.words,
        )
        self._server = ("", 0)
        # what comes before commands, as far as it is here: a proxy's header, a handshake
        self._prelude: bytearray | None = None
        self._header_timer: asyncio.TimerHandle | None = None
        self._dialogue: Dialogue | None = None
        self._transport: asyncio.Transport | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # what waits
        self._out: list[bytes] = []  # replies not written yet
        self._busy = False  # somebody is waited for
        self._reading = True
        self._choked = False  # the client does not read
        self._half_closed = False  # it will not say any more
        self._hung_up = False  # we will not
        self._is_mute = False  # TLS is to come first: nothing is said in the clear
        self._draining = False
        self._patience = Patience(rules.settings)
        self._timer: asyncio.TimerHandle | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        made: Any = transport  # uvloop's is of no class of asyncio
        self._transport = made
        peer = transport.get_extra_info("peername")
        own = transport.get_extra_info("sockname")
        if not peer or not own:  # it has left already
            made.abort()
            return
        self.peer = _plain(peer[0])
        self.client = Client(address=self.peer, port=int(peer[1]))
        self._server = (_plain(own[0]), int(own[1]))
        self._patience.since = self._loop.time()
        self._tick()
        if self.rules.tls.settings.smtpd_tls_wrappermode:
            self._is_mute = True
            self._prelude = bytearray()
        refusal = self._shared.admit(self)
        if refusal is not None:
            self._say_and_close(refusal)
        elif self.rules.settings.smtpd_upstream_proxy_protocol == HAPROXY:
            self._prelude = bytearray()
            patience = self.rules.settings.smtpd_upstream_proxy_timeout
            self._header_timer = self._loop.call_later(patience, self._no_header, "timeout")
        elif self._is_mute:
            self._loop.call_soon(self._begin)  # a transport is read from only behind this call
        else:
            self._start(self._greet())

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        if self._prelude is not None:
            self._prelude += data
            if self._header_timer is not None:
                self._read_header(self._prelude)
            elif self._transport is not None:  # the rest of a handshake comes when it has begun
                self._transport.pause_reading()
            return
        self._smtp.receive_data(data)
        if self._busy or self._choked:  # whoever only talks and never listens is not waited for
            self._read_ahead()
        else:
            self._serve()

    def _read_ahead(self) -> None:
        """Bytes wait until what came before them is answered; no more than enough."""
        if self._reading and self._smtp.buffered > READ_AHEAD and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The client will say no more; True: what it said is still to be answered."""
        self._half_closed = True
        return (self._busy or self._choked) and not self._smtp.is_encrypted  # TLS ends both ways

    def pause_writing(self) -> None:
        """The client does not read what it was told."""
        self._choked = True

    def resume_writing(self) -> None:
        """It reads again."""
        self._choked = False
        if not self._busy:
            self._serve()
            if not (self._busy or self._hung_up):
                self._go_on()

    def connection_lost(self, error: Exception | None) -> None:
        """The end, however it came."""
        if self._timer is not None:
            self._timer.cancel()
        self._forget_header_timer()
        self._transport = None
        if not self._smtp.closed and not self._hung_up:
            log.event(
                "smtpd",
                problem="lost connection",
                after=self._smtp.state.value,
                client=self._client,
            )
        if not self._busy:
            self._end()  # what is busy is let finish: a message may be on its way to disk

    # for the listener

    def shut_down(self) -> None:
        """Stop: at once between messages, after the message otherwise."""
        self._draining = True
        if not self._busy and self._transport is not None and not self._hung_up:
            self._leave()

    def abort(self) -> None:
        """Hang up without a word."""
        self._hung_up = True
        if self._transport is not None:
            self._transport.abort()

    # inside

    def _begin(self) -> None:
        if self._transport is not None and not self._hung_up:
            self._start(self._greet())

    def _read_header(self, heard: bytearray) -> None:
        """A proxy says whom it speaks for. postconf(5) smtpd_upstream_proxy_protocol."""
        try:
            found = proxyheader.read(bytes(heard), self.rules.server.families)
        except ProxyHeaderError as error:
            self._no_header(str(error))
            return
        if found is None:
            return
        del heard[: found.length]
        self._forget_header_timer()
        if found.client is not None and found.server is not None:
            self.client = Client(address=found.client[0], port=found.client[1])
            self._server = found.server
        if not self._is_mute:
            self._prelude = None
            self._smtp.receive_data(bytes(heard))
        self._start(self._greet())

    def _no_header(self, problem: str) -> None:
        """Nobody knows who the client is."""
        self._forget_header_timer()
        if self._transport is None or self._hung_up:
            return
        log.event("smtpd", problem=f"haproxy read: {problem}", client=self._client)
        self._say_and_close(replies.no_proxy(self.rules.settings.myhostname))

    def _forget_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _replaced(self, line: str) -> str | None:
        """What is read in place of a command; a table that cannot be asked replaces nothing."""
        try:
            found = self.rules.command_filter.find((line,))
        except TableUnavailable as error:
            log.event("smtpd", problem=str(error), client=self._client)
            return None
        return None if found is None else found.value

    async def _greet(self) -> None:
        shared = self._shared
        if self.rules.settings.smtpd_peername_lookup:
            self.client = await peername.look_up(self.client, shared.asker.resolver)
        dialogue = Dialogue(
            self.rules,
            shared.cleanup,
            shared.asker,
            shared.asker.logins,
            self.client,
            self._server,
            self._smtp,
            shared.counts,
        )
        self._dialogue = dialogue
        if self._is_mute and not await self._begin_wrapped(dialogue):
            return
        self._say(await dialogue.greet())

    def _serve(self) -> None:
        """Answer what has been received, until somebody has to be waited for."""
        smtp, dialogue = self._smtp, self._dialogue
        assert dialogue is not None
        try:
            while not self._choked:
                event = smtp.next_event()
                if event is NEED_DATA or event is PAUSED:
                    break
                if type(event) is ContentChunk:
                    dialogue.take(event.data)
                    self._patience.took(len(event.data), self._loop.time())
                    continue
                answer = dialogue.answer(event)
                if type(answer) is not Reply:
                    if dialogue.faults.is_slowed:
                        self._flush()  # those that are due do not wait for the slow one
                    self._busy = True
                    answered = self._work(self._answer(event, answer))
                    eager.later(answered, self._ended, self._tasks, self._loop)
                    return
                self._out.append(smtp.send(answer))
                if (
                    (type(event) is StartTls and smtp.is_encrypted)
                    or dialogue.faults.are_too_many
                    or (self._draining and not smtp.in_transaction)
                ):
                    self._start(self._turn(event))
                    return
        except Exception as error:  # noqa: BLE001 - a bug of ours, whatever it is
            self._broke(error)
        if not self._out:
            self._patience.heard(self._loop.time())
        self._flush()

    async def _answer(self, event: Event, answer: Awaitable[Reply]) -> None:
        """Give an answer that is waited for."""
        self._out.append(self._smtp.send(await answer))
        await self._turn(event)

    async def _turn(self, event: Event) -> None:
        """What a reply leads to beside the next command: TLS, or the end."""
        smtp, dialogue = self._smtp, self._dialogue
        assert dialogue is not None
        if type(event) is StartTls and smtp.is_encrypted and not await self._start_tls(dialogue):
            return
        if (dialogue.faults.are_too_many or self._draining) and not smtp.closed:
            await self._take_leave(dialogue)

    async def _begin_wrapped(self, dialogue: Dialogue) -> bool:
        """Begin with TLS, as if the client had asked for it already; False: it ends here."""
        answer = dialogue.answer(StartTls())
        reply = answer if isinstance(answer, Reply) else await answer
        if not reply.is_positive:
            log.event("smtpd", problem=f"no TLS: {reply}", client=self._client)
            self.abort()
            return False
        self._smtp.is_encrypted = True
        return await self._start_tls(dialogue)

    async def _start_tls(self, dialogue: Dialogue) -> bool:
        """Go on over TLS; False: there is nobody to go on with.

        What comes from now on is a handshake, or nothing.
        """
        self._flush()
        context, transport = self.rules.tls.context(), self._transport
        if context is None or transport is None or self._hung_up:
            self.abort()
            return False
        limit = self.rules.tls.settings.smtpd_starttls_timeout
        came, self._prelude = bytes(self._prelude or b""), None
        try:
            made = await handshake.begin(transport, self, context, within_s=limit, came=came)
        except (OSError, ValueError, RuntimeError) as error:
            log.event("smtpd", problem=f"TLS handshake: {error}", client=self._client)
            self.abort()
            return False
        if made is None or self._transport is None:
            if made is not None:
                made.abort()
            return False
        self._transport, self._reading, self._is_mute = made, True, False
        self._patience.since = self._loop.time()
        refusal = await dialogue.secured(made.get_extra_info("ssl_object"))
        if refusal is not None:
            self._say_and_close(refusal)
        return refusal is None

    async def _take_leave(self, dialogue: Dialogue) -> None:
        """After the last reply, when no more are to follow but this one."""
        farewell = self._farewell(dialogue)
        if farewell is not None:
            self._flush()
            await dialogue.faults.pause()
            self._say(dialogue.shown(farewell))

    def _farewell(self, dialogue: Dialogue) -> Reply | None:
        """The 421 that must follow the last reply, if any."""
        hostname = self.rules.settings.myhostname
        if dialogue.faults.are_too_many:
            log.event("smtpd", problem="too many errors", client=self._client)
            dialogue.faults.blamed.add(Blame.PROTOCOL)
            return replies.too_many_errors(hostname)
        return None if self._smtp.in_transaction else replies.shutting_down(hostname)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._busy = True
        eager.run(self._work(coroutine), self._ended, self._tasks)

    async def _work(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Do that, then go on, in the same turn of the loop: a client waits for the answer."""
        try:
            await coroutine
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever it is
            self._broke(error)
        self._busy = False
        if self._transport is None:
            self._end()
        elif not self._hung_up:
            self._go_on()

    def _go_on(self) -> None:
        """Nothing is being worked on: what comes next."""
        if self._transport is not None and not self._reading and not self._choked:
            self._reading = True
            self._transport.resume_reading()
        if self._draining:
            self._leave()
        self._serve()
        if self._half_closed and not (self._busy or self._choked or self._hung_up):
            self._hang_up()

    def _leave(self) -> None:
        """The engine stops: hang up, unless a message is on its way."""
        if not (self._smtp.in_transaction or self._smtp.closed or self._choked):
            self._say_and_close(replies.shutting_down(self.rules.settings.myhostname))

    def _ended(self, error: BaseException | None) -> None:
        """What went wrong on the way on, if anything did."""
        if error is not None:
            self._broke(error)

    def _broke(self, error: BaseException) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1:]
        log.event(
            "smtpd",
            problem=f"{type(error).__name__}: {error}",
            at=f"{where[0].filename}:{where[0].lineno}" if where else "",
            client=self._client,
        )
        if self._dialogue is not None:
            self._dialogue.faults.blamed.add(Blame.SOFTWARE)
        if self._transport is not None and not self._smtp.closed:
            self._say_and_close(replies.local_error(self.rules.settings.myhostname))

    def _end(self) -> None:
        """The connection is gone and nothing is being worked on."""
        dialogue = self._dialogue
        if dialogue is not None:
            dialogue.end()
            if blamed := dialogue.faults.blamed:
                transcript = Transcript(self._smtp.said)
                notice = self._shared.notices.send(self.rules, self._client, blamed, transcript)
                eager.run(notice, self._told, self._tasks)
                return
        self._shared.gone(self)

    def _told(self, error: BaseException | None) -> None:
        if error is not None:
            log.event("smtpd", problem=f"{type(error).__name__}: {error}", client=self._client)
        self._shared.gone(self)

    def _say(self, reply: Reply) -> None:
        """Have a reply to no command written with the next ones."""
        self._out.append(self._smtp.send(reply))

    def _say_and_close(self, reply: Reply) -> None:
        self._say(reply)
        self._flush()

    def _flush(self) -> None:
        """Write the replies gathered; the last one may end the connection."""
        if self._out:
            data, self._out = b"".join(self._out), []
            if self._transport is None or self._hung_up:
                return
            if data and not self._is_mute:
                self._transport.write(data)
            self._patience.since = self._loop.time()
        if self._smtp.closed and not self._hung_up:
            self._hang_up()

    def _hang_up(self) -> None:
        """Close, once the client has read; the clock ends it when it never does."""
        self._hung_up = True
        if self._transport is not None:
            self._transport.close()

    @property
    def _client(self) -> str:
        return f"{self.client.name}[{self.client.address}]"

    # the clock

    def _tick(self) -> None:
        """One timer for the whole session, moved only when it rings."""
        left = self._patience.deadline - self._loop.time()
        if left > 0 or (self._busy and not self._hung_up):
            self._timer = self._loop.call_later(max(left, 1.0), self._tick)
        elif self._hung_up or self._choked:
            log.event("smtpd", problem="the client does not read", client=self._client)
            self.abort()
        else:
            log.event("smtpd", problem="timeout", client=self._client)
            self._say_and_close(replies.timeout(self.rules.settings.myhostname))
            self._tick()


@lru_cache(maxsize=1024)
def _plain(address: str) -> str:
    """Without zone, and an IPv4 address in its own form."""
    text = address.partition("%")[0]
    return text.removeprefix("::ffff:") if "." in text else text
