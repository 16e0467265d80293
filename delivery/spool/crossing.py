"""crossing - a new message on its way from the process that took it in to the one with the queue.

SUMMARY      packed(rows) -> (words, headers, text), for a link; unpacked(words, data) -> EntryRows
FORM         words: id, arrived, size, crc, sender, envelope, why it is held, recipients, octets of
             headers, whether the text is in a file; data: headers, and the text that is in none
             a recipient: address, original, notify, orcpt, outcome
RULES        what all new messages have alike, and what follows from the rest, does not cross
             whoever sent it may have been taken over by a client: rows are rows, of one message;
             whose id that is, is for the receiver to check
ERRORS       RowError: words that are none
"""

from __future__ import annotations

from typing import Any

from delivery.spool import queueid
from delivery.spool.committer import EntryRows
from delivery.spool.entries import new_message
from delivery.spool.rowform import RecipientRow, RowError

_TYPES = (int, float, int, int, str, str, str, list, int, bool)
_RECIPIENT_TYPES = ((*(str,) * 4, type(None)), (str,) * 5)  # to be tried, settled


def packed(rows: EntryRows) -> tuple[tuple[Any, ...], bytes, bytes]:
    """A message as it crosses."""
    number, _, _, arrived, _, _, size, _, crc, _, _, sender, envelope, hold = rows.message
    _, headers, data = rows.content
    recipients = [(*row[2:6], row.outcome) for row in rows.recipients]
    in_file = data is None
    words = (number, arrived, size, crc, sender, envelope, hold, recipients, len(headers), in_file)
    return words, headers, data or b""


def unpacked(words: Any, data: bytes) -> EntryRows:
    """The message that crossed. Raises RowError."""
    try:
        if tuple(map(type, words)) != _TYPES:
            raise RowError("columns of a message")
        number, arrived, size, crc, sender, envelope, hold, recipients, headers, in_file = words
        if min(number, size, crc) < 0 or not 0 <= headers <= len(data):
            raise RowError("columns of a message")
        if size != len(data) - headers and not in_file:
            raise RowError("the size is not that of the content")
        return EntryRows(
            message=new_message(number, arrived, size, crc, in_file, sender, envelope, hold),
            content=(number, data[:headers], None if in_file else data[headers:]),
            recipients=[_recipient(number, place, row) for place, row in enumerate(recipients)],
            file_name=queueid.to_text(number) if in_file else "",
        )
    except (TypeError, ValueError) as error:
        raise RowError(f"rows of a message: {error}") from error


def _recipient(number: int, place: int, row: Any) -> RecipientRow:
    if tuple(map(type, row)) not in _RECIPIENT_TYPES:
        raise RowError("columns of a recipient")
    address, original, notify, orcpt, outcome = row
    final = int(outcome is not None)
    return RecipientRow(number, place, address, original, notify, orcpt, final, outcome)
