"""faults - what goes wrong in one connection: errors and junk are counted, and blame is noted.

SUMMARY      Faults(settings): .count_junk(), .count_refusal(event), .forgive()
             .is_slowed, await .pause(); .are_too_many: the connection is to end now
             .blamed: whose fault refusals were; .failed(failure, client) -> the reply to a command
RULES        a refusal counts as an error; from smtpd_soft_error_limit on all replies are slowed, at
             smtpd_hard_error_limit it ends
             commands that do nothing count as junk, a mistake in one does too
             (smtpd_junk_command_limit)
             a message that was accepted lets errors, junk and blame be forgotten
             blame is for the postmaster (notify_classes)
SOURCE       Postfix smtpd(8); postconf(5) smtpd_error_sleep_time, smtpd_junk_command_limit
"""

from __future__ import annotations

import asyncio

from delivery import log
from delivery.errors import SmtpFailure
from delivery.policy.verdict import Blame
from delivery.runtime.rules import SessionSettings
from delivery.smtp import events, replies
from delivery.smtp.replies import Reply
from tables.errors import TableUnavailable

# postconf(5) smtpd_junk_command_limit
JUNK = frozenset({events.Noop, events.Rset, events.Vrfy, events.Etrn, events.Helo, events.Ehlo})
_JUNK_VERBS = frozenset({"NOOP", "RSET", "VRFY", "ETRN", "HELO", "EHLO"})
_BLAMES = {452: Blame.RESOURCE, 451: Blame.SOFTWARE}


class Faults:
    """Of one connection."""

    def __init__(self, settings: SessionSettings) -> None:
        self.is_slowed = False  # it has made so many errors that its replies wait
        self.are_too_many = False  # the connection is to end now
        self.is_forgiven = False  # the refusal to come is no error
        self.blamed: set[Blame] = set()
        self._settings = settings
        self._errors = 0
        self._junk = 0

    def count_junk(self) -> None:
        """A command that did nothing. postconf(5) smtpd_junk_command_limit."""
        if self._junk > self._settings.smtpd_junk_command_limit:
            self._count_error()
        self._junk += 1

    def count_refusal(self, event: events.Event) -> None:
        """A command was refused."""
        if not self.is_forgiven:
            self._count_error()
        self.is_forgiven = False
        if isinstance(event, events.SyntaxProblem) and event.verb in _JUNK_VERBS:
            self.count_junk()

    def _count_error(self) -> None:
        """postconf(5) smtpd_soft_error_limit, smtpd_hard_error_limit."""
        self._errors += 1
        self.is_slowed = self._errors >= self._settings.smtpd_soft_error_limit
        self.are_too_many = self._errors >= self._settings.smtpd_hard_error_limit

    def forgive(self) -> None:
        """A message was accepted: what went wrong before does not count any more."""
        self._errors = self._junk = 0
        self.is_slowed = self.are_too_many = False
        self.blamed.clear()

    def failed(self, failure: SmtpFailure | TableUnavailable, client: str) -> Reply:
        """The reply to a command that could not be carried out. `client`: for the log."""
        if isinstance(failure, TableUnavailable):
            log.event("smtpd", problem=str(failure), client=client)
            self.blamed.add(Blame.DATA)
            return replies.reply(451, "4.3.0", "Temporary lookup failure")
        if failure.cause:
            log.event("smtpd", problem=failure.cause, reply=str(failure), client=client)
        is_ours = failure.enhanced != "4.6.0"  # else an alias stands for too many
        self.blamed.add(_BLAMES.get(failure.code, Blame.POLICY) if is_ours else Blame.POLICY)
        return replies.failure(failure)

    async def pause(self) -> None:
        """Before a reply: clients that make errors wait. postconf(5) smtpd_error_sleep_time."""
        if self.is_slowed:
            await asyncio.sleep(self._settings.smtpd_error_sleep_time)
