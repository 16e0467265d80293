"""draft - a message on its way in, and what is known of it.

SUMMARY      Arrival, and the Origin it has: what is known before its text
             Draft.take() each piece of its text; finish() -> Cleaned; or abandon()
             Completed, ContentRefused: what came of it
RULES        the text passes the content room and goes to the spool in pieces; nothing is kept
ERRORS       none of its own: `failure` is kept for the end, and the writer keeps those of the disk
"""

from __future__ import annotations

from typing import NamedTuple

from delivery.content.cleaner import Cleaned, Cleaner
from delivery.errors import SmtpFailure
from delivery.runtime.cleanuprules import CleanupRules, Handling
from delivery.spool.content import ContentWriter
from delivery.spool.records import Submission
from delivery.values import Client, Envelope, Recipient
from tables.addresses import Address
from tables.errors import TableUnavailable
from tables.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who handed a message in: a client of ours, or a user of this machine."""

    client: Client | None = None
    helo: str = ""
    protocol: str = "ESMTP"  # the "with" type of RFC 3848
    login: str = ""  # whom it has logged in as
    sasl_method: str = ""
    is_trusted: bool = False  # the certificate of the client
    is_relayed: bool = False  # by a program: its headers are another's to complete
    userid: int | None = None
    full_name: str = ""  # of the user
    comments: tuple[str, ...] = ()  # for Received: how it came

    @property
    def text(self) -> str:
        """As log lines name it."""
        if self.client is not None:
            return f"{self.client.name}[{self.client.address}]"
        return "local" if self.userid is None else f"userid {self.userid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What is known of a message before its text."""

    sender: Address
    recipients: tuple[Recipient, ...]
    origin: Origin
    prepended: tuple[str, ...] = ()  # header lines that access tables asked for
    smtputf8: bool = False
    eightbit: bool = False
    envid: str = ""
    ret: str = ""
    is_traced: bool = False
    is_probe: bool = False


HERE = Origin()  # mail of our own


class ContentRefused(SmtpFailure):
    """The text of the message was refused. `returned`: what is to go back to its sender."""

    def __init__(self, refusal: SmtpFailure, returned: Submission | None) -> None:
        super().__init__(refusal.code, refusal.enhanced, refusal.text, cause=refusal.cause)
        self.returned = returned  # None: nothing is kept


class Draft:
    """A message on its way in."""

    __slots__ = (
        "_cleaner",
        "envelope",
        "failure",
        "finds_utf8",
        "handling",
        "headers",
        "origin",
        "queue_id",
        "rules",
        "writer",
    )

    def __init__(
        self,
        rules: CleanupRules,
        handling: Handling,
        envelope: Envelope,
        origin: Origin,
        writer: ContentWriter,
        cleaner: Cleaner,
        *,
        finds_utf8: bool,
    ) -> None:
        """`envelope`: with the recipients as they were given; `finds_utf8`: it is looked for."""
        self.rules = rules
        self.handling = handling
        self.envelope = envelope
        self.origin = origin
        self.writer = writer
        self.queue_id = writer.queue_id  # its name, already
        self.finds_utf8 = finds_utf8
        self.failure: TableUnavailable | None = None  # to be told at its end
        self._cleaner = cleaner
        self.headers = cleaner.given()

    @property
    def size(self) -> int:
        """Octets up to now, our own headers included."""
        return self.writer.size + len(self.headers)

    def take(self, data: bytes) -> None:
        """A piece of the text, CRLF line ends; any size."""
        if kept := self._cleaner.feed(data):
            self.writer.write(kept)

    def finish(self) -> Cleaned:
        """After the last piece."""
        cleaned = self._cleaner.finish()
        if cleaned.data:
            self.writer.write(cleaned.data)
        return cleaned

    def abandon(self) -> None:
        """Nothing is kept; harmless when it was queued."""
        self.writer.abandon()


class Completed(NamedTuple):
    """What is to be queued; with a `refusal`, what is to be returned to its sender.

    None: nothing is, it is to be discarded or was refused.
    """

    submission: Submission | None
    refusal: SmtpFailure | None = None
