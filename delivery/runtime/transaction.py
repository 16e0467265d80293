"""transaction - one message of a session, from MAIL to the end of its text.

SUMMARY      Transaction(mail, session, asked): .known, .recipients, .writer, .draft; .whole
RULES        begun when MAIL was accepted; what policy services know it by (instance) is new then
             the first recipient gives it a name in the queue (writer), DATA a draft
SOURCE       RFC 5321 3.3; Postfix SMTPD_POLICY_README
"""

from __future__ import annotations

import itertools
import os
from functools import cache
from typing import Any

from delivery.runtime.draft import Draft
from delivery.smtp import events
from delivery.spool.content import ContentWriter
from delivery.values import Recipient

_instances = itertools.count(1)


class Transaction:
    """One message."""

    __slots__ = ("draft", "known", "mail", "overshoot", "recipients", "writer")

    def __init__(self, mail: events.Mail, session: dict[str, Any], asked: dict[str, Any]) -> None:
        """`session`: its facts; `asked`: those that MAIL was accepted for."""
        self.mail = mail
        self.known = session | asked
        self.known["instance"] = f"{_process()}.{next(_instances):x}"
        self.recipients: list[Recipient] = []
        self.overshoot = 0  # recipients beyond the limit
        self.writer: ContentWriter | None = None
        self.draft: Draft | None = None

    @property
    def whole(self) -> dict[str, Any]:
        """The facts of its recipients, once they are all known."""
        recipients = self.recipients
        only = recipients[0].address if len(recipients) == 1 else None
        return {"recipient": only, "recipient_count": len(recipients)}


@cache
def _process() -> str:
    """What tells our instances from those of other processes."""
    return f"{os.getpid():x}"
