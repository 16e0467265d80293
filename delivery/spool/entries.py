"""entries - a message on its way in: rows for the committer, a lease for its first attempt.

SUMMARY      make_entry(number, submission, state, now) -> (EntryRows, Lease)
RULES        recipients that are equal in everything are one; an exact copy would be delivered twice
             content in a file has the name of its message already: that of its writer
             one that waits on disk for its first attempt is due before all that was tried before,
             whatever the clock says: a long queue does not delay new mail
ERRORS       SmtpFailure 553 5.6.7: an address that is not valid Unicode
             OurError: the content is in the file of another message
"""

from __future__ import annotations

import os
from dataclasses import replace

from delivery.errors import OurError
from delivery.spool import queueid, rowform
from delivery.spool.committer import EntryRows
from delivery.spool.content import checksum
from delivery.spool.records import Lease, QueueState, Submission


def make_entry(
    number: int, submission: Submission, state: QueueState, now: float
) -> tuple[EntryRows, Lease]:
    """The rows of a new message, and the lease it has when it is tried at once."""
    envelope, content = submission.envelope, submission.content
    queue_id = queueid.to_text(number)
    recipients = tuple(dict.fromkeys(envelope.recipients))
    if len(recipients) < len(envelope.recipients):
        envelope = replace(envelope, recipients=recipients)
    in_file = bool(content.path)
    if in_file and os.path.basename(content.path) != queue_id:
        raise OurError(f"{queue_id} entered with the content file {content.path}")
    row = (
        number,
        int(state),
        0.0 if state is QueueState.DEFERRED else now,  # due
        now,  # arrived
        0,  # attempts
        0,  # interrupted
        content.size,
        int(in_file),
        0 if in_file else checksum(content.data),
        0,  # warned
        0,  # expired
        rowform.sender_column(envelope.sender),
        rowform.envelope_column(envelope),
        submission.hold,
    )
    rows = EntryRows(
        message=row,
        content=(number, content.headers, None if in_file else content.data),
        recipients=[
            *(rowform.recipient_row(number, place, item) for place, item in enumerate(recipients)),
            *(
                rowform.settled_row(number, place, item)
                for place, item in enumerate(submission.settled, len(recipients))
            ),
        ],
        file_name=queue_id if in_file else "",
    )
    lease = Lease(
        queue_id=queue_id,
        envelope=envelope,
        numbers={item: place for place, item in enumerate(recipients)},
        arrived=now,
        attempts=1,
        size=content.size,
        last_number=len(recipients) + len(submission.settled) - 1,
        settled=submission.settled,
    )
    return rows, lease
