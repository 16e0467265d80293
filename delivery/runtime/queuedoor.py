"""queuedoor - the way into the queue from the process that speaks to clients.

SUMMARY      QueueDoor(link, intake): a delivery.spool.intake.Door; reception.py is its other side
             QueueVerifier(link).verify(address): what probes found out
RULES        content is written here, large one to a file of its own, and synced; all else goes to
             the queue, which says when it is on disk
             where it says nothing any more, a file of content stays: the message may be there
ERRORS       those of the queue: SmtpFailure 452 4.3.1, ProbeUnavailable; OurError when it is gone
             SmtpFailure 552 5.3.4 for what is too large to cross
"""

from __future__ import annotations

import time

from delivery.errors import SmtpFailure
from delivery.policy.facts import Probe, ProbeStatus
from delivery.runtime.link import FrameTooLong, Link
from delivery.spool import queueid
from delivery.spool.entries import columns_of
from delivery.spool.intake import Intake
from delivery.spool.records import Submission
from tables.addresses import Address


class QueueDoor:
    """One for the process."""

    def __init__(self, link: Link, intake: Intake) -> None:
        self._link = link
        self._intake = intake
        # of a Door, what is done here
        self.begin = intake.begin
        self.check_room = intake.check_room
        self.forget = intake.forget

    async def enter_submission(self, submission: Submission, *, now: float | None = None) -> str:
        """Queue a message; its id, when it is on disk. Raises SmtpFailure 452 4.3.1."""
        queue_id = submission.queue_id or queueid.to_text(self._intake.next_number())
        number, content = queueid.to_number(queue_id), submission.content
        columns = columns_of(number, submission, time.time() if now is None else now)
        try:
            await self._link.ask("enter", columns, content.headers, content.data)
        except FrameTooLong as error:
            self.forget(content)
            raise SmtpFailure(
                552, "5.3.4", "Error: message file too big", cause=str(error)
            ) from error
        except SmtpFailure:
            self.forget(content)
            raise
        finally:  # without an answer it may be in the queue: recovery.py knows
            self._intake.entered(queue_id)
        return queue_id

    async def flush(self, now: float, *, site: str) -> int:
        """Make deferred messages with a recipient in `site` due, and try them; how many."""
        count: int = await self._link.ask("flush", site)
        return count


class QueueVerifier:
    """Probes are sent by the process that has the queue."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def verify(self, address: Address) -> Probe:
        """What is known of the address; raises ProbeUnavailable."""
        status, reason = await self._link.ask("verify", (address.local, address.domain))
        return Probe(ProbeStatus(status), reason)
