"""failures - what an error of the system means for a message.

SUMMARY      failed(error, default, reason) -> Answer
RULES        try again: 4.2.0; no room on the disk: 4.3.0; the user's quota or a limit of size:
             5.2.2; everything else is as the caller says
             without the right to become the user, "permission denied" says nothing about the user's
             mailbox: it is ours to repair, and the mail is kept (4.2.0)
SOURCE       Postfix mbox_dsn(3)
"""

from __future__ import annotations

import errno
import os

from delivery.courier.wire import Answer

_AGAIN = frozenset({errno.EAGAIN, errno.ESTALE, errno.EINTR, errno.EMFILE, errno.ENFILE})
_OURS = frozenset({errno.EIO, errno.ENOMEM})
_FULL = frozenset({errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def status_of(error: OSError, default: str, *, switches: bool) -> str:
    """The status code of an error."""
    code = error.errno or 0
    if code in _AGAIN:
        return "4.2.0"
    if code == errno.ENOSPC or code in _OURS:
        return "4.3.0"
    if code in _FULL:
        return "5.2.2"
    if code in _FORBIDDEN and not switches:
        return "4.2.0"
    return default


def text_of(error: OSError) -> str:
    """The words of an error: the system's, or our own when there is no number."""
    return os.strerror(error.errno) if error.errno else str(error)


def failed(error: OSError, default: str, what: str, *, switches: bool) -> Answer:
    """The answer to an order that could not be carried out."""
    return Answer(
        dsn=status_of(error, default, switches=switches), reason=f"{what}: {text_of(error)}"
    )
