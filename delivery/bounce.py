"""bounce - outcomes become a delivery report: failed, late, or delivered as asked.

SUMMARY      await write_report(report, settings, read, write): the message, CRLF, in pieces
RULES        multipart/report (RFC 6522) of a text, message/delivery-status (RFC 3464), and the
             message: whole for a failure when it is no larger than bounce_size_limit and RET is not
             HDRS, else its headers, those too bounded by bounce_size_limit
             the words before that are a Template's; postmasters do without
             text from outside (addresses, replies) is scrubbed and wrapped: it can neither end a
             line nor forge a field
             with enable_threaded_bounces it refers to the Message-Id of the message
             with smtputf8_enable text is UTF-8; for mail with SMTPUTF8 the parts are
             message/global-... (RFC 6533). A template with a Charset of its own keeps that, and
             the text behind it is ASCII
ERRORS       those of `read` and of `write`
NOT DONE     VERP
SOURCE       RFC 3461, 3462 (6522), 3464, 6533, 5322 3.6.4; Postfix bounce(8), bounce_notify_util.c
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from delivery.addressees import Addressee, BounceSettings, ReportKind, is_eightbit
from delivery.templates import US_ASCII, UTF8, Template
from delivery.trace import header_address, mail_date, masked, scrub
from delivery.values import Envelope, Outcome, Status
from tables.addresses import Address

Read = Callable[[], Awaitable[bytes]]  # the next piece of a message; b"" at the end

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")
_LINE_LIMIT = 998  # octets of a line; RFC 5322 2.1.1
_REASON_LIMIT = 4000  # characters of one reason
_MESSAGE_ID = re.compile(
    rb"^Message-Id:(?:[ \t]|\r\n[ \t])*(<[!-;=?-~]{1,250}>)", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report to be written. `queue_id` is its own, `original_id` that of the message."""

    kind: ReportKind
    template: Template
    queue_id: str
    original_id: str
    envelope: Envelope  # of the message reported on
    addressee: Addressee
    outcomes: tuple[Outcome, ...]  # from reportable()
    size: int  # of the message reported on, bytes
    arrived: float
    now: float


async def write_report(
    report: Report,
    settings: BounceSettings,
    read: Read,
    write: Callable[[bytes], None],
) -> None:
    """Write the whole message but for its Received header.

    `read` gives the message reported on; only as much as is returned is read. The size of the
    result is bounded by bounce_size_limit and the number of outcomes.
    """
    boundary = f"{report.queue_id}.{int(report.now)}/{settings.myhostname}"
    thread: list[str] = []
    start = b""
    if settings.enable_threaded_bounces:
        start = await _headers(read, settings.bounce_size_limit)
        if found := _MESSAGE_ID.search(_up_to_body(start)):
            name = found[1].decode("ascii")
            thread = [f"References: {name}", f"In-Reply-To: {name}"]
    for line in _head(report, settings, boundary, thread):
        write(line)
    await _return_message(report, settings, start, read, write, boundary)
    write(f"\r\n--{boundary}--\r\n".encode())


def _head(
    report: Report, settings: BounceSettings, boundary: str, thread: list[str]
) -> Iterator[bytes]:
    """Headers, text and status: everything before the returned message."""
    utf8 = is_eightbit(report.envelope, settings)
    encoding = _encoding(report, settings)
    to = report.addressee
    template = report.template
    charset = UTF8 if utf8 and template.charset.lower() == US_ASCII else template.charset
    yield _lines(
        f"Date: {mail_date(report.now)}",
        f"From: {template.sender}",
        f"Subject: {template.copy_subject if to.is_postmaster else template.subject}",
        f"To: {header_address(to.address, smtputf8=utf8)}",
        f"Auto-Submitted: {'auto-generated' if to.is_postmaster else 'auto-replied'}",  # RFC 3834 5
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f'\tboundary="{boundary}"',
        *encoding,
        f"Message-Id: <{report.queue_id}.{int(report.now)}@{settings.myhostname}>",
        *thread,
        "",
        "This is a MIME-encapsulated message.",
        "",
        f"--{boundary}",
        "Content-Description: Notification",
        f"Content-Type: text/plain; charset={charset}",
        *encoding,
        "",
    )
    if not to.is_postmaster:
        yield template.octets
    for outcome in report.outcomes:
        yield _lines("", *_explain(outcome, utf8=utf8 and charset.lower() == UTF8))
    kind = "global-delivery-status" if report.envelope.smtputf8 else "delivery-status"
    yield _lines(
        "",
        f"--{boundary}",
        "Content-Description: Delivery report",
        f"Content-Type: message/{kind}",
        *encoding,
        "",
        *_message_fields(report, settings),
    )
    for outcome in report.outcomes:
        yield _lines("", *_recipient_fields(report, settings, outcome))
    yield b"\r\n"


def _explain(outcome: Outcome, *, utf8: bool) -> list[str]:
    """ "<address>: reason", wrapped and indented."""
    recipient = outcome.recipient
    shown = f"<{header_address(recipient.address, smtputf8=utf8)}>"
    if recipient.original != recipient.address:
        original = header_address(recipient.original, smtputf8=utf8)
        shown += f" (expanded from <{original}>)"
    return _wrap(f"{shown}: {_what_happened(outcome, utf8=utf8)}")


def _what_happened(outcome: Outcome, *, utf8: bool) -> str:
    if outcome.status is Status.SENT and not outcome.reply and outcome.relay != "none":
        return f"delivery via {outcome.relay}: {_clean(outcome.reason, utf8=utf8)}"
    return _clean(outcome.reason, utf8=utf8)


