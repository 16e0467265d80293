"""mailbox - the virtual(8) agent: recipients of hosted domains have Maildirs.

SUMMARY      MailboxAgent.deliver(): look up the Maildir, write the message into it
DURABLE      SENT means the file is in new/ and on disk (maildir.py)
RULES        virtual_mailbox_maps: user+ext@domain, user@domain, @domain -> path below
             virtual_mailbox_base; a path that ends in "/" is a Maildir
             Return-Path, X-Original-To and Delivered-To are put before the message
             a message larger than virtual_mailbox_limit is returned; one that would exceed the
             entry in virtual_mailbox_limit_maps (bytes of the whole mailbox) is kept: 4.2.2
             all mailboxes belong to the user the engine runs as: virtual_uid_maps has no effect
ERRORS       unknown 5.1.1; table unavailable, disk full, no permission: deferred 4.x.x
NOT DONE     mailbox files (paths without "/"): deferred with a reason that says so
SOURCE       Postfix virtual(8), postconf(5) virtual_...; mail_copy(3), mbox_open(3) for status
             codes
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from delivery.agents.base import Delivery, Result
from delivery.agents.maildir import Letter, MaildirWriter, UnsafePath, split_path
from delivery.agents.quota import OverQuota
from delivery.trace import local_headers
from delivery.values import Outcome, Recipient, Status
from tables.errors import TableUnavailable
from tables.keys import Key, address_keys

# mbox_dsn(3): errors that more room or another day does not cure
_STATUS = {
    errno.ENOSPC: "4.2.2",
    errno.EDQUOT: "4.2.2",
    errno.EFBIG: "4.2.2",
    errno.EACCES: "4.2.0",
    errno.EPERM: "4.2.0",
    errno.EROFS: "4.2.0",
}


class Found(Protocol):
    """An answer of a table."""

    @property
    def value(self) -> str: ...


class Maps(Protocol):
    """An ordered list of tables (tables.reading.lookup.Maps)."""

    def find(self, keys: Iterable[Key]) -> Found | None: ...


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """Field names and defaults are those of postconf(5); the base must be an absolute path."""

    virtual_mailbox_base: str
    virtual_mailbox_limit: int = 51_200_000
    recipient_delimiter: str = ""


class MailboxAgent:
    """virtual(8) for one generation; `writer` outlives it."""

    def __init__(
        self, writer: MaildirWriter, settings: MailboxSettings, mailboxes: Maps, limits: Maps
    ) -> None:
        """`mailboxes`: virtual_mailbox_maps; `limits`: virtual_mailbox_limit_maps."""
        if not os.path.isabs(settings.virtual_mailbox_base):
            raise ValueError("virtual_mailbox_base must be an absolute path")
        self._writer = writer
        self._settings = settings
        self._mailboxes = mailboxes
        self._limits = limits

    async def deliver(self, delivery: Delivery) -> Result:
        """One Outcome for every recipient; see base.py."""
        if len(delivery.recipients) == 1:
            return Result(outcomes=(await self._deliver_to(delivery.recipients[0], delivery),))
        outcomes = await asyncio.gather(
            *(self._deliver_to(recipient, delivery) for recipient in delivery.recipients)
        )
        return Result(outcomes=tuple(outcomes))

    async def _deliver_to(self, recipient: Recipient, delivery: Delivery) -> Outcome:
        outcome = Outcome(
            recipient=recipient,
            status=Status.DEFERRED,
            dsn="4.3.0",
            reason="",
            relay=delivery.route.transport,
        )
        try:
            found = self._find(self._mailboxes, recipient)
            if found is None:
                reason = f'unknown user: "{recipient.address.internal.lower()}"'
                return replace(outcome, status=Status.BOUNCED, dsn="5.1.1", reason=reason)
            quota = self._quota(recipient)
        except TableUnavailable:
            return replace(outcome, reason="mailbox lookup error")
        if not found.endswith("/"):
            reason = "mailbox files are not supported: end the path with / for a Maildir"
            return replace(outcome, dsn="4.3.5", reason=reason)
        return await self._write(delivery, outcome, found, quota)

    async def _write(self, delivery: Delivery, outcome: Outcome, path: str, quota: int) -> Outcome:
        recipient = outcome.recipient
        headers = local_headers(
            sender=delivery.envelope.sender,
            recipient=recipient.address,
            original=recipient.original,
        )
        limit = self._settings.virtual_mailbox_limit
        if limit and delivery.content.size > limit:
            reason = "maildir delivery failed: message exceeds virtual_mailbox_limit"
            return replace(outcome, status=Status.BOUNCED, dsn="5.2.2", reason=reason)
        base = self._settings.virtual_mailbox_base
        letter = Letter(
            base=base, maildir=path, headers=headers, content=delivery.content, quota_bytes=quota
        )
        try:
            name = await self._writer.deliver(letter)
        except (OverQuota, UnsafePath, OSError) as error:
            return _failed(outcome, error)
        where = "/".join([*split_path(path), "new", name])
        return replace(
            outcome,
            status=Status.SENT,
            dsn="2.0.0",
            reason="delivered to maildir",
            delivered_to=where,
        )

    def _find(self, maps: Maps, recipient: Recipient) -> str | None:
        delimiter = self._settings.recipient_delimiter
        found = maps.find(address_keys(recipient.address, delimiter=delimiter))
        return None if found is None else found.value

    def _quota(self, recipient: Recipient) -> int:
        """Bytes, 0 for none. An entry that is no number means that the table is broken."""
        text = self._find(self._limits, recipient)
        if text is None:
            return 0
        if not text.isdecimal():
            raise TableUnavailable("virtual_mailbox_limit_maps holds something that is no number")
        return int(text)


def _failed(outcome: Outcome, error: Exception) -> Outcome:
    """Deferred: the location is the administrator's matter, the sender cannot help it."""
    if isinstance(error, OverQuota):
        return replace(outcome, dsn="4.2.2", reason=f"maildir delivery failed: {error}")
    if isinstance(error, UnsafePath):
        return replace(outcome, dsn="4.3.5", reason=f"maildir delivery failed: {error}")
    code = error.errno if isinstance(error, OSError) else None
    text = "symbolic link in the path" if code == errno.ELOOP else os.strerror(code or errno.EIO)
    dsn = _STATUS.get(code or 0, "4.3.0")
    return replace(outcome, dsn=dsn, reason=f"maildir delivery failed: {text}")
