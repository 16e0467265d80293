"""peers - a scripted server for ClientProtocol, in memory.

SUMMARY      Peer(answers).run(transaction, ...) -> the events; the commands it saw are in .commands
RULES        `answers` is a list of (beginning of a command, reply); the first that fits is used; a
             list as the reply is used up one by one; None hangs up; nothing fits: 250 2.0.0 Ok
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from delivery.errors import PeerError
from delivery.smtp.client import ClientProtocol
from delivery.smtp.events import Signal
from delivery.smtp.exchange import (
    Finished,
    Goodbye,
    Ready,
    Refused,
    Result,
    Transaction,
    WantContent,
)
from delivery.smtp.settings import ClientSettings
from delivery.values import Recipient
from tables.addresses import Address

Reply = str | None
EHLO = "250-mx.far.example\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250 DSN"
SIMPLE = "250 mx.far.example"  # an EHLO answer without a keyword


def recipient(text: str, **options: object) -> Recipient:
    """A recipient of local@domain."""
    local, _, domain = text.partition("@")
    address = Address(local, domain)
    return Recipient(address=address, original=address, **options)  # type: ignore[arg-type]


def mail(*recipients: str, **options: object) -> Transaction:
    """A transaction from alice@example.net."""
    everybody = tuple(recipient(text) for text in recipients)
    sender = Address("alice", "example.net")
    return Transaction(sender=sender, recipients=everybody, **options)  # type: ignore[arg-type]


@dataclass
class Peer:
    """One connection: the protocol at one end, the script at the other."""

    answers: list[tuple[str, Reply | list[Reply]]] = field(default_factory=list)
    settings: ClientSettings = field(
        default_factory=lambda: ClientSettings(smtp_helo_name="me.test")
    )
    lmtp: bool = False
    chunking: bool = False
    greeting: Reply = "220 mx.far.example ESMTP"
    commands: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    bursts: list[bytes] = field(default_factory=list)  # what came in one piece

    def __post_init__(self) -> None:
        self.answers = [*self.answers, ("EHLO", EHLO), ("LHLO", EHLO), ("DATA", "354 Go on")]
        settings = replace(self.settings, smtp_send_bdat=self.chunking)
        self.client = ClientProtocol(settings, lmtp=self.lmtp)
        self._buffer = b""
        self._in_data = False
        self._accepted = 0
        self._answer(self.greeting)

    def run(self, *transactions: Transaction, content: bytes = b"Hello\r\n") -> list[object]:
        """Every event until Goodbye, and the PeerError if there was one."""
        waiting, seen, rest = list(transactions), [], content
        while True:
            try:
                event = self.client.next_event()
            except PeerError as error:
                return [*seen, error]
            if isinstance(event, Signal):
                if not self._exchange():
                    return [*seen, event]  # nobody moves any more
                continue
            if not isinstance(event, WantContent):
                seen.append(event)
            match event:
                case Ready() | Finished() if waiting and not self.client.closing:
                    self.client.start(waiting.pop(0))
                case Ready() | Finished() | Refused():
                    self.client.quit()
                case WantContent() if rest:
                    self.client.send_content(rest)
                    rest = b""
                case WantContent():
                    self.client.end_content()
                    rest = content
                case Goodbye():
                    return seen

    def _exchange(self) -> bool:
        """Take what the client sends; False when it sends nothing."""
        data = self.client.data_to_send()
        if not data:
            return False
        self.bursts.append(data)
        self._buffer += data
        while self._step():
            pass
        return True

    def _step(self) -> bool:
        if self._in_data:
            end = (b"\r\n" + self._buffer).find(b"\r\n.\r\n")
            if end < 0:
                return False
            self.contents.append(self._buffer[:end])
            self._buffer = self._buffer[end + 3 :]
            self._in_data = False
            for _ in range(self._accepted if self.lmtp else 1):
                self._answer(self._find("."))
            return True
        line, newline, rest = self._buffer.partition(b"\r\n")
        if not newline:
            return False
        if line.startswith(b"BDAT"):
            size = int(line.split()[1])
            if len(rest) < size:
                return False
            self.contents.append(rest[:size])
            rest = rest[size:]
        self._buffer = rest
        self._take(line.decode())
        return True

    def _take(self, command: str) -> None:
        self.commands.append(command)
        reply = self._find(command)
        self._answer(reply)
        if command.startswith("MAIL"):
            self._accepted = 0
        if command.startswith("RCPT") and reply is not None and reply.startswith("2"):
            self._accepted += 1
        self._in_data = command == "DATA" and reply is not None and reply.startswith("3")

    def _find(self, command: str) -> Reply:
        for beginning, reply in self.answers:
            if command.startswith(beginning):
                if isinstance(reply, list):
                    return reply.pop(0) if len(reply) > 1 else reply[0]
                return reply
        return "250 2.0.0 Ok"

    def _answer(self, reply: Reply) -> None:
        if reply is None:
            self.client.receive_eof()
            self._buffer = b""
        elif not self.client._eof:
            self.client.receive_data(reply.encode() + b"\r\n")


def fates(events: list[object]) -> list[tuple[str, int, str]]:
    """(recipient, reply code, what it answered) of each Result."""
    return [
        (event.recipient.address.text, event.answer.code, event.command)
        for event in events
        if isinstance(event, Result)
    ]
