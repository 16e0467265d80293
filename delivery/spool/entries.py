"""entries - a message on its way in: rows for the committer, and what the queue knows of it.

SUMMARY      columns_of(number, submission, now): what is particular to it, by whoever took it in
             rows_of(columns, headers, data) -> EntryRows, by the queue; make_rows(...): both
             lease_of(rows), content_of(rows): for its first attempt, by the queue
FORM         columns: id, arrived, size, crc, sender, envelope, why it is held, recipients, octets
             of headers, whether the text is in a file
             a recipient: address, original, notify, orcpt, outcome (of one that is settled)
RULES        columns are all that goes from one process to another (crossing.py), and rows are what
             is on disk: the first attempt knows no more than a later one
             recipients that are equal in everything are one; an exact copy would be delivered twice
             content in a file has the name of its message already: that of its writer
             one that waits on disk for its first attempt is due before all that was tried before,
             whatever the clock says: a long queue does not delay new mail
ERRORS       SmtpFailure 553 5.6.7: an address that is not valid Unicode
             OurError: the content is in the file of another message
             RowError: rows that cannot be read
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from delivery.errors import OurError
from delivery.spool import queueid, rowform
from delivery.spool.committer import EntryRows
from delivery.spool.content import ContentFiles, checksum
from delivery.spool.records import Lease, QueueState, Submission
from delivery.spool.rowform import RecipientRow
from delivery.values import Content


def columns_of(number: int, submission: Submission, now: float) -> tuple[Any, ...]:
    """What is to be known of a new message beside its content."""
    envelope, content = submission.envelope, submission.content
    in_file = bool(content.path)
    if in_file and os.path.basename(content.path) != queueid.to_text(number):
        raise OurError(f"{queueid.to_text(number)} entered with the content file {content.path}")
    return (
        number,
        now,
        content.size,
        0 if in_file else checksum(content.data),
        rowform.sender_column(envelope.sender),
        rowform.envelope_column(envelope),
        submission.hold,
        [
            *map(rowform.recipient_columns, dict.fromkeys(envelope.recipients)),
            *map(rowform.settled_columns, submission.settled),
        ],
        len(content.headers),
        in_file,
    )


def rows_of(columns: Sequence[Any], headers: bytes, data: bytes) -> EntryRows:
    """The rows of a new message; it is due, and active, unless it is held."""
    number, arrived, size, crc, sender, envelope, hold, recipients, _, in_file = columns
    return EntryRows(
        message=(
            number,
            int(QueueState.HOLD if hold else QueueState.ACTIVE),
            arrived,  # due
            arrived,
            0,  # attempts
            0,  # interrupted
            size,
            int(in_file),
            crc,
            0,  # warned
            0,  # expired
            sender,
            envelope,
            hold,
        ),
        content=(number, headers, None if in_file else data),
        recipients=[
            RecipientRow(
                number, place, address, original, notify, orcpt, int(outcome is not None), outcome
            )
            for place, (address, original, notify, orcpt, outcome) in enumerate(recipients)
        ],
        file_name=queueid.to_text(number) if in_file else "",
    )


def make_rows(number: int, submission: Submission, now: float) -> EntryRows:
    """The rows of a message that came in by the process with the queue."""
    content = submission.content
    return rows_of(columns_of(number, submission, now), content.headers, content.data)


def passed_by(rows: EntryRows) -> EntryRows:
    """The same message, as it is when there is no room in memory: on disk alone, due at once."""
    number, _, _, *rest = rows.message
    return replace(rows, message=(number, int(QueueState.DEFERRED), 0.0, *rest))


def lease_of(rows: EntryRows) -> Lease:
    """The lease of a new message, when it is tried at once. Raises RowError."""
    number, _, _, arrived, _, _, size, _, _, _, _, sender, envelope, _ = rows.message
    numbers, settled = {}, []
    for row in rows.recipients:
        recipient = rowform.read_recipient(row)
        if row.final:
            settled.append(rowform.read_outcome(row.outcome or "", recipient))
        else:
            numbers[recipient] = row.number
    return Lease(
        queue_id=queueid.to_text(number),
        envelope=rowform.read_envelope(sender, envelope, tuple(numbers)),
        numbers=numbers,
        arrived=arrived,
        attempts=1,
        size=size,
        last_number=len(rows.recipients) - 1,
        settled=tuple(settled),
    )


def content_of(rows: EntryRows, files: ContentFiles) -> Content:
    """The message itself."""
    _, headers, data = rows.content
    path = str(files.path(rows.file_name)) if rows.file_name else ""
    return Content(size=rows.message[6], data=data or b"", path=path, headers=headers)
