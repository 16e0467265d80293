"""events - what the server protocol tells the session; frozen values.

SUMMARY      commands (Helo ... Unknown), content (ContentChunk, ChunkEnd, ContentEnd),
             SyntaxProblem
RULES        every event but ContentChunk wants exactly one ServerProtocol.send(Reply) before the
             next one; text is str, checked UTF-8, without control characters where it may reach
             logs or headers; addresses are tables.addresses.Address (unquoted local part, the
             client's spelling and case)
SOURCE       RFC 5321 4.1, RFC 1870, 6152, 6531, 3461, 4954, 3030, 1985, 3207
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import Final

from delivery.smtp.replies import Reply
from tables.addresses import Address
from tables.frozen import dataclass


class Signal(Enum):
    """What next_event() says when there is no event."""

    NEED_DATA = "need data"  # write the replies gathered so far, then wait for bytes
    PAUSED = "paused"  # send the reply that the last event wants, or nothing at all once closed


NEED_DATA: Final = Signal.NEED_DATA
PAUSED: Final = Signal.PAUSED


@dataclass(frozen=True, slots=True)
class Helo:
    """`name` is as Postfix keeps it: unprintable characters and  <>()\\";@  became "?"."""

    name: str


@dataclass(frozen=True, slots=True)
class Ehlo:
    """As Helo; answer with replies.hello(myhostname, protocol.keywords)."""

    name: str


@dataclass(frozen=True, slots=True)
class Mail:
    """MAIL FROM. A new transaction begins with a positive reply."""

    address: Address  # Address('', '') for <>
    given: str  # as typed, quoted form, without the outer <>
    size: int | None = None  # RFC 1870, octets; already within message_size_limit
    body: str = ""  # RFC 6152: 7BIT, 8BITMIME or '' for none given
    smtputf8: bool = False  # RFC 6531
    ret: str = ""  # RFC 3461 4.3: FULL, HDRS or ''
    envid: str = ""  # RFC 3461 4.4, xtext decoded
    auth: str | None = None  # RFC 4954 5, xtext decoded; None: not given


@dataclass(frozen=True, slots=True)
class Rcpt:
    """RCPT TO. `notify` and `orcpt` have the form of delivery.values.Recipient."""

    address: Address
    given: str  # as typed, quoted form, without the outer <>: the default ORCPT (RFC 3461 5.2.1)
    notify: frozenset[str] = frozenset()  # NEVER, or any of SUCCESS FAILURE DELAY; empty: not given
    orcpt: str = ""  # "addr-type;address", xtext decoded; '' when not given


@dataclass(frozen=True, slots=True)
class Data:
    """Answer 354 (replies.START_CONTENT) to receive content, or a refusal."""


@dataclass(frozen=True, slots=True)
class Bdat:
    """The first BDAT of a message, answered like Data: START_CONTENT (sends nothing), or no.

    Later chunks of the same message give no event of this kind, only their content.
    """

    size: int
    last: bool


@dataclass(frozen=True, slots=True)
class ContentChunk:
    """A piece of the message, 256 KiB or less: dots undone, CRLF line ends. Wants no reply."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ChunkEnd:
    """A BDAT chunk that is not the last ended; answer replies.chunk_received(size) or a 4xx/5xx.

    After a refusal the remaining chunks are discarded, as far as BDAT LAST or RSET.
    """

    size: int  # octets of this chunk, as announced


@dataclass(frozen=True, slots=True)
class ContentEnd:
    """The message is complete; the transaction ends with the reply, whatever it is."""

    size: int  # octets given out in ContentChunks
    eightbit: bool  # some octet was above 127
    bare_newline: bool  # some line ended in LF alone (smtpd_forbid_bare_newline = note)
    problem: Reply | None  # too big, or a bare newline refused: discard the message, send this
    chunk_size: int | None = None  # BDAT: octets of all chunks, for replies.queued; None after DATA


@dataclass(frozen=True, slots=True)
class Rset:
    """Forget the transaction."""


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP, or a word of smtpd_noop_commands."""


@dataclass(frozen=True, slots=True)
class Help:
    """HELP. Postfix 3.7 answers NOT_RECOGNIZED."""


@dataclass(frozen=True, slots=True)
class Vrfy:
    """VRFY; `given` as typed, for the 252."""

    address: Address
    given: str
    smtputf8: bool = False


@dataclass(frozen=True, slots=True)
class Etrn:
    """ETRN (RFC 1985); a host name or [address literal], without its @ or #."""

    domain: str


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS, where the session offers it. 220 forgets all buffered bytes and the EHLO."""


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH, taken by the session; mechanism in upper case, initial response as typed or None.

    Answer 334 (replies.challenge) to hear more: an AuthResponse comes next.
    """

    mechanism: str
    initial: str | None = field(repr=False)  # never in a log


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """A line that answers a 334, as it came; None: it was longer than any may be, or no ASCII."""

    text: str | None = field(repr=False)  # never in a log


@dataclass(frozen=True, slots=True)
class Xclient:
    """XCLIENT of a client that may use it: what holds from now on. Answer as on connecting."""

    attributes: Mapping[str, str | None]  # None: the proxy does not know it
    is_temporary: bool  # a name is unknown only for now


@dataclass(frozen=True, slots=True)
class Xforward:
    """XFORWARD of a client that may use it: where the mail to come is from, for the log."""

    attributes: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT; answer replies.BYE."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A command of nobody's."""

    verb: str  # upper case
    line: str  # the whole line; unprintable characters are still in it


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """A mistake of the client's with the reply it deserves; one more for smtpd_hard_error_limit."""

    verb: str  # upper case; '' when there was none to be read
    reply: Reply
    ends_transaction: bool = False  # BDAT LAST was refused: forget sender and recipients


Command = (
    Helo | Ehlo | Mail | Rcpt | Data | Bdat | Rset | Noop | Help | Vrfy | Etrn | StartTls | Auth
    | AuthResponse | Xclient | Xforward | Quit | Unknown
)  # fmt: skip
Content = ContentChunk | ChunkEnd | ContentEnd
Event = Command | Content | SyntaxProblem
