"""crossing - a new message that comes from the process that took it in to the one with the queue.

SUMMARY      unpacked(columns, data) -> EntryRows
FORM         columns: those of entries.py; data: headers, and the text that is in no file
RULES        what all new messages have alike, and what follows from the rest, does not cross
             whoever sent it may have been taken over by a client: rows are rows, of one message;
             whose id that is, is for the receiver to check
ERRORS       RowError: columns that are none
"""

from __future__ import annotations

from typing import Any

from delivery.spool.committer import EntryRows
from delivery.spool.entries import rows_of
from delivery.spool.rowform import RowError

_TYPES = (int, float, int, int, str, str, str, list, int, bool)
_RECIPIENT_TYPES = ((*(str,) * 4, type(None)), (str,) * 5)  # to be tried, settled


def unpacked(columns: Any, data: memoryview) -> EntryRows:
    """The message that crossed. Raises RowError."""
    try:
        if tuple(map(type, columns)) != _TYPES:
            raise RowError("columns of a message")
        number, _, size, crc, _, _, _, recipients, headers, in_file = columns
        if min(number, size, crc) < 0 or not 0 <= headers <= len(data):
            raise RowError("columns of a message")
        if size != len(data) - headers and not in_file:
            raise RowError("the size is not that of the content")
        for recipient in recipients:
            if tuple(map(type, recipient)) not in _RECIPIENT_TYPES:
                raise RowError("columns of a recipient")
        return rows_of(columns, bytes(data[:headers]), bytes(data[headers:]))
    except (TypeError, ValueError) as error:
        raise RowError(f"rows of a message: {error}") from error
