"""records - what the spool takes and gives: leases, listings, submissions, and its limits.

SUMMARY      frozen values without behaviour; times are UTC seconds since the epoch
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import IntEnum

from delivery.values import Content, Envelope, Outcome, Recipient
from tables.frozen import dataclass


class QueueState(IntEnum):
    """Where a message is; Postfix's queue names. The numbers are on disk."""

    ACTIVE = 0  # entered or leased by the running engine
    DEFERRED = 1  # waits for its time
    HOLD = 2  # waits for an operator
    CORRUPT = 3  # set aside: unreadable in part, waits for an operator


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """Bounds of one shard."""

    inline_bytes: int = 128 * 1024  # larger content gets a file of its own
    buffer_bytes: int = 64 * 1024 * 1024  # content in memory while received, all sessions together
    fresh_bytes: int = 32 * 1024 * 1024  # content kept in memory until its first attempt
    active: int = 20_000  # qmgr_message_active_limit
    recipients: int = 20_000  # in memory, of all messages: qmgr_message_recipient_limit
    recipient_minimum: int = 10  # of each, whatever others have: qmgr_message_recipient_minimum
    free_bytes: int = 0  # queue_minfree: refuse mail when the disk has less
    database_bytes: int = 0  # the shard's database never grows beyond this; 0: the disk decides


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A message to enter, perhaps together with the end of another one: a bounce, a forward.

    `content` comes from a ContentWriter, and `queue_id` is the writer's.
    """

    envelope: Envelope
    content: Content
    queue_id: str = ""  # '' makes a new one: only for content in memory
    hold: str = ""  # why it is held; '': it is not
    settled: tuple[Outcome, ...] = ()  # of recipients that are done with: reports are due


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One message in the hands of an attempt.

    `envelope.recipients` are those still to be tried, as many as there is room for; when there are
    more, `more` is True and Spool.window() gives the next ones. `settled` are final
    outcomes of an interrupted attempt whose reports were not yet entered.
    """

    queue_id: str
    envelope: Envelope
    numbers: Mapping[Recipient, int] = field(repr=False)
    arrived: float
    attempts: int  # this one included
    size: int
    warned: bool = False  # the sender was told about the delay
    expired: bool = False  # an operator asked to return it: give up instead of deferring
    last_number: int = -1  # of the recipients read so far
    more: bool = False
    has_earlier: bool = False  # this window is not the first: others may be deferred
    settled: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRecipient:
    """A recipient still waiting, with what its last attempt said."""

    address: str
    status: str = ""
    dsn: str = ""
    reason: str = ""
    noted: float = 0.0  # when it said so


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One message as mailq(1) shows it; at most a bounded number of recipients.

    Those that were tried come first, in the order in which that ended.
    """

    queue_id: str
    state: QueueState
    sender: str  # external form; '' is the null sender
    size: int
    arrived: float
    next_attempt: float
    attempts: int
    reason: str = ""  # why held or corrupt
    expired: bool = False  # an operator asked to return it
    recipients: tuple[ListedRecipient, ...] = ()
    recipient_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrupt:
    """An entry that was set aside; `queue_id` is '' when not even that could be read."""

    queue_id: str
    reason: str

    def __str__(self) -> str:
        """For the log."""
        return f"{self.queue_id}: set aside: {self.reason}" if self.queue_id else self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What opening a shard found and did."""

    clean: bool  # the last engine closed it properly
    messages: int = 0
    interrupted: int = 0  # were active: due now, or later when it happened to them before
    orphans: int = 0  # content files of no message, removed
    corrupt: tuple[Corrupt, ...] = ()
    set_aside: str = ""  # name of the damaged database kept beside the new one
    seconds: float = 0.0
