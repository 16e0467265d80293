"""values - what passes between the rooms of the engine; frozen, validated where it entered.

SUMMARY      Client, Recipient, Envelope, Route, Outcome and the small enumerations they need
RULES        addresses are tables.addresses.Address (unquoted local part); times are UTC seconds
             since the epoch
SOURCE       RFC 5321 2.3.1, RFC 3461 4 (DSN parameters), RFC 3464 2.3.3 (action)
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from tables.addresses import Address
from tables.frozen import dataclass


class AddressClass(Enum):
    """ADDRESS_CLASS_README: the five classes every recipient domain falls into."""

    __hash__ = object.__hash__  # that of Enum is Python

    LOCAL = "local"
    VIRTUAL_ALIAS = "virtual_alias"
    VIRTUAL_MAILBOX = "virtual_mailbox"
    RELAY = "relay"
    DEFAULT = "default"


class Status(Enum):
    """What became of one recipient in one attempt; the words of Postfix's log lines."""

    __hash__ = object.__hash__  # that of Enum is Python

    SENT = "sent"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The connected peer. `name` is the verified host name or "unknown".

    postconf(5) smtpd_peername_lookup.
    """

    address: str
    port: int
    name: str = "unknown"
    reverse_name: str = "unknown"
    forward_error: bool = False  # the DNS could not be asked: unknown for now, not for good

    @property
    def is_ipv6(self) -> bool:
        """True for an IPv6 peer; `address` then carries no brackets and no zone."""
        return ":" in self.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One envelope recipient on its way; `original` is as accepted at RCPT, before expansion."""

    address: Address
    original: Address
    # RFC 3461 4.1: NEVER, or any of SUCCESS, FAILURE, DELAY; empty: not given
    notify: frozenset[str] = frozenset()
    orcpt: str = ""  # RFC 3461 4.2, xtext-decoded "addr-type;address"; empty: none given

    def __hash__(self) -> int:
        """In one step: recipients are looked up all the way through the queue."""
        address, original = self.address, self.original
        return hash((address.local, address.domain, original.local, original.domain, self.orcpt))


def default_orcpt(given: str, *, smtputf8: bool = False) -> str:
    """ORCPT of a recipient that came without one, with this address. RFC 3461 4.2, RFC 6533 3.

    `smtputf8`: the sender speaks it; all others know of no other type than rfc822.
    """
    return f"{'utf-8' if smtputf8 and not given.isascii() else 'rfc822'};{given}" if given else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Everything about a message but its content."""

    sender: Address  # Address('', '') is the null reverse-path
    recipients: tuple[Recipient, ...]
    client: Client | None = None  # None: made on this machine
    helo: str = ""
    protocol: str = "ESMTP"  # RFC 3848 with-protocol types
    smtputf8: bool = False
    eightbit: bool = False  # BODY=8BITMIME or Content-Transfer-Encoding: 8bit was declared
    envid: str = ""  # RFC 3461 4.4
    ret: str = ""  # RFC 3461 4.3: FULL, HDRS or empty
    filter: str = (
        ""  # transport:nexthop that all recipients go to first; postconf(5) content_filter
    )
    is_local: bool = (
        True  # its headers are ours to complete; postconf(5) local_header_rewrite_clients
    )
    is_traced: bool = False  # its sender is to be told what came of the first attempt (sendmail -v)
    utf8_headers: bool = False  # a header in it is not ASCII
    is_probe: bool = False  # nothing is delivered: would it be? ADDRESS_VERIFICATION_README
    generation: int = 0  # the generation that decided about it


@dataclass(frozen=True, slots=True)
class Route:
    """transport:nexthop of transport(5); the nexthop is '' where the transport needs none."""

    transport: str
    nexthop: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an agent reports for one recipient; the scheduler and the bounce writer read it.

    `dsn` is the enhanced status code (RFC 3463). `reply` is the remote server's own reply line when
    `relay` answered, '' when the decision was ours. `relay` is "name[address]:port", "none",
    "virtual" or "local".
    """

    recipient: Recipient
    status: Status
    dsn: str
    reason: str
    relay: str = "none"
    reply: str = ""
    delivered_to: str = ""  # where a local delivery went, for the journal
    is_expanded: bool = False  # others took the recipient's place
    noted: float = field(default=0.0, compare=False)  # when the queue manager took note of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A complete message as it was cleaned, CRLF line ends.

    Small messages are in `data`; large ones live in the file `path` and `data` is empty.
    """

    size: int
    data: bytes = b""
    path: str = ""
    headers: bytes = field(default=b"", repr=False)  # put before the content by us (Received ...)
