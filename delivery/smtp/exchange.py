"""exchange - what the agent and the client protocol tell each other; frozen values.

SUMMARY      Stage: what is asked, or answered
             Transaction goes in; Ready, Refused, Replied, WantContent, Result, Finished, Goodbye
             come out
RULES        between start() and Finished each recipient gets exactly one Result, unless PeerError
             ends it all
SOURCE       RFC 5321 3.3, 4.5.3; RFC 2033 4.2; RFC 1870, 6152, 6531, 3461
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum

from delivery.smtp.answers import Answer
from delivery.values import Recipient
from tables.addresses import Address
from tables.frozen import dataclass

FINAL_COMMAND = "end of DATA"  # Postfix's words for the final dot, and for BDAT LAST


class Stage(Enum):
    """What an answer answers: (Postfix's name of the command, Postfix's words for a failure)."""

    def __init__(self, command: str, doing: str) -> None:
        self.command = command
        self.doing = doing

    GREETING = ("", "receiving the initial server greeting")
    EHLO = ("EHLO", "performing the EHLO handshake")
    HELO = ("HELO", "performing the HELO handshake")
    LHLO = ("LHLO", "performing the LHLO handshake")
    STARTTLS = ("STARTTLS", "receiving the STARTTLS response")
    AUTH = ("AUTH", "performing the EHLO handshake")
    XFORWARD = ("XFORWARD", "sending XFORWARD")
    RSET = ("RSET", "sending RSET")
    MAIL = ("MAIL FROM", "sending MAIL FROM")
    RCPT = ("RCPT TO", "sending RCPT TO")
    DATA = ("DATA", "sending DATA command")
    BDAT = ("BDAT", "sending message body")
    FINAL = (FINAL_COMMAND, "sending end of data -- message may be sent more than once")
    QUIT = ("QUIT", "sending QUIT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What start() sends. `size` is the octet count of the content, for SIZE; 0 when not known."""

    sender: Address
    recipients: tuple[Recipient, ...]
    size: int = 0
    body: str = ""  # RFC 6152: 8BITMIME, 7BIT or '' for none
    smtputf8: bool = False  # RFC 6531: must be offered, see Ready.keywords
    is_probe: bool = False  # ends with the answers to RCPT or DATA: nothing is sent
    ret: str = ""  # RFC 3461: FULL, HDRS or ''
    envid: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """The session is up. `keywords`: EHLO keyword (upper case) -> its parameters."""

    hostname: str  # what the server calls itself; '' after HELO
    keywords: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """The server does not want to talk to us: "refused to talk to me" of Postfix."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Replied:
    """The answer to ask()."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class WantContent:
    """Call send_content() with CRLF text, in pieces of any size, or end_content()."""


@dataclass(frozen=True, slots=True)
class Result:
    """The fate of one recipient; `command` is what the answer answers: "RCPT TO", "end of DATA"."""

    recipient: Recipient
    answer: Answer
    command: str

    @property
    def is_delivered(self) -> bool:
        """The server took the message; a 2yz in answer to anything else is a protocol error."""
        return self.command == FINAL_COMMAND and self.answer.is_success

    @property
    def dsn(self) -> str:
        """The status code to record; "5.5.0" for an answer that is no refusal and no success."""
        if self.is_delivered or self.answer.code >= 400:
            return self.answer.dsn
        return "5.5.0"


@dataclass(frozen=True, slots=True)
class Finished:
    """The transaction is over; every recipient had its Result."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """QUIT was answered, or the server hung up when nothing was owed."""


ClientEvent = Ready | Refused | Replied | WantContent | Result | Finished | Goodbye
