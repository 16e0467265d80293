"""completion - the headers that a message must have and this one has not.

SUMMARY      missing_headers(...) -> lines for the end of the header section
RULES        Message-Id, Date, From; for a message with any Resent- header: Resent-Message-Id ...
             undisclosed_recipients_header when there is no To, Cc, Resent-To, Resent-Cc
             only for mail whose headers are rewritten, or with always_add_missing_headers
NOT DONE     Sender is never added
SOURCE       RFC 5322 3.6; Postfix cleanup_message.c; postconf(5) always_add_missing_headers,
             header_from_format
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from email.header import Header as EncodedWords

from delivery.content import addresslist
from delivery.content.headers import KNOWN, name_length
from delivery.content.settings import ContentSettings
from delivery.trace import mail_date
from tables.addresses import Address
from tables.frozen import dataclass

_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_VISIBLE = frozenset({"to", "cc", "resent-to", "resent-cc"})
_RESENT = frozenset(name for name, header in KNOWN.items() if header.resent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What the added headers say. `sender` is as it is queued."""

    queue_id: str
    when: float
    sender: Address
    full_name: str = ""


def missing_headers(
    settings: ContentSettings, occasion: Occasion, seen: Collection[str]
) -> list[bytes]:
    """The headers to be added, in order, without line ends; folded lines joined by newlines."""
    prefix, named = ("", "") if _RESENT.isdisjoint(seen) else ("Resent-", "resent-")
    lines: list[str] = []
    if f"{named}message-id" not in seen:
        lines.append(f"{prefix}Message-Id: <{_message_id(settings, occasion)}>")
    if f"{named}date" not in seen:
        lines.append(f"{prefix}Date: {mail_date(occasion.when)}")
    if f"{named}from" not in seen:
        lines.append(addresslist.fold(f"{prefix}From: {_author(settings, occasion)}"))
    undisclosed = settings.undisclosed_recipients_header.strip()
    if undisclosed and _VISIBLE.isdisjoint(seen) and name_length(_encode(undisclosed)):
        lines.append(undisclosed)
    return list(map(_encode, lines))


def _message_id(settings: ContentSettings, occasion: Occasion) -> str:
    name = f"{occasion.queue_id}@{settings.myhostname}"
    if settings.enable_long_queue_ids:
        return name
    return f"{time.strftime('%Y%m%d%H%M%S', time.gmtime(occasion.when))}.{name}"


def _author(settings: ContentSettings, occasion: Occasion) -> str:
    sender, name = occasion.sender, " ".join(occasion.full_name.split())
    address = sender.text if sender else "MAILER-DAEMON"
    if not sender or not name:
        return address
    if settings.header_from_format == "obsolete":
        escaped = re.sub(r"([()\\])", r"\\\1", name)
        return f"{address}\n({_words(escaped)})"
    return f"{_phrase(name)}\n<{address}>"


def _phrase(name: str) -> str:
    """RFC 5322 3.2.5 phrase, RFC 2047 5 (3) where it is not ASCII."""
    if not name.isascii():
        return _words(name)
    if _PHRASE.fullmatch(name):
        return name
    escaped = re.sub(r'(["\\])', r"\\\1", name)
    return f'"{escaped}"'


def _words(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return EncodedWords(text.encode("utf-8", "replace").decode(), "utf-8").encode()


def _encode(line: str) -> bytes:
    return line.encode("utf-8", "surrogateescape")
