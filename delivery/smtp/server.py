"""server - the server's half of SMTP without any I/O: bytes in, events out; replies in, bytes out.

SUMMARY      ServerProtocol: receive_data(bytes), next_event(), send(Reply) -> bytes

    protocol = ServerProtocol(settings)
    transport.write(protocol.send(replies.greeting(banner)))
    ... on bytes: protocol.receive_data(data)
    while (event := protocol.next_event()) not in (NEED_DATA, PAUSED):
        out.append(protocol.send(answer(event)))        # nothing to send for a ContentChunk

RULES        one command at a time: PAUSED until the last one is answered, so the replies keep the
             order of pipelined commands (RFC 2920 3.2); join them, and write when next_event() says
             NEED_DATA (that is every synchronisation point: DATA, the final dot, EHLO, QUIT ...
             wait for our answer) after 221, 421 or 521 `closed` is True: write, then hang up
ERRORS       OurError: a reply nobody waits for. Whatever the peer sends gives events, never an
             exception
LIMITS       `said`: the last KEPT replies, each with LINE characters of its command
             a command line: line_length_limit, the rest of it is drained; content: nothing but the
             last line end is held back; bytes that wait while PAUSED: `buffered` says how many,
             stop reading above what you like
SOURCE       RFC 5321, 2920, 3030, 3207; Postfix smtpd(8)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from delivery.errors import OurError
from delivery.smtp import replies
from delivery.smtp.commands import PARSERS, offer, parse_chunk
from delivery.smtp.content import ContentDecoder
from delivery.smtp.events import (
    NEED_DATA,
    PAUSED,
    Auth,
    AuthResponse,
    Bdat,
    ChunkEnd,
    ContentChunk,
    ContentEnd,
    Data,
    Ehlo,
    Event,
    Helo,
    Mail,
    Noop,
    Signal,
    StartTls,
    SyntaxProblem,
    Unknown,
    Vrfy,
    Xclient,
)
from delivery.smtp.intake import Flaw, Intake
from delivery.smtp.replies import Mistake, Reply
from delivery.smtp.settings import ServerSettings
from delivery.smtp.state import HELO_FIRST, IN_TRANSACTION, LEADS, ORDER, State
from delivery.smtp.words import CommandWords, words_in_place

KEPT = 100  # replies and their commands; Postfix smtpd_history_flush_threshold
LINE = 500  # characters of such a command
CHUNK_LIMIT = 256 * 1024  # octets in one ContentChunk: what a processor's cache still holds

# RFC 2920 3.1: nothing may be pipelined behind these. Postfix SMTPD_CMD_FLAG_LAST.
_LAST_IN_GROUP = frozenset({Helo, Ehlo, Data, Noop, Vrfy})
_CHUNK, _REFUSED = State.CHUNK, State.REFUSED  # asked for each command: this is sooner found
_NO_CHUNK = Bdat(0, False)
_NO_CONTENT = ContentDecoder()  # until DATA or BDAT is accepted
# Above the line limit these are cut, not refused, as in Postfix 3.7: their text is never obeyed.
_FREE_TEXT = frozenset({"HELO", "EHLO", "NOOP"})


class Connected:
    """The client is there; the reply to that is the greeting. An event that nobody is told."""


_CONNECTED = Connected()


class ServerProtocol:
    """One connection; a fresh one owes the greeting and is PAUSED until it is sent."""

    def __init__(
        self,
        settings: ServerSettings,
        *,
        extensions: tuple[str, ...] = (),
        command_filter: Callable[[str], str | None] | None = None,
        words: CommandWords | None = None,
    ) -> None:
        """`extensions`: EHLO lines that the session answers for: "STARTTLS", "AUTH PLAIN LOGIN".

        `words`: not needed where no list of commands names a table.
        `command_filter`: what is read in place of a command line. postconf(5) smtpd_command_filter.
        """
        self.settings = settings
        self._command_filter = command_filter
        self.state = State.CONNECT
        self.closed = False  # the last reply is sent: nothing is read any more, hang up
        self.command = ""  # the line of the event to be answered; '' for content and secrets
        self.said: deque[tuple[str, Reply]] = deque(maxlen=KEPT)  # commands and replies
        self.improper_pipelining = False  # for reject_unauth_pipelining; depends on timing
        self._words = words or words_in_place(settings)
        self._extended = False  # EHLO, not HELO
        self.is_encrypted = False  # by STARTTLS
        self._before_auth = State.START  # where the end of an AUTH dialogue leads
        self._order = HELO_FIRST if settings.smtpd_helo_required else ORDER
        self._intake = Intake(settings.line_length_limit)
        self.receive_data = self._intake.put  # bytes from the peer
        self._awaiting: Event | Connected | None = _CONNECTED  # wants a reply
        self._after: State | None = None  # where the reply to a SyntaxProblem leads, if anywhere
        self._pending: Event | None = None  # comes before anything that is read
        self._decoder = _NO_CONTENT
        self._chunk = _NO_CHUNK  # the BDAT chunk being read
        self._chunk_left = 0  # octets of it still to come
        self._swallow = 0  # octets of a refused BDAT chunk still to be skipped
        self._announced = 0  # octets of all BDAT chunks of this transaction, refused ones too
        self._context = offer(settings, extensions, None)

    def offer(
        self,
        extensions: tuple[str, ...],
        discarded: tuple[str, ...] | None = None,
        unsaid: tuple[str, ...] = (),
    ) -> None:
        """Offer these beside our own keywords from now on; after STARTTLS they are others.

        `discarded`: keywords not to be told this client; None: as the settings say.
        `unsaid`: commands that are taken without being offered.
        """
        self._context = offer(self.settings, extensions, discarded, unsaid)

    @property
    def keywords(self) -> tuple[str, ...]:
        """The lines for replies.hello() after Ehlo."""
        return self._context.keywords

    @property
    def in_transaction(self) -> bool:
        """True from the reply to MAIL to the end of the message, RSET or EHLO."""
        return self.state in IN_TRANSACTION

    @property
    def buffered(self) -> int:
        """Octets received and not yet used."""
        return len(self._intake)

    def next_event(self) -> Event | Signal:
        """The next event; NEED_DATA or PAUSED when there is none."""
        if self._awaiting is not None or self.closed:
            return PAUSED
        event: Event | Literal[Signal.NEED_DATA] | None = None
        while event is None:
            if self._swallow or self._pending is not None:
                event = self._read_pending()
            elif self._intake.waits or self.state is _CHUNK:
                event = _READERS[self.state](self)
            else:
                return NEED_DATA
        if event is not NEED_DATA and type(event) is not ContentChunk:
            self._awaiting = event
        return event

    def send(self, reply: Reply) -> bytes:
        """The bytes of the reply to the last event. A closing reply (421) is taken at any time."""
        event, self._awaiting = self._awaiting, None
        self.said.append((self.command[:LINE], reply))
        self.command = ""
        if reply.closes:
            self._close()
        elif event is None:
            raise OurError(f"a reply that nobody waits for: {reply}")
        else:
            kind = type(event)
            if reply.is_positive:
                self.state = LEADS[self.state].get(kind, self.state)
            if (after := _AFTER.get(kind)) is not None:
                after(self, event, reply)
            if kind is Bdat and reply.code == 354:
                return b""  # RFC 3030 2: the chunk follows by itself
        return reply.wire

    # --- What a reply does, beside what state.py says ----------------------------------------

    def _after_connect(self, event: Connected, reply: Reply) -> None:
        self.improper_pipelining = bool(self._intake.waits)  # spoke before the greeting
        self.state = State.START if reply.is_positive else State.REFUSED

    def _after_hello(self, event: Helo | Ehlo, reply: Reply) -> None:
        if reply.is_positive:
            self._extended = type(event) is Ehlo

    def _after_xclient(self, event: Xclient, reply: Reply) -> None:
        if reply.is_positive:
            self._extended = False
        else:
            self.state = State.REFUSED

    def _after_starttls(self, event: StartTls, reply: Reply) -> None:
        """RFC 3207 4.2: what came before the handshake is forgotten, pipelined bytes too."""
        if reply.is_positive:
            self.is_encrypted = True
            self._extended = False
            self._intake.clear()

    def _after_login(self, event: Auth | AuthResponse, reply: Reply) -> None:
        """RFC 4954 4: after a 334 the next line is no command."""
        goes_on = reply.code == 334
        if goes_on and self.state is not State.AUTH:
            self._before_auth = self.state
            self.state = State.AUTH
            self._intake.line_limit = self.settings.smtpd_sasl_response_limit
        elif not goes_on and self.state is State.AUTH:
            self.state = self._before_auth
            self._intake.line_limit = self.settings.line_length_limit

    def _after_mail(self, event: Mail, reply: Reply) -> None:
        if reply.is_positive:
            self._announced = 0
            if event.smtputf8 is not self._context.smtputf8:
                self._context = replace(self._context, smtputf8=event.smtputf8)

    def _after_data(self, event: Data, reply: Reply) -> None:
        if self._gets_content(event, reply):
            self._decoder = self._new_decoder(dots=True)

    def _after_bdat(self, event: Bdat, reply: Reply) -> None:
        if self._gets_content(event, reply):
            self._decoder = self._new_decoder(dots=False)
            self._begin_chunk(event)
        else:
            self._refuse_chunk(event)

    def _gets_content(self, event: Data | Bdat, reply: Reply) -> bool:
        if reply.is_positive and reply.code != 354:
            raise OurError(f"{reply.code} does not answer {type(event).__name__.upper()}")
        return reply.is_positive

    def _after_chunk(self, event: ChunkEnd, reply: Reply) -> None:
        self.state = State.CHUNKS if reply.is_positive else State.DISCARDING

    def _after_content(self, event: ContentEnd, reply: Reply) -> None:
        self._end_transaction()

    def _after_problem(self, event: SyntaxProblem, reply: Reply) -> None:
        self._leave_problem()

    def _leave_problem(self) -> None:
        state, self._after = self._after, None
        match state:
            case None:
                pass
            case State.CLOSED:
                self._close()
            case State.READY:
                self._end_transaction()
            case _:
                self.state = state

    def _end_transaction(self) -> None:
        self.state = State.READY
        self._announced = 0

    def _close(self) -> None:
        self.state = State.CLOSED
        self.closed = True
        self._intake.close()
        self._pending = None
        self._swallow = 0

    # --- Reading -----------------------------------------------------------------------------

    def _read_pending(self) -> Event | Literal[Signal.NEED_DATA] | None:
        """What is owed before anything else, once the chunk before it is skipped."""
        if self._swallow:
            self._swallow -= len(self._intake.take(self._swallow))
            if self._swallow:
                return NEED_DATA
        event, self._pending = self._pending, None
        return event

    def _read_response(self) -> Event | Literal[Signal.NEED_DATA]:
        line = self._intake.take_line()
        if line is None:
            return NEED_DATA
        is_readable = line.isascii() and self._intake.flaw is not Flaw.CUT
        return AuthResponse(line.decode("ascii") if is_readable else None)

    def _read_command(self) -> Event | Literal[Signal.NEED_DATA] | None:
        line = self._intake.take_line()
        if line is None:
            return NEED_DATA
        parsed = self._parse_line(line)
        if self._swallow:
            self._pending = parsed  # the chunk is skipped before its refusal is sent
            return None
        if self._intake.waits and (not self._extended or type(parsed) in _LAST_IN_GROUP):
            self.improper_pipelining = True
            if self.settings.smtpd_forbid_unauth_pipelining and not isinstance(parsed, Unknown):
                self._after = State.CLOSED
                return SyntaxProblem("", replies.OUT_OF_STEP)
        return parsed

    def _parse_line(self, line: bytes) -> Event | None:
        is_cut = False
        if (flaw := self._intake.flaw) is not None:
            is_cut = flaw is Flaw.CUT
            if not is_cut and self.settings.smtpd_forbid_bare_newline.lower() == "reject":
                self._after = State.CLOSED
                return SyntaxProblem("", self._bare_newline_reply())
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            if not is_cut:
                return SyntaxProblem("", replies.BAD_UTF8)
            text = line.decode("latin-1")  # cut inside a character, perhaps
        self.command = text
        if self._command_filter is not None and not is_cut:
            other = self._command_filter(text.lstrip())
            text = text if other is None else other
        words = text.split(None, 1)
        if not words:
            return SyntaxProblem("", replies.BAD_SYNTAX)
        verb = words[0].upper()
        if is_cut and verb not in _FREE_TEXT:
            return SyntaxProblem(verb, replies.LINE_TOO_LONG)
        if self._words.has_noop and self._words.is_noop(verb):
            return Noop()
        if self.state is _REFUSED and verb != "QUIT":
            return SyntaxProblem(verb, replies.ACCESS_DENIED)
        if (known := PARSERS.get(verb)) is None:
            return self._unknown(verb, text)
        kind, parse = known
        rest = words[1].rstrip() if len(words) == 2 else ""
        try:
            if kind is Bdat:
                return self._parse_bdat(rest)
            problem = self._order[self.state][kind]
            if kind is StartTls and problem is None and self.is_encrypted:
                problem = replies.TLS_ACTIVE
            if problem is not None:
                return SyntaxProblem(verb, problem)
            return parse(rest, self._context)
        except Mistake as mistake:
            return SyntaxProblem(verb, mistake.reply)

    def _unknown(self, verb: str, text: str) -> Event:
        if _is_header(verb) or self._words.is_forbidden(verb):
            return SyntaxProblem(verb, replies.BREAKS_RULES)
        return Unknown(verb, text)

    def _bare_newline_reply(self) -> Reply:
        settings = self.settings
        return replies.bare_newline(
            settings.smtpd_forbid_bare_newline_reject_code, settings.myhostname
        )

    # --- Content -----------------------------------------------------------------------------

    def _new_decoder(self, *, dots: bool) -> ContentDecoder:
        settings = self.settings
        return ContentDecoder(
            dots=dots,
            standard_end=settings.smtpd_forbid_bare_newline.lower() != "no",
            replace_stray=settings.cleanup_replace_stray_cr_lf,
        )

    def _read_content(self) -> Event | Literal[Signal.NEED_DATA] | None:
        data = self._intake.take(CHUNK_LIMIT)
        if not data:
            return NEED_DATA
        content, rest = self._decoder.feed(data)
        if rest is not None:
            if rest:
                self._intake.put_back(rest)
            self._pending = self._content_end(None)
        return self._content_chunk(content)

    def _read_chunk(self) -> Event | Literal[Signal.NEED_DATA] | None:
        if self._chunk_left:
            data = self._intake.take(min(self._chunk_left, CHUNK_LIMIT))
            if not data:
                return NEED_DATA
            self._chunk_left -= len(data)
            return self._content_chunk(self._decoder.feed(data)[0])
        if not self._chunk.last:
            return ChunkEnd(self._chunk.size)
        content = self._decoder.finish()
        self._pending = self._content_end(self._announced)
        return self._content_chunk(content)

    def _content_chunk(self, content: bytes) -> ContentChunk | None:
        """None when there is nothing to give: no octets, or beyond the limit."""
        limit = self.settings.message_size_limit
        if not content or 0 < limit < self._decoder.size:
            return None
        return ContentChunk(content)

    def _content_end(self, chunk_size: int | None) -> ContentEnd:
        decoder, settings = self._decoder, self.settings
        problem: Reply | None = None
        if 0 < settings.message_size_limit < decoder.size:
            problem = replies.MESSAGE_TOO_BIG
        elif decoder.bare_newline and settings.smtpd_forbid_bare_newline.lower() == "reject":
            problem = self._bare_newline_reply()
        return ContentEnd(decoder.size, decoder.eightbit, decoder.bare_newline, problem, chunk_size)

    # --- BDAT (RFC 3030) ---------------------------------------------------------------------

    def _parse_bdat(self, rest: str) -> Event | None:
        """The first chunk is an event, later ones begin at once; refused ones are skipped."""
        if "CHUNKING" not in self._context.offered:
            return SyntaxProblem("BDAT", replies.NO_CHUNKING)
        chunk = parse_chunk(rest)
        limit = self.settings.message_size_limit
        if chunk.size == 0 and not chunk.last:
            return self._skip_chunk(chunk, replies.NULL_CHUNK)
        if self.state is State.DISCARDING:
            return self._skip_chunk(chunk, replies.discarded_chunk(chunk.size))
        if (problem := ORDER[self.state][Bdat]) is not None:
            return self._skip_chunk(chunk, problem)
        if 0 < limit < self._announced + chunk.size:
            return self._skip_chunk(chunk, replies.CHUNK_TOO_BIG)
        if self.state is State.CHUNKS:
            self.state = State.CHUNK
            self._begin_chunk(chunk)
            return None
        return chunk

    def _begin_chunk(self, chunk: Bdat) -> None:
        self._chunk = chunk
        self._chunk_left = chunk.size
        self._announced += chunk.size

    def _skip_chunk(self, chunk: Bdat, reply: Reply) -> SyntaxProblem:
        """Refuse a chunk by ourselves; the reply goes out once its octets are skipped."""
        self._after = self._swallow_chunk(chunk)
        ends = self._after is State.READY and self.in_transaction
        return SyntaxProblem("BDAT", reply, ends_transaction=ends)

    def _refuse_chunk(self, chunk: Bdat) -> None:
        """The session refused; its reply is on the way, the octets come all the same."""
        self._after = self._swallow_chunk(chunk)
        self._leave_problem()

    def _swallow_chunk(self, chunk: Bdat) -> State:
        """Skip the chunk; the state to go to. Far above the size limit there is no skipping."""
        limit = self.settings.message_size_limit
        self._announced += chunk.size
        if limit and self._announced > limit * 3 // 2:  # as Postfix: 1.5 times the limit
            return State.CLOSED
        self._swallow = chunk.size
        return State.READY if chunk.last else State.DISCARDING


def _is_header(verb: str) -> bool:
    """ "Subject:" and its like: a client that sends a message where commands are due."""
    name, colon, _ = verb.partition(":")
    return bool(name and colon) and name.isascii() and name.isprintable()


_READERS: dict[State, Callable[[ServerProtocol], Event | Literal[Signal.NEED_DATA] | None]] = {
    **dict.fromkeys(State, ServerProtocol._read_command),
    State.CONTENT: ServerProtocol._read_content,
    State.CHUNK: ServerProtocol._read_chunk,
    State.AUTH: ServerProtocol._read_response,
}

_AFTER: dict[type, Callable[[ServerProtocol, Any, Reply], None]] = {
    Connected: ServerProtocol._after_connect,
    Helo: ServerProtocol._after_hello,
    Ehlo: ServerProtocol._after_hello,
    Xclient: ServerProtocol._after_xclient,
    StartTls: ServerProtocol._after_starttls,
    Auth: ServerProtocol._after_login,
    AuthResponse: ServerProtocol._after_login,
    Mail: ServerProtocol._after_mail,
    Data: ServerProtocol._after_data,
    Bdat: ServerProtocol._after_bdat,
    ChunkEnd: ServerProtocol._after_chunk,
    ContentEnd: ServerProtocol._after_content,
    SyntaxProblem: ServerProtocol._after_problem,
}
