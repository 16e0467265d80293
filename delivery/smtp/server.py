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
LIMITS       a command line: line_length_limit, the rest of it is drained; content: nothing but the
             last line end is held back; bytes that wait while PAUSED: `buffered` says how many,
             stop reading above what you like
SOURCE       RFC 5321, 2920, 3030, 3207; Postfix smtpd(8)
"""

from __future__ import annotations

from delivery.smtp.events import Event, Signal
from delivery.smtp.replies import Reply
from delivery.smtp.settings import ServerSettings


class ServerProtocol:
    """One connection; a fresh one owes the greeting and is PAUSED until it is sent."""

    def __init__(self, settings: ServerSettings, *, extensions: tuple[str, ...] = ()) -> None:
        """`extensions`: EHLO lines that the session answers for: STARTTLS, "AUTH PLAIN LOGIN"."""
        raise NotImplementedError

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer."""
        raise NotImplementedError

    def next_event(self) -> Event | Signal:
        """The next event, NEED_DATA or PAUSED."""
        raise NotImplementedError

    def send(self, reply: Reply) -> bytes:
        """The bytes of the reply to the last event."""
        raise NotImplementedError
