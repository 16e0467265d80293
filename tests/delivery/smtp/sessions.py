"""sessions - a complete small session in memory around ServerProtocol, for tests.

SUMMARY      Session.talk(bytes) -> bytes; the messages it took are in .messages
RULES        every recipient is welcome but no...@ (550) and later...@ (450); data@refused.example
             as the sender makes it refuse content; nothing else is decided here
"""

from __future__ import annotations

from dataclasses import dataclass, field

from delivery.smtp import replies
from delivery.smtp.events import (
    Auth,
    Bdat,
    ChunkEnd,
    ContentChunk,
    ContentEnd,
    Data,
    Ehlo,
    Etrn,
    Event,
    Helo,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    Signal,
    StartTls,
    SyntaxProblem,
    Unknown,
    Vrfy,
    Xclient,
    Xforward,
)
from delivery.smtp.replies import Reply, reply
from delivery.smtp.server import ServerProtocol
from delivery.smtp.settings import ServerSettings

REFUSED_CONTENT = "data@refused.example"


@dataclass
class Message:
    """What the session took."""

    sender: str
    recipients: list[str]
    content: bytes


@dataclass
class Session:
    """Answers at once; `events` remembers everything but the pieces of content."""

    settings: ServerSettings = field(default_factory=ServerSettings)
    extensions: tuple[str, ...] = ()
    messages: list[Message] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.protocol = ServerProtocol(self.settings, extensions=self.extensions)
        self.greeting = self.protocol.send(replies.greeting("mx.example.net ESMTP"))
        self._sender = ""
        self._recipients: list[str] = []
        self._content: list[bytes] = []

    def talk(self, data: bytes) -> bytes:
        """The replies to these bytes."""
        self.protocol.receive_data(data)
        out = b""
        while not isinstance(event := self.protocol.next_event(), Signal):
            if isinstance(event, ContentChunk):
                self._content.append(event.data)
                continue
            self.events.append(event)
            out += self.protocol.send(self.answer(event))
        return out

    def answer(self, event: Event) -> Reply:
        """The reply to one event."""
        match event:
            case Helo():
                return replies.hello("mx.example.net")
            case Ehlo():
                return replies.hello("mx.example.net", self.protocol.keywords)
            case Mail():
                self._sender, self._recipients = event.address.text, []
                return replies.SENDER_OK
            case Rcpt():
                return self._answer_rcpt(event)
            case Data() | Bdat():
                self._content = []
                if self._sender == REFUSED_CONTENT:
                    return reply(554, "5.7.1", "No content from you")
                return replies.START_CONTENT
            case ChunkEnd():
                return replies.chunk_received(event.size)
            case ContentEnd():
                return self._answer_content(event)
            case Vrfy():
                return replies.verified(event.given)
            case Etrn():
                return reply(459, "", f"<{event.domain}>: service unavailable")
            case Rset() | Noop():
                return replies.OK
            case Quit():
                return replies.BYE
            case StartTls():
                return reply(220, "2.0.0", "Ready to start TLS")
            case Xclient():
                return replies.greeting("mx.example.net ESMTP")
            case Xforward():
                return replies.OK
            case Auth():
                return reply(535, "5.7.8", "Error: authentication failed")
            case SyntaxProblem():
                return event.reply
            case Help() | Unknown():
                return replies.NOT_RECOGNIZED
        raise AssertionError(event)

    def _answer_rcpt(self, event: Rcpt) -> Reply:
        if event.address.local.startswith("no"):
            return reply(550, "5.1.1", f"<{event.address.text}>: User unknown")
        if event.address.local.startswith("later"):
            return reply(450, "4.2.0", f"<{event.address.text}>: Later")
        self._recipients.append(event.address.text)
        return replies.RECIPIENT_OK

    def _answer_content(self, event: ContentEnd) -> Reply:
        if event.problem is not None:
            return event.problem
        content = b"".join(self._content)
        assert event.size == len(content)
        self.messages.append(Message(self._sender, self._recipients, content))
        return replies.queued("4F1", event.chunk_size)
