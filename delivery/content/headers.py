"""headers - header names: which text begins a header, and what is known of its name.

SUMMARY      name_length(line) -> length of the name, 0 when the line is no header
             HeaderNames(drop).find(name) -> Header | None
RULES        a name is printable ASCII; blanks may stand between it and the colon (RFC 5322 4.5)
             names are compared without regard to case
SOURCE       RFC 5322 2.2, 3.6; Postfix header_opts(3), is_header(3)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

_NAME = re.compile(rb"[!-9;-~]+(?=[ \t]*:)")  # RFC 5322 3.6.8 ftext
_SENDERS = (
    "disposition-notification-to errors-to from mail-followup-to reply-to resent-from "
    "resent-sender return-path return-receipt-to sender"
)
_RECIPIENTS = "apparently-to bcc cc resent-bcc resent-cc resent-reply-to resent-to to"
_MIME = (
    "content-description content-disposition content-id content-transfer-encoding content-type "
    "mime-version"
)
_OTHERS = "content-length date delivered-to message-id received resent-date resent-message-id"


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a name, which is in lower case."""

    name: str
    sender: bool = False  # its addresses are rewritten as senders
    recipient: bool = False  # its addresses are rewritten as recipients
    mime: bool = False  # describes a MIME part
    dropped: bool = False  # postconf(5) message_drop_headers

    @property
    def resent(self) -> bool:
        """True for the headers of RFC 5322 3.6.6."""
        return self.name.startswith("resent-")


def _known() -> dict[str, Header]:
    found = {name: Header(name, sender=True) for name in _SENDERS.split()}
    found |= {name: Header(name, recipient=True) for name in _RECIPIENTS.split()}
    found |= {name: Header(name, mime=True) for name in _MIME.split()}
    return found | {name: Header(name) for name in _OTHERS.split()}


KNOWN = _known()


def name_length(line: bytes) -> int:
    """How long the name of the header is that this line begins; 0: it begins none."""
    match = _NAME.match(line)
    return 0 if match is None else match.end()


class HeaderNames:
    """The names known to one snapshot."""

    __slots__ = ("_found",)

    def __init__(self, dropped: Iterable[str] = ()) -> None:
        found = dict(KNOWN)
        for name in map(str.lower, dropped):
            found[name] = replace(found.get(name) or Header(name), dropped=True)
        self._found = {name.encode("utf-8", "surrogateescape"): it for name, it in found.items()}

    def find(self, name: bytes) -> Header | None:
        """What is known of a name in any case."""
        return self._found.get(name.lower())
