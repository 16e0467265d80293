"""client - the client's half of SMTP and LMTP without any I/O: bytes in, events out.

SUMMARY      ClientProtocol: receive_data(bytes), next_event(), data_to_send(); start(),
             send_content() ...

    client = ClientProtocol(settings, lmtp=False)
    ... on bytes: client.receive_data(data); on end of file: client.receive_eof()
    match client.next_event():
        case Ready():        client.start(transaction)      # EHLO or HELO is done by itself
                             client.ask(Stage.STARTTLS, "STARTTLS") or client.ask(Stage.AUTH, ...)
        case Replied():      client.greet_again()           # after the handshake; then Ready again
        case Refused():      client.quit()                  # refused at greeting or HELO: next host
        case WantContent():  client.send_content(chunk); client.end_content() after the last one
        case Result():       ...                            # exactly one for each recipient
        case Finished():     client.start(another) or client.quit()
        case Goodbye():      ...                            # hang up
    always: transport.write(client.data_to_send())

RULES        MAIL, RCPT and DATA go in one piece where PIPELINING is offered, else one by one; QUIT
             never goes with the final dot (a stray line must not be taken for the final reply);
             BDAT in place of DATA with smtp_send_bdat, where CHUNKING is offered
             options only where they are offered (offer.py); HELO when EHLO fails; LMTP: LHLO, and
             one final reply for each accepted recipient (RFC 2033 4.2); 421 counts as a reply like
             others, and `closing` is True from then on: do not reuse
             a probe ends with the answer to RCPT, or to DATA (smtp_address_verify_target)
ERRORS       PeerError: no SMTP reply, bounds exceeded, connection lost; `doing` says in what,
             `unresolved` which recipients have no Result; OurError: called out of turn, or SMTPUTF8
             needed and not offered
NOT DONE     when to ask for TLS or to log in, and conversion of 8-bit content: agents/
SOURCE       RFC 5321, 2920, 3030, 2033, 1870, 6152, 6531, 3461, 3207, 4954; Postfix smtp(8)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum

from delivery.errors import OurError, PeerError
from delivery.smtp.answers import Answer, AnswerReader
from delivery.smtp.content import ContentDecoder, ContentEncoder
from delivery.smtp.events import NEED_DATA, PAUSED, Signal
from delivery.smtp.exchange import (
    ClientEvent,
    Finished,
    Goodbye,
    Ready,
    Refused,
    Replied,
    Result,
    Stage,
    Transaction,
    WantContent,
)
from delivery.smtp.offer import Offer, command_line
from delivery.smtp.settings import ClientSettings
from delivery.values import Recipient

NOBODY = -1  # an answer that is no single recipient's
_WANT_CONTENT = WantContent()
_OF_ENVELOPE = (Stage.RCPT, Stage.MAIL, Stage.RSET)


class _Phase(Enum):
    """What we are about; the answers owed are in ClientProtocol._owed."""

    HELLO = "greeting and EHLO"
    REFUSED = "refused"
    IDLE = "no transaction"
    ASKING = "STARTTLS, AUTH or XFORWARD"
    ENVELOPE = "MAIL to DATA"
    CONTENT = "the caller gives content"
    FINAL = "waiting for the final replies"
    QUIT = "leaving"
    DEAD = "over"


class ClientProtocol:
    """One connection to another server."""

    def __init__(
        self,
        settings: ClientSettings,
        *,
        lmtp: bool = False,
        rewrite: Callable[[str], str | None] | None = None,
    ) -> None:
        """`rewrite` is given every line of an answer, see answers.py."""
        self.settings = settings
        self.lmtp = lmtp
        self.offer = Offer(settings)
        self.answers = 0  # that came so far
        self.closing = False  # 421, or an answer out of turn: do not reuse the connection
        self._reader = AnswerReader(settings.line_length_limit, rewrite)
        self._phase = _Phase.HELLO
        self._owed: deque[tuple[Stage, int]] = deque([(Stage.GREETING, NOBODY)])
        self._unsent: deque[tuple[Stage, int, bytes]] = deque()
        self._out: list[bytes] = []
        self._events: deque[ClientEvent] = deque()
        self._eof = False
        self._unresolved: dict[int, Recipient] = {}  # no Result yet, by place in the transaction
        self._accepted: list[int] = []  # RCPT was answered 2yz
        self._unclean = False  # an abandoned transaction: RSET before the next one
        self._chunked = False  # this transaction uses BDAT
        self._probes = False  # this transaction sends nothing
        self._asks_data = True  # it says DATA
        self._encoder = ContentEncoder()
        self._cleaner = ContentDecoder(dots=False)

    @property
    def doing(self) -> str:
        """Postfix's words for what goes on: "lost connection while ...", "timed out while ..."."""
        if self._owed:
            return self._owed[0][0].doing
        return Stage.BDAT.doing

    @property
    def is_idle(self) -> bool:
        """True when a transaction may begin: nothing is owed, nothing came unasked."""
        is_quiet = not (self.closing or self._eof or self._events or self._reader.has_unread)
        return is_quiet and self._phase is _Phase.IDLE

    @property
    def wants_content(self) -> bool:
        """True when send_content() or end_content() is to be called."""
        return self._phase is _Phase.CONTENT and not self._owed

    @property
    def unresolved(self) -> tuple[Recipient, ...]:
        """Recipients of the transaction that had no Result: after a PeerError, try them again."""
        return tuple(self._unresolved.values())

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self._reader.feed(data)

    def receive_eof(self) -> None:
        """The peer hung up; next_event() tells what that means."""
        self._eof = True

    def data_to_send(self) -> bytes:
        """The bytes to write now; b"" when there are none."""
        out, self._out = self._out, []
        return b"".join(out)

    @property
    def unsent(self) -> int:
        """How many bytes there are to write."""
        return sum(map(len, self._out))

    def next_event(self) -> ClientEvent | Signal:
        """The next event; NEED_DATA: wait for the peer; PAUSED: we wait for you.

        Raises PeerError once the peer has broken the protocol or gone away; nothing works after.
        """
        try:
            while self._reader.buffer and not self._events and self._phase is not _Phase.DEAD:
                answer = self._reader.next_answer()
                if answer is None:
                    break
                self._take_answer(answer)
            return self._events.popleft() if self._events else self._wait()
        except PeerError:
            self._phase = _Phase.DEAD
            self._out.clear()
            raise

    def _wait(self) -> ClientEvent | Signal:
        """Nothing to report: who has to do something?"""
        phase = self._phase
        if self._eof and phase is not _Phase.DEAD:
            self.closing = True
            if phase not in (_Phase.REFUSED, _Phase.IDLE, _Phase.QUIT):
                raise PeerError(f"lost connection while {self.doing}")
            self._phase = _Phase.DEAD
            return Goodbye()
        if self.wants_content:
            return _WANT_CONTENT
        if phase in (_Phase.REFUSED, _Phase.IDLE, _Phase.DEAD):
            return PAUSED
        return NEED_DATA

    # --- Calls of the agent ------------------------------------------------------------------

    def ask(self, stage: Stage, line: str) -> None:
        """One command of those stages, not in a transaction; its answer comes as Replied."""
        self._require(_Phase.IDLE)
        self._phase = _Phase.ASKING
        if self._unclean:
            self._forget_transaction()
        self._unsent.append((stage, NOBODY, command_line(line)))
        self._send_commands()

    def greet_again(self) -> None:
        """The connection is encrypted now: what was said before is forgotten (RFC 3207 4.2).

        Raises PeerError when the server had sent more in the clear: somebody may have put it there.
        """
        self._require(_Phase.IDLE)
        if self._reader.has_unread:
            self._phase = _Phase.DEAD
            raise PeerError("more than the reply to STARTTLS came before the TLS handshake")
        self.offer = Offer(self.settings)
        self._phase = _Phase.HELLO
        self._hello(Stage.LHLO if self.lmtp else Stage.EHLO)

    def start(self, transaction: Transaction) -> None:
        """Begin a mail transaction, after Ready or Finished; not when `closing`."""
        self._require(_Phase.IDLE)
        offer = self.offer
        if transaction.smtputf8 and "SMTPUTF8" not in offer.keywords:
            raise OurError("SMTPUTF8 is needed and not offered")
        if not transaction.recipients:
            raise OurError("a transaction without recipients")
        self._phase = _Phase.ENVELOPE
        self._unresolved = dict(enumerate(transaction.recipients))
        self._accepted = []
        self._chunked = self.settings.smtp_send_bdat and "CHUNKING" in offer.keywords
        if self._unclean:
            self._forget_transaction()
        self._unsent.append((Stage.MAIL, NOBODY, offer.mail(transaction)))
        for place, recipient in self._unresolved.items():
            self._unsent.append((Stage.RCPT, place, offer.rcpt(recipient)))
        self._probes = transaction.is_probe
        ends_early = self._probes and self.settings.smtp_address_verify_target == "rcpt"
        self._asks_data = not (self._chunked or ends_early)
        if self._asks_data:
            self._unsent.append((Stage.DATA, NOBODY, b"DATA\r\n"))
        if not self._reader.has_unread:  # else a stray reply would be taken for the one to MAIL
            self._send_commands()

    def send_content(self, data: bytes) -> None:
        """A piece of the message, after WantContent."""
        self._require_content()
        if not self._chunked:
            self._out.append(self._encoder.feed(data))
        elif content := self._cleaner.feed(data)[0]:
            self._owed.append((Stage.BDAT, NOBODY))
            self._out += (b"BDAT %d\r\n" % len(content), content)

    def end_content(self) -> None:
        """The message is complete."""
        self._require_content()
        self._phase = _Phase.FINAL
        if self._chunked:
            content = self._cleaner.finish()
            self._out += (b"BDAT %d LAST\r\n" % len(content), content)
        else:
            self._out.append(self._encoder.finish())
        if self.lmtp:  # RFC 2033 4.2
            self._owed.extend((Stage.FINAL, place) for place in self._accepted)
        else:
            self._owed.append((Stage.FINAL, NOBODY))

    def quit(self) -> None:
        """Say QUIT where that still makes sense; Goodbye follows in any case."""
        if self._eof or self._phase is _Phase.DEAD:
            self._phase = _Phase.DEAD
            self._events.append(Goodbye())
            return
        if self._phase not in (_Phase.REFUSED, _Phase.IDLE):
            raise OurError(f"QUIT during {self._phase.value}")
        self._phase = _Phase.QUIT
        self._owed.append((Stage.QUIT, NOBODY))
        self._out.append(b"QUIT\r\n")

    def _require(self, phase: _Phase) -> None:
        if self._phase is not phase:
            raise OurError(f"called during {self._phase.value}, not {phase.value}")

    def _require_content(self) -> None:
        self._require(_Phase.CONTENT)
        if self._owed:
            raise OurError("content was not asked for")

    # --- Commands ----------------------------------------------------------------------------

    def _send_commands(self) -> None:
        """All of them with PIPELINING, else the next one (RFC 2920 3.1)."""
        pipelining = "PIPELINING" in self.offer.keywords
        while self._unsent and (pipelining or not self._owed):
            stage, place, command = self._unsent.popleft()
            self._owed.append((stage, place))
            self._out.append(command)

    def _forget_transaction(self) -> None:
        """One was given up in the middle."""
        self._unclean = False
        self._unsent.append((Stage.RSET, NOBODY, b"RSET\r\n"))

    def _hello(self, stage: Stage) -> None:
        self._owed.append((stage, NOBODY))
        self._out.append(command_line(f"{stage.command} {self.settings.smtp_helo_name}"))

    # --- Answers -----------------------------------------------------------------------------

    def _take_answer(self, answer: Answer) -> None:
        self.answers += 1
        if answer.code == 421:  # RFC 5321 3.8
            self.closing = True
        if not self._owed:
            self._take_unasked(answer)
            return
        stage, place = self._owed.popleft()
        match stage:  # what is frequent comes first
            case Stage.RCPT:
                self._take_rcpt(place, answer)
            case Stage.MAIL:
                if not answer.is_success:
                    self._resolve_all(answer, stage)
            case Stage.DATA:
                self._take_data(answer)
            case Stage.FINAL:
                self._take_final(place, answer)
            case Stage.BDAT:
                if not answer.is_success:
                    self._resolve_all(answer, stage)
                    self._finish(unclean=True)
            case Stage.GREETING | Stage.EHLO | Stage.HELO | Stage.LHLO:
                self._take_hello(stage, answer)
            case Stage.STARTTLS | Stage.AUTH | Stage.XFORWARD:
                self._phase = _Phase.IDLE
                self._events.append(Replied(answer))
            case Stage.RSET:
                pass  # refused or not: the answer to MAIL tells
            case Stage.QUIT:
                self._phase = _Phase.DEAD
                self._events.append(Goodbye())
        if self._phase is _Phase.ENVELOPE:
            self._go_on()
        elif self._phase is _Phase.ASKING:
            self._send_commands()

    def _take_hello(self, stage: Stage, answer: Answer) -> None:
        settings = self.settings
        if stage is Stage.GREETING:
            if not answer.is_success:
                self._refused(answer)
            elif self.lmtp:
                self._hello(Stage.LHLO)
            elif settings.smtp_never_send_ehlo:
                self._hello(Stage.HELO)
            elif settings.smtp_always_send_ehlo or "ESMTP" in answer.text.upper().split():
                self._hello(Stage.EHLO)
            else:
                self._hello(Stage.HELO)
        elif answer.is_success:
            hostname = "" if stage is Stage.HELO else self.offer.read(answer)
            self._phase = _Phase.IDLE
            self._events.append(Ready(hostname, self.offer.keywords))
        elif stage is Stage.EHLO and not self.closing:  # RFC 5321 3.2
            self._hello(Stage.HELO)
        else:
            self._refused(answer)

    def _refused(self, answer: Answer) -> None:
        self._phase = _Phase.REFUSED
        self._events.append(Refused(answer))

    def _take_rcpt(self, place: int, answer: Answer) -> None:
        if place not in self._unresolved:
            return  # MAIL was refused, this is only its echo
        if answer.is_success and (self._asks_data or not self._probes):
            self._accepted.append(place)
        else:
            self._resolve(place, answer, Stage.RCPT)

    def _take_data(self, answer: Answer) -> None:
        goes_on = 300 <= answer.code <= 399
        if not goes_on:
            self._resolve_all(answer, Stage.DATA)
            self._finish(unclean=True)
        elif self._accepted and self._probes:
            # it would take the message, and can only be kept from it by hanging up
            self._resolve_all(answer, Stage.DATA)
            self._hang_up()
        elif self._accepted:
            self._begin_content()
        else:
            # RFC 2920 3.1: 354 although no recipient is valid: an empty message ends it.
            self._phase = _Phase.FINAL
            self._out.append(b".\r\n")
            self._owed.append((Stage.FINAL, NOBODY))

    def _begin_content(self) -> None:
        self._phase = _Phase.CONTENT
        if self._chunked:
            self._cleaner = ContentDecoder(dots=False)
        else:
            self._encoder = ContentEncoder()

    def _go_on(self) -> None:
        """Between two answers of the envelope: what is left to do?"""
        if self._unresolved and not self._all_refused():
            if self._unsent:
                self._send_commands()
            if not self._owed and self._chunked:
                self._begin_content()
            return
        if not self._owed:  # without PIPELINING what is left needs not be asked
            self._finish(unclean=True)

    def _all_refused(self) -> bool:
        """Every RCPT was answered, none of them well."""
        if self._accepted or (self._owed and self._owed[0][0] in _OF_ENVELOPE):
            return False
        return all(stage is Stage.DATA for stage, _, _ in self._unsent)

    def _take_final(self, place: int, answer: Answer) -> None:
        if place == NOBODY:
            self._resolve_all(answer, Stage.FINAL)
        else:
            self._resolve(place, answer, Stage.FINAL)
        if not self._owed:
            self._finish(unclean=False)

    def _take_unasked(self, answer: Answer) -> None:
        """An answer that nothing was asked for: a server that leaves, or one that is broken."""
        self.closing = True
        if answer.code < 400 or self._phase is _Phase.ENVELOPE:
            raise PeerError(f"a reply out of turn: {answer.text}")
        if self._phase is _Phase.CONTENT:
            # It will not take the message. The connection is in the middle of it.
            self._resolve_all(answer, Stage.FINAL)
            self._hang_up()

    def _hang_up(self) -> None:
        """End in the middle of a message, where no command can be said."""
        self.closing = True
        self._phase = _Phase.DEAD
        self._events.append(Finished())

    def _resolve(self, place: int, answer: Answer, stage: Stage) -> None:
        recipient = self._unresolved.pop(place)
        self._events.append(Result(recipient, answer, stage.command))

    def _resolve_all(self, answer: Answer, stage: Stage) -> None:
        for place in tuple(self._unresolved):
            self._resolve(place, answer, stage)

    def _finish(self, *, unclean: bool) -> None:
        self._phase = _Phase.IDLE
        self._unclean = unclean
        self._unsent.clear()
        self._events.append(Finished())
