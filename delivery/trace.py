"""trace - the header lines that tell where a message has been.

SUMMARY      received(...) and received_locally(...) write our Received header; local_headers() the
             lines of a final delivery; HeaderScan reads the header section of a message in passing
RULES        Received in Postfix's shape, with the "with" types of RFC 3848 and 6531; whatever a
             client said is scrubbed: no control character, no unbalanced comment, bounded length
             Delivered-To is compared without regard to case
LIMITS       HeaderScan keeps one header at a time, of at most HEADER_LIMIT octets, and at most
             DELIVERED_LIMIT Delivered-To values
SOURCE       RFC 5321 4.4; RFC 5322 3.6.7; Postfix smtpd.c, mail_copy(3), delivered_hdr(3)
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache

from delivery.values import Envelope
from tables.addresses import Address

HEADER_LIMIT = 102_400  # octets; postconf(5) header_size_limit
DELIVERED_LIMIT = 1000
_TEXT_LIMIT = 255
_REMEMBERED = 1000  # a client has many messages, a domain too
_UNSAFE = re.compile(r"[\x00-\x1f\x7f()\\<>\"@,;\ud800-\udfff]")
_PLAIN = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9.-]{1,255}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_MASK = bytes(range(128)) + b"?" * 128
_WANTED = re.compile(rb"(?im)^delivered-to[ \t]*:((?:[^\n]|\n[ \t])*)")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
)  # fmt: skip


def mail_date(when: float) -> str:
    """RFC 5322 3.3 date-time in UTC: "Sun, 22 Nov 2026 13:21:54 +0000 (UTC)"."""
    return _date(math.floor(when))


@lru_cache(maxsize=8)  # many messages come within one second
def _date(second: int) -> str:
    at = time.gmtime(second)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday} {_MONTHS[at.tm_mon - 1]} {at.tm_year}"
        f" {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} +0000 (UTC)"
    )


def with_protocol(
    *, extended: bool, smtputf8: bool = False, tls: bool = False, login: bool = False
) -> str:
    """The "with" type: SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, UTF8SMTP... RFC 3848, RFC 6531 4.3."""
    if not extended:
        return "SMTP"
    name = "UTF8SMTP" if smtputf8 else "ESMTP"
    return name + ("S" if tls else "") + ("A" if login else "")


@lru_cache(_REMEMBERED)
def scrub(text: str, *, smtputf8: bool = False) -> str:
    """Outside text that may stand in a header, inside a comment too."""
    text = _UNSAFE.sub("?", text[:_TEXT_LIMIT])
    return text if smtputf8 or text.isascii() else masked(text)


def masked(text: str) -> str:
    """With a ? for each octet that is not ASCII. Postfix printable(3)."""
    if text.isascii():
        return text
    octets = text.encode("utf-8", "surrogateescape")
    return octets.translate(_MASK).decode("ascii")


def header_address(address: Address, *, smtputf8: bool = False) -> str:
    """An address for a header line: external form, without control characters."""
    text = f"{address.local}@{address.domain}"
    if _PLAIN.fullmatch(text):  # the usual case: all of it may stand there
        return text
    local = _UNPRINTABLE.sub("?", address.local)
    if not smtputf8:
        local = masked(local)
    return Address(local, scrub(address.domain, smtputf8=smtputf8)).text


def received(
    envelope: Envelope,
    *,
    queue_id: str,
    myhostname: str,
    mail_name: str,
    when: float,
    recipient: Address | None = None,
    comments: Sequence[str] = (),
    userid: int | None = None,
) -> bytes:
    """Our Received header for a message that came in, CRLF line ends.

    `recipient` is the only recipient as given at RCPT, None when there are several. `comments`
    say how it came (postconf(5) smtpd_tls_received_header, smtpd_sasl_authenticated_header), what
    is not ours in them scrubbed. `userid` is the user of this machine who handed it in, when no
    client did.
    """
    client = envelope.client
    if client is None:
        return received_locally(
            queue_id=queue_id,
            myhostname=myhostname,
            mail_name=mail_name,
            when=when,
            origin="" if userid is None else f"from userid {userid}",
        )
    utf8 = envelope.smtputf8
    address = f"IPv6:{client.address}" if client.is_ipv6 else client.address
    lines = [_from(envelope.helo, client.name, address, utf8)]
    if comments:
        lines += [f"\t({comment})" for comment in comments]
    ours = f"\tby {myhostname} ({mail_name}) with {envelope.protocol} id {queue_id}"
    if recipient is None:
        lines.append(f"{ours}; {mail_date(when)}")
    else:
        shown = header_address(recipient, smtputf8=utf8)
        lines += [ours, f"\tfor <{shown}>; {mail_date(when)}"]
    return _encode(lines)


@lru_cache(_REMEMBERED)
def _from(helo: str, name: str, address: str, smtputf8: bool) -> str:
    shown = scrub(helo, smtputf8=smtputf8) or name
    return f"Received: from {shown} ({scrub(name)} [{scrub(address)}])"


def received_locally(
    *, queue_id: str, myhostname: str, mail_name: str, when: float, origin: str = ""
) -> bytes:
    """Our Received header for a message made here; `origin` is "from userid 1000" or empty."""
    program = f"{mail_name}, {origin}" if origin else mail_name
    return _encode(
        [f"Received: by {myhostname} ({program})", f"\tid {queue_id}; {mail_date(when)}"]
    )


def local_headers(
    *, sender: Address, recipient: Address, original: Address, smtputf8: bool = False
) -> bytes:
    """Return-Path, X-Original-To and Delivered-To of a final delivery, CRLF. mail_copy(3)."""
    return _encode(
        [
            f"Return-Path: <{header_address(sender, smtputf8=True)}>",
            f"X-Original-To: {header_address(original, smtputf8=True)}",
            f"Delivered-To: {header_address(recipient, smtputf8=True)}",
        ]
    )


def delivered_to(address: Address) -> bytes:
    """A Delivered-To header alone, for a message that is handed on."""
    return _encode([f"Delivered-To: {header_address(address, smtputf8=True)}"])


class HeaderScan:
    """Reads the header section while a message passes by, in pieces of any size."""

    def __init__(self) -> None:
        self.delivered: set[str] = set()  # Delivered-To values, folded
        self.is_over = False  # the header section has ended
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Look at the next piece; cheap once the header section has ended."""
        if self.is_over:
            return
        text = self._rest + data
        end = _end_of_headers(text)
        if end >= 0:
            self.is_over = True
            self._rest = b""
            self._take(text[:end])
            return
        keep = _start_of_last_header(text)
        self._take(text[:keep])
        self._rest = text[keep:][:HEADER_LIMIT]

    def finish(self) -> None:
        """The message ended, perhaps without a body."""
        if not self.is_over:
            self.is_over = True
            self._take(self._rest)
            self._rest = b""

    def was_delivered_to(self, address: Address) -> bool:
        """True when a Delivered-To header names this address: it comes back to us."""
        return header_address(address, smtputf8=True).casefold() in self.delivered

    def _take(self, headers: bytes) -> None:
        for value in _WANTED.findall(headers):
            if len(self.delivered) < DELIVERED_LIMIT:
                self.delivered.add(value.decode("utf-8", "replace").strip().casefold())


def scan(pieces: Iterable[bytes]) -> HeaderScan:
    """A HeaderScan over the pieces of a message, no further than its headers."""
    found = HeaderScan()
    for piece in pieces:
        found.feed(piece)
        if found.is_over:
            break
    found.finish()
    return found


def _end_of_headers(text: bytes) -> int:
    """Where the empty line begins that ends the header section; -1 when it is not here."""
    if text.startswith((b"\r\n", b"\n")):
        return 0
    places = [place for place in (text.find(b"\n\r\n"), text.find(b"\n\n")) if place >= 0]
    return min(places) + 1 if places else -1


def _start_of_last_header(text: bytes) -> int:
    """Where the last header of an unfinished section begins; it may go on in the next piece."""
    place = len(text)
    while (place := text.rfind(b"\n", 0, place)) >= 0:
        if place + 1 < len(text) and text[place + 1] not in b" \t\r":
            return place + 1
    return 0


def _encode(lines: Iterable[str]) -> bytes:
    text = "\r\n".join(lines) + "\r\n"
    return text.encode("utf-8", "replace")
