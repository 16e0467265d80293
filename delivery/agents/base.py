"""base - the delivery contract: what an agent is given and what it owes.

SUMMARY      Agent.deliver(Delivery) -> Result, one Outcome for every recipient, no exception
CONTRACT     two phases. (1) deliver() returns SENT for a recipient only after that delivery is
             durable where it went: renamed and fsynced, or acknowledged by the next server.
             (2) Only then does the caller tell the spool. A crash in between delivers twice,
             never not at all (RFC 5321 6.1). Recipients are settled one by one: some SENT,
             some DEFERRED, some BOUNCED in one Result is normal
             An agent that hands a message on as another one (aliases) delivers nothing itself: it
             returns Forwards, which the caller enters in the same transaction that settles
             the recipients. Their Outcome says SENT
ERRORS       what goes wrong is an Outcome: unknown means DEFERRED. Cancellation passes through;
             recipients without an Outcome are then tried again
MEMORY       content is read through ContentReader, a file in pieces, never whole
SOURCE       Postfix deliver_request(3), bounce(8), defer(8); RFC 3463
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator, Iterable, Mapping
from dataclasses import field
from typing import Protocol, Self

from delivery.values import Content, Envelope, Outcome, Recipient, Route, Status
from tables.addresses import Address
from tables.frozen import dataclass

PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt: some recipients of one message that share a route."""

    queue_id: str
    envelope: Envelope  # of the whole message; deliver to `recipients`, not to envelope.recipients
    route: Route
    recipients: tuple[Recipient, ...]
    content: Content
    arrived: float  # UTC seconds
    is_busy: bool = False  # mail for the destination follows on mail: keep connections


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """`origin` becomes a new message with the same content and a new envelope.

    `headers` go before all headers of the content (Delivered-To).
    """

    origin: Recipient
    envelope: Envelope
    headers: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of several things that were done for a recipient; its outcome has a recipient of its own.

    `owner`: who is told of a failure in place of the sender (the owner of a list), in a report
    about this part alone. `route`: how it went, when that is not the route of the Delivery.
    `is_news`: for reports alone ("expanded"), no delivery that logs should tell of.
    """

    outcome: Outcome
    owner: Address | None = None
    route: Route | None = None
    is_news: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Outcomes of one Delivery.

    `parts`: for recipients that stand for several others. The Outcome of such a recipient says only
    whether it is done with; what is logged and reported is what its parts say.
    `passed_on`: recipients whose next server supports DSN: reports of success are its duty now
    (RFC 3461 5.2.1). `unreachable` is the reason why the destination as a whole could not be used
    ('' when it could): the scheduler lowers its concurrency or leaves it alone for a while.
    """

    outcomes: tuple[Outcome, ...]
    forwards: tuple[Forward, ...] = ()
    parts: Mapping[Recipient, tuple[Part, ...]] = field(default_factory=dict)
    passed_on: frozenset[Recipient] = frozenset()
    unreachable: str = ""


class Agent(Protocol):
    """One way of handing messages on."""

    async def deliver(self, delivery: Delivery) -> Result:
        """Deliver; one Outcome per recipient of `delivery`, in any order."""


class Prompt:
    """An agent whose SENT means: on a disk of this machine, as soon as the queue might have it.

    What it delivers need not be in the queue first.
    """


def settle(
    recipients: Iterable[Recipient],
    status: Status,
    dsn: str,
    reason: str,
    *,
    relay: str = "none",
    reply: str = "",
) -> tuple[Outcome, ...]:
    """The same Outcome for all of `recipients`."""
    return tuple(
        Outcome(
            recipient=recipient, status=status, dsn=dsn, reason=reason, relay=relay, reply=reply
        )
        for recipient in recipients
    )


def pieces(content: Content, *, before: bytes = b"") -> Generator[bytes, None, None]:
    """`before`, our own header lines, then the message; for threads.

    What is in memory comes at once, a file in pieces of at most 64 KiB. Raises OSError when the
    content file cannot be read or ends early.
    """
    if not content.path:
        if text := before + content.headers + content.data:
            yield text
        return
    if headers := before + content.headers:
        yield headers
    with open(content.path, "rb") as file:
        left = content.size
        while left:
            piece = file.read(min(PIECE_BYTES, left))
            if not piece:
                raise OSError(f"content file ends {left} bytes early")
            left -= len(piece)
            yield piece


class ContentReader:
    """The same, for the event loop: a file is read in a thread.

    with ContentReader(content) as reader: while piece := await reader.next(): ...
    """

    __slots__ = ("_content", "_pieces", "is_over")

    def __init__(self, content: Content) -> None:
        self._content = content
        self._pieces = pieces(content) if content.path else None
        self.is_over = False  # nothing follows; what is in memory is one piece

    async def next(self) -> bytes:
        """The next piece; b"" at the end. Raises OSError."""
        if self.is_over:
            return b""
        if self._pieces is None:
            self.is_over = True
            return self._content.headers + self._content.data
        piece = await asyncio.to_thread(next, self._pieces, b"")
        self.is_over = not piece
        return piece

    def close(self) -> None:
        """Read no more."""
        if self._pieces is not None:
            with contextlib.suppress(ValueError):  # a thread still reads: the file ends with that
                self._pieces.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
