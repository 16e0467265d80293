"""notices - a session in which something went wrong, told to the postmaster by mail.

SUMMARY      Transcript: what was said
             await Notices(cleanup).send(rules, client, blamed, transcript), at the end of a session
RULES        notify_classes says which kinds of trouble are told; one notice for a whole session
             what is told are the last KEPT lines, each of at most LINE characters, without the
             credentials of AUTH, nor lines behind a refused AUTH that are no commands: a client
             that did not wait for the answer says a password there
             PER_HOUR notices at most: no outsider can fill the postmaster's mailbox, or the disk
ERRORS       a notice that the disk does not take is only logged
SOURCE       postconf(5) notify_classes; Postfix smtpd_chat.c
"""

from __future__ import annotations

import re
import textwrap
import time
from collections import deque
from collections.abc import Callable, Iterable, Set

from delivery import log, trace
from delivery.errors import SmtpFailure
from delivery.policy.verdict import Blame
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.rules import ServiceRules
from delivery.smtp.commands import PARSERS
from delivery.smtp.replies import Reply
from delivery.smtp.server import KEPT, LINE
from delivery.values import Envelope, Recipient
from tables.addresses import Address, parse_path
from tables.errors import TableError

PER_HOUR = 100
_UNSAFE = re.compile(r"[^ -~]")
_CREDENTIALS = re.compile(r"(\s*AUTH\s+\S+\s+)\S.*", re.IGNORECASE | re.DOTALL)


class Transcript:
    """One session. Lines are made only when they are wanted."""

    __slots__ = ("_said",)

    def __init__(self, said: Iterable[tuple[str, Reply]]) -> None:
        """`said`: commands and replies; without a command: a message ended, or we spoke first."""
        self._said = said

    def lines(self) -> Iterable[str]:
        """What was said, the oldest first."""
        said: deque[str] = deque(maxlen=KEPT)
        verb = ""  # of the last command
        for command, reply in self._said:
            if command:
                word = (command.split() or [""])[0].upper()
                is_secret = verb == "AUTH" and word not in PARSERS
                verb = verb if is_secret else word
                shown = "(hidden)" if is_secret else _CREDENTIALS.sub(r"\1(hidden)", command)
                said.append(f" In:  {shown}")
            said.extend(f" Out: {line}" for line in reply.wire.decode("ascii").splitlines())
        return (_UNSAFE.sub("?", line[:LINE]) for line in said)


class Notices:
    """Of all sessions of this engine."""

    def __init__(self, cleanup: Cleanup, *, clock: Callable[[], float] = time.time) -> None:
        self._cleanup = cleanup
        self._clock = clock
        self._left = float(PER_HOUR)
        self._counted = clock()

    async def send(
        self, rules: ServiceRules, client: str, blamed: Set[Blame], transcript: Transcript
    ) -> None:
        """Queue a notice, when there is something that the postmaster wants to know.

        `blamed`: whose fault it was that something was refused.
        """
        settings = rules.notices
        told = {blame for blame in blamed if blame.value in settings.notify_classes}
        if not told or not self._may_send(client):
            return
        recipient = settings.error_notice_recipient
        if Blame.BOUNCE in told:
            recipient = settings.bounce_notice_recipient
        try:
            await self._enter(rules, client, transcript, parse_path(recipient, smtputf8=True))
        except (SmtpFailure, TableError) as error:
            log.event("smtpd", problem=f"no notice to {recipient}: {error}", client=client)

    # inside

    def _may_send(self, client: str) -> bool:
        now = self._clock()
        gained = max(now - self._counted, 0.0) * PER_HOUR / 3600
        self._left, self._counted = min(self._left + gained, float(PER_HOUR)), now
        if self._left < 1:
            log.event("smtpd", problem="too many notices to the postmaster", client=client)
            return False
        self._left -= 1
        return True

    async def _enter(
        self, rules: ServiceRules, client: str, transcript: Transcript, to: Address
    ) -> None:
        writer = self._cleanup.spool.begin()
        now, hostname = self._clock(), rules.mail.myhostname
        received = trace.received_locally(
            queue_id=writer.queue_id,
            myhostname=hostname,
            mail_name=rules.mail.mail_name,
            when=now,
        )
        envelope = Envelope(
            sender=Address(rules.notices.double_bounce_sender),
            recipients=(Recipient(address=to, original=to),),
            generation=rules.number,
            is_local=True,
        )
        handling = rules.notified
        draft = self._cleanup.begin(rules.cleanup, handling, envelope, writer, received)
        daemon = rules.router.rewriter.complete(Address("MAILER-DAEMON"))
        shown = parse_path(rules.notices.error_notice_recipient, smtputf8=True)
        lines = [
            f"Date: {trace.mail_date(now)}",
            f"From: Mail Delivery System <{daemon.text}>",
            f"To: Postmaster <{trace.header_address(shown, smtputf8=True)}>",
            f"Subject: {rules.mail.mail_name} SMTP server: errors from {_UNSAFE.sub('?', client)}",
            f"Message-Id: <{writer.queue_id}.{int(now)}@{hostname}>",
            "",
            "Transcript of session follows.",
            "",
            *(part for line in transcript.lines() for part in _wrapped(line)),
            "",
            "",
            "For other details, see the local mail logfile",
        ]
        try:
            draft.take("".join(f"{line}\r\n" for line in lines).encode())
            await self._cleanup.enter(draft)
        except BaseException:
            draft.abandon()
            raise


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(
        line, 79, subsequent_indent="     ", break_long_words=False, break_on_hyphens=False
    )
