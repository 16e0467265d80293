"""mailbox - the virtual(8) agent: recipients of hosted domains have Maildirs.

SUMMARY      MailboxAgent.deliver(): look up the Maildir, write the message into it
DURABLE      SENT means the file is in new/ and on disk (maildir.py)
RULES        virtual_mailbox_maps: user+ext@domain, user@domain, @domain -> path below
             virtual_mailbox_base; a path that ends in "/" is a Maildir, any other a mailbox file
             Return-Path, X-Original-To and Delivered-To are put before the message
             a message larger than virtual_mailbox_limit is returned; one that would exceed the
             entry in virtual_mailbox_limit_maps (bytes of the whole mailbox) is kept: 4.2.2
             virtual_uid_maps and virtual_gid_maps say to whom a mailbox belongs when there is a
             helper that can become any user; without one all belong to the user the engine runs as
             the helper (delivery.courier) writes mailbox files, and whatever belongs to others
ERRORS       unknown 5.1.1; table unavailable, disk full, no permission: deferred 4.x.x
NOT DONE     virtual_mailbox_limit_maps for what the helper writes
SOURCE       Postfix virtual(8), postconf(5) virtual_...; mail_copy(3), mbox_open(3) for status
             codes
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from delivery.agents.base import Delivery, Prompt, Result
from delivery.agents.courier import CourierFailed
from delivery.agents.envelope_text import envelope_text
from delivery.agents.local_drops import Helper
from delivery.agents.maildir import Letter, MaildirWriter, UnsafePath, split_path
from delivery.agents.quota import OverQuota
from delivery.courier.wire import Append, Store
from delivery.trace import local_headers
from delivery.values import Outcome, Recipient, Status
from tables.errors import TableUnavailable
from tables.frozen import replace
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
    virtual_minimum_uid: int = 100
    virtual_mailbox_lock: tuple[str, ...] = ("fcntl", "dotlock")
    strict_mailbox_ownership: bool = True
    deliver_lock_attempts: int = 20
    deliver_lock_delay: float = 1.0
    stale_lock_time: float = 500.0


class MailboxAgent(Prompt):
    """virtual(8) for one generation; `writer` outlives it."""

    def __init__(
        self,
        writer: MaildirWriter,
        settings: MailboxSettings,
        mailboxes: Maps,
        limits: Maps,
        *,
        uids: Maps | None = None,
        gids: Maps | None = None,
        helper: Helper | None = None,
    ) -> None:
        """`mailboxes`: virtual_mailbox_maps; `limits`: virtual_mailbox_limit_maps.

        `uids`, `gids`: virtual_uid_maps, virtual_gid_maps; `helper`: a Courier.
        """
        if not os.path.isabs(settings.virtual_mailbox_base):
            raise ValueError("virtual_mailbox_base must be an absolute path")
        self._writer = writer
        self._settings = settings
        self._mailboxes = mailboxes
        self._limits = limits
        self._uids = uids
        self._gids = gids
        self._helper = helper

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
        keys = address_keys(recipient.address, delimiter=self._settings.recipient_delimiter)
        try:
            found = _find(self._mailboxes, keys)
            if found is None:
                reason = f'unknown user: "{recipient.address.internal.lower()}"'
                return replace(outcome, status=Status.BOUNCED, dsn="5.1.1", reason=reason)
            quota = self._quota(keys)
            owner = self._owner(keys)
        except TableUnavailable:
            return replace(outcome, reason="mailbox lookup error")
        if owner is None:
            return replace(outcome, dsn="4.3.5", reason="mail system configuration error")
        if delivery.envelope.is_probe:
            kind = "maildir" if found.endswith("/") else "mailbox"
            reason = f"delivers to {kind}"
            return replace(outcome, status=Status.SENT, dsn="2.0.0", reason=reason)
        if self._helper is not None and (owner or not found.endswith("/")):
            return await self._hand_over(delivery, outcome, found, owner, self._helper)
        if not found.endswith("/"):
            reason = "mailbox files need the local delivery helper"
            return replace(outcome, dsn="4.3.5", reason=reason)
        return await self._write(delivery, outcome, found, quota)

    def _owner(self, keys: tuple[Key, ...]) -> str | None:
        """ "uid:gid"; '' for nobody in particular, None for a number that cannot be used."""
        if self._helper is None or not self._helper.switches or not self._uids:
            return ""
        numbers = []
        least = self._settings.virtual_minimum_uid
        for maps, smallest in ((self._uids, max(least, 1)), (self._gids, 1)):
            text = None if maps is None else _find(maps, keys)
            if text is None or not text.isdecimal() or int(text[:9]) < smallest:
                return None
            numbers.append(text)
        return ":".join(numbers)

    async def _hand_over(
        self, delivery: Delivery, outcome: Outcome, found: str, owner: str, helper: Helper
    ) -> Outcome:
        """Let the helper write it."""
        try:
            order = self._order(delivery, outcome.recipient, found, owner)
        except UnsafePath as error:
            return _failed(outcome, error)
        is_maildir = isinstance(order, Store)
        try:
            answer = await helper.carry(order, delivery.content)
        except (CourierFailed, OSError) as error:
            return replace(outcome, reason=f"mailbox delivery failed: {error}")
        if answer.is_done:
            reason = "delivered to maildir" if is_maildir else "delivered to mailbox"
            return replace(
                outcome, status=Status.SENT, dsn="2.0.0", reason=reason, delivered_to=answer.where
            )
        dsn = "4.2.0" if answer.dsn == "5.2.0" else answer.dsn  # the administrator's matter
        status = Status.DEFERRED if dsn.startswith("4") else Status.BOUNCED
        kind = "maildir" if is_maildir else "mailbox"
        reason = f"{kind} delivery failed: {answer.reason}"
        return replace(outcome, status=status, dsn=dsn, reason=reason)

    def _order(
        self, delivery: Delivery, recipient: Recipient, found: str, owner: str
    ) -> Store | Append:
        """What the helper is to do. Raises UnsafePath."""
        settings = self._settings
        is_maildir = found.endswith("/")
        path = "/".join([settings.virtual_mailbox_base.rstrip("/"), *split_path(found)])
        uid, _, gid = owner.partition(":")
        user, group = (f"#{uid}", f"#{gid}") if owner else ("", "")
        prefix = envelope_text(
            delivery.envelope.sender,
            from_line=not is_maildir,
            return_path=True,
            original=recipient.original,
            delivered=recipient.address,
        )
        limit = settings.virtual_mailbox_limit
        if is_maildir:
            host = self._writer.host
            return Store(
                user=user, group=group, path=path, prefix=prefix, limit=limit, hostname=host
            )
        return Append(
            user=user,
            group=group,
            path=path,
            prefix=prefix,
            limit=limit,
            locks=settings.virtual_mailbox_lock,
            attempts=settings.deliver_lock_attempts,
            delay_s=settings.deliver_lock_delay,
            stale_s=settings.stale_lock_time,
            is_mailbox=True,
            owned=settings.strict_mailbox_ownership,
        )

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

    def _quota(self, keys: tuple[Key, ...]) -> int:
        """Bytes, 0 for none. An entry that is no number means that the table is broken."""
        text = _find(self._limits, keys)
        if text is None:
            return 0
        if not text.isdecimal():
            raise TableUnavailable("virtual_mailbox_limit_maps holds something that is no number")
        return int(text)


def _find(maps: Maps, keys: tuple[Key, ...]) -> str | None:
    found = maps.find(keys)
    return None if found is None else found.value


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