def _message_fields(report: Report, settings: BounceSettings) -> list[str]:
    """RFC 3464 2.2."""
    envelope = report.envelope
    utf8 = is_eightbit(envelope, settings)
    fields = [f"Reporting-MTA: dns; {settings.myhostname}"]
    if envelope.envid:
        fields.append(f"Original-Envelope-Id: {_clean(envelope.envid, utf8=utf8)}")
    name = settings.mail_name
    sender = header_address(_sender(report, settings), smtputf8=utf8)
    return [
        *fields,
        f"X-{name}-Queue-ID: {report.original_id}",
        f"X-{name}-Sender: {_address_type(sender)}; {sender}",
        f"Arrival-Date: {mail_date(report.arrived)}",
    ]


def _recipient_fields(report: Report, settings: BounceSettings, outcome: Outcome) -> list[str]:
    """RFC 3464 2.3."""
    utf8 = is_eightbit(report.envelope, settings)
    recipient = outcome.recipient
    address = header_address(recipient.address, smtputf8=utf8)
    lines = [f"Final-Recipient: {_address_type(address)}; {address}"]
    if recipient.orcpt:
        original = f"Original-Recipient: {_clean(recipient.orcpt, utf8=utf8)}"
        lines += [original] if len(original) < _LINE_LIMIT else _wrap(original)
    elif recipient.original != recipient.address:
        original = header_address(recipient.original, smtputf8=utf8)
        lines.append(f"Original-Recipient: {_address_type(original)};{original}")
    lines += [f"Action: {_action(report.envelope, outcome)}", f"Status: {outcome.dsn}"]
    if outcome.reply:
        host = outcome.relay.partition("[")[0]
        lines.append(f"Remote-MTA: dns; {scrub(host)}")
        lines += _wrap(f"Diagnostic-Code: smtp; {_clean(outcome.reply, utf8=utf8)}")
    else:
        reason = _what_happened(outcome, utf8=utf8)
        lines += _wrap(f"Diagnostic-Code: X-{settings.mail_name}; {reason}")
    if report.kind is ReportKind.DELAY:  # RFC 3464 2.3.9
        until = report.arrived + settings.maximal_queue_lifetime
        lines.append(f"Will-Retry-Until: {mail_date(until)}")
    return lines


def _action(envelope: Envelope, outcome: Outcome) -> str:
    """RFC 3464 2.3.3, RFC 3461 5.2.2: relayed is said when the next server does not report."""
    if envelope.is_probe:
        return "deliverable" if outcome.status is Status.SENT else "undeliverable"
    if outcome.status is Status.DEFERRED:
        return "delayed"
    if outcome.status is not Status.SENT:
        return "failed"
    if outcome.delivered_to:
        return "delivered"
    return "expanded" if outcome.is_expanded else "relayed"


async def _return_message(
    report: Report,
    settings: BounceSettings,
    start: bytes,
    read: Read,
    write: Callable[[bytes], None],
    boundary: str,
) -> None:
    """The last part: the message, or its headers; `start` of it was read before."""
    is_whole = (
        report.addressee.gets_message
        and report.envelope.ret != "HDRS"  # RFC 3461 4.3
        and report.size <= settings.bounce_size_limit
    )
    utf8 = report.envelope.smtputf8
    encoding = _encoding(report, settings)
    if is_whole:
        kind = "message/global" if utf8 else "message/rfc822"
    else:
        kind = "message/global-headers" if utf8 else "text/rfc822-headers"
    state = {ReportKind.FAILURE: "Undelivered ", ReportKind.DELAY: "Delayed "}.get(report.kind, "")
    sender = header_address(_sender(report, settings), smtputf8=True)
    write(
        _lines(
            f"--{boundary}",
            f"Content-Description: {state}Message{'' if is_whole else ' Headers'}",
            f"Content-Type: {kind}",
            *encoding,
            "",
            f"Return-Path: <{sender}>",
        )
    )
    if is_whole:
        write(start)
        while piece := await read():
            write(piece)
    else:
        limit = settings.bounce_size_limit
        text = _up_to_body(await _headers(read, limit, start))[:limit]
        write(text[: text.rfind(b"\n") + 1])  # whole lines only


async def _headers(read: Read, limit: int, text: bytes = b"") -> bytes:
    """`text` and the pieces behind it: up to the empty line, or more than `limit` bytes."""
    while not (text.startswith(b"\r\n") or b"\r\n\r\n" in text or len(text) > limit):
        piece = await read()
        if not piece:
            break
        text += piece
    return text


def _up_to_body(text: bytes) -> bytes:
    if text.startswith(b"\r\n"):
        return b""
    head, blank, _ = text.partition(b"\r\n\r\n")
    return head + blank[:2]


def _encoding(report: Report, settings: BounceSettings) -> list[str]:
    eightbit = report.template.is_eightbit or is_eightbit(report.envelope, settings)
    return ["Content-Transfer-Encoding: 8bit"] * eightbit


def _sender(report: Report, settings: BounceSettings) -> Address:
    """The sender as it is shown: somebody must be."""
    return report.envelope.sender or Address("MAILER-DAEMON", settings.myhostname)


def _address_type(shown: str) -> str:
    return "rfc822" if shown.isascii() else "utf-8"  # RFC 6533 3


def _clean(text: str, *, utf8: bool) -> str:
    """Outside text on one line, bounded, of printable characters."""
    text = _CONTROL.sub(" ", text[:_REASON_LIMIT])
    return text if utf8 else masked(text)


def _wrap(text: str) -> list[str]:
    """Lines of at most 79 characters; all but the first are indented: a folded header line."""
    return textwrap.wrap(
        text,
        79,
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=True,
        drop_whitespace=True,
    ) or [""]


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")
