"""client - the client's half of SMTP and LMTP without any I/O: bytes in, events out.

SUMMARY      ClientProtocol: receive_data(bytes), next_event(), data_to_send(); start(),
             send_content() ...

    client = ClientProtocol(settings, lmtp=False)
    ... on bytes: client.receive_data(data); on end of file: client.receive_eof()
    match client.next_event():
        case Ready():        client.start(transaction)      # EHLO or HELO is done by itself
        case Refused():      ...                            # greeting or HELO refused: quit(), next host
        case WantContent():  client.send_content(chunk); client.end_content() after the last one
        case Result():       ...                            # exactly one for each recipient
        case Finished():     client.start(another) or client.quit()
        case Goodbye():      ...                            # hang up
    always: transport.write(client.data_to_send())

RULES        MAIL, RCPT and DATA go in one piece where PIPELINING is offered, else one by one; QUIT
             never goes with the final dot (a stray line must not be taken for the final reply);
             SIZE, BODY, SMTPUTF8, RET, ENVID, NOTIFY, ORCPT only where offered; HELO when EHLO
             fails; LMTP: LHLO, and one final reply for each accepted recipient (RFC 2033 4.2); 421
             counts as a reply like others, and `closing` is True from then on: do not reuse
ERRORS       PeerError: no SMTP reply, bounds exceeded, connection lost; `doing` says in what,
             `unresolved` which recipients have no Result; OurError: called out of turn, or SMTPUTF8
             needed and not offered
NOT DONE     STARTTLS and AUTH: they come between Ready and start(); conversion of 8-bit content
SOURCE       RFC 5321, 2920, 3030, 2033, 1870, 6152, 6531, 3461; Postfix smtp(8)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from delivery.smtp.answers import Answer
from delivery.smtp.events import Signal
from delivery.smtp.settings import ClientSettings
from delivery.values import Recipient
from tables.addresses import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What start() sends. `size` is the octet count of the content, for SIZE; 0 when not known."""

    sender: Address
    recipients: tuple[Recipient, ...]
    size: int = 0
    eightbit: bool = False
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """The session is up. `keywords`: EHLO keyword (upper case) -> its parameters."""

    hostname: str  # what the server calls itself
    keywords: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """The server does not want to talk to us: "refused to talk to me" of Postfix."""

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


@dataclass(frozen=True, slots=True)
class Finished:
    """The transaction is over; every recipient had its Result."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """QUIT was answered, or the server hung up when nothing was owed."""


ClientEvent = Ready | Refused | WantContent | Result | Finished | Goodbye


class ClientProtocol:
    """One connection to another server."""

    def __init__(self, settings: ClientSettings, *, lmtp: bool = False) -> None:
        raise NotImplementedError

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer."""
        raise NotImplementedError

    def receive_eof(self) -> None:
        """The peer hung up. Raises PeerError from next_event() when something was still owed."""
        raise NotImplementedError

    def next_event(self) -> ClientEvent | Signal:
        """The next event; NEED_DATA: wait for the peer; PAUSED: we wait for you."""
        raise NotImplementedError

    def data_to_send(self) -> bytes:
        """The bytes to write now; b"" when there are none."""
        raise NotImplementedError

    def start(self, transaction: Transaction) -> None:
        """Begin a mail transaction, after Ready or Finished."""
        raise NotImplementedError

    def send_content(self, data: bytes) -> None:
        """A piece of the message, after WantContent."""
        raise NotImplementedError

    def end_content(self) -> None:
        """The message is complete."""
        raise NotImplementedError

    def quit(self) -> None:
        """Say QUIT; Goodbye follows."""
        raise NotImplementedError
