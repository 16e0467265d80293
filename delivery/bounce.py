"""bounce - outcomes become a delivery report to the sender: failed, late, or delivered as asked.

SUMMARY      reportable(kind, envelope, outcomes) -> those the sender is to be told about
             report_envelope(original) -> the report's own envelope (null sender, RFC 3464 2)
             await write_report(report, settings, pieces, write): the message, CRLF, in pieces
RULES        multipart/report (RFC 6522) of a text, message/delivery-status (RFC 3464), and the
             message: whole for a failure when it is no larger than bounce_size_limit and RET is not
             HDRS, else its headers, those too bounded by bounce_size_limit
             NOTIFY decides per recipient (RFC 3461 4.1): NEVER nothing; none given means FAILURE
             and DELAY; SUCCESS only on request, and not when the next server takes on that duty
             never a report about a report: mail with the null sender is dropped, the caller logs it
             text from outside (addresses, replies) is scrubbed and wrapped: it can neither end a
             line nor forge a field
             with SMTPUTF8 the parts are message/global-... and text is UTF-8 (RFC 6533)
ERRORS       those of `pieces` (OSError) and of `write`
NOT DONE     postmaster copies and double bounces (notify_classes), bounce templates, VERP
SOURCE       RFC 3461, 3462 (6522), 3464, 6533; Postfix bounce(8), bounce_notify_util.c
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import AsyncIterable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from delivery.trace import header_address, mail_date, scrub
from delivery.values import Envelope, Outcome, Recipient, Status
from tables.addresses import Address

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_LINE_LIMIT = 998  # octets of a line; RFC 5322 2.1.1
_REASON_LIMIT = 4000  # characters of one reason
_SENDER = "Mail Delivery System"


class ReportKind(Enum):
    """What a report is about; the value is its action field (RFC 3464 2.3.3), SUCCESS has three."""

    FAILURE = "failed"
    DELAY = "delayed"
    SUCCESS = "delivered"


@dataclass(frozen=True, slots=True)
class BounceSettings:
    """Field names and defaults are those of postconf(5)."""

    myhostname: str = "localhost"
    myorigin: str = "localhost"
    mail_name: str = "Waypost"
    bounce_size_limit: int = 50_000
    delay_warning_time: float = 0.0
    maximal_queue_lifetime: float = 432_000.0
    double_bounce_sender: str = "double-bounce"
    smtputf8_enable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report to be written. `queue_id` is its own, `original_id` that of the message."""

    kind: ReportKind
    queue_id: str
    original_id: str
    envelope: Envelope  # of the message reported on
    outcomes: tuple[Outcome, ...]  # from reportable()
    size: int  # of the message reported on, bytes
    arrived: float
    now: float


def may_report(envelope: Envelope, settings: BounceSettings) -> bool:
    """False for the null sender and for the double-bounce address: nobody is to be told."""
    sender = envelope.sender
    if not sender:
        return False
    return sender.local.lower() != settings.double_bounce_sender.lower() or (
        sender.domain.lower() not in {"", settings.myhostname.lower()}
    )


def reportable(
    kind: ReportKind, outcomes: Iterable[Outcome], *, passed_on: Collection[Recipient] = ()
) -> tuple[Outcome, ...]:
    """The outcomes to put into a report of that kind. RFC 3461 4.1, 5.2.

    `passed_on`: the next server does the reporting for these (agents.base.Result.passed_on).
    """
    wanted = {
        ReportKind.FAILURE: {Status.BOUNCED, Status.EXPIRED},
        ReportKind.DELAY: {Status.DEFERRED},
        ReportKind.SUCCESS: {Status.SENT},
    }[kind]
    return tuple(
        outcome
        for outcome in outcomes
        if outcome.status in wanted
        and _is_asked_for(kind, outcome.recipient.notify)
        and not (kind is ReportKind.SUCCESS and outcome.recipient in passed_on)
    )


def _is_asked_for(kind: ReportKind, notify: Collection[str]) -> bool:
    if not notify:
        return kind is not ReportKind.SUCCESS  # RFC 3461 4.1: the default
    return kind.name in notify


def report_envelope(original: Envelope, settings: BounceSettings) -> Envelope:
    """The envelope of a report: null sender, to the sender of `original`.

    Its recipient is an address like any other: the caller rewrites and expands it.
    """
    sender = original.sender
    return Envelope(
        sender=Address("", ""),
        recipients=(Recipient(address=sender, original=sender),),
        smtputf8=original.smtputf8,
        eightbit=_is_eightbit(original, settings),
        generation=original.generation,
    )


def _is_eightbit(original: Envelope, settings: BounceSettings) -> bool:
    """True when the report may hold, and so declares, 8-bit text. RFC 6533 2, RFC 6152."""
    return settings.smtputf8_enable or original.eightbit


async def write_report(
    report: Report,
    settings: BounceSettings,
    pieces: AsyncIterable[bytes],
    write: Callable[[bytes], None],
) -> None:
    """Write the whole message but for its Received header.

    `pieces` is the message reported on (agents.base.read_content); only as much as is returned
    is read. The size of the result is bounded by bounce_size_limit and the number of outcomes.
    """
    boundary = f"{report.queue_id}.{int(report.now)}/{settings.myhostname}"
    for line in _head(report, settings, boundary):
        write(line)
    await _return_message(report, settings, pieces, write, boundary)
    write(f"\r\n--{boundary}--\r\n".encode())


def _head(report: Report, settings: BounceSettings, boundary: str) -> Iterator[bytes]:
    """Headers, text and status: everything before the returned message."""
    utf8 = report.envelope.smtputf8
    encoding = ["Content-Transfer-Encoding: 8bit"] * _is_eightbit(report.envelope, settings)
    to = header_address(report.envelope.sender, smtputf8=utf8)
    yield _lines(
        f"Date: {mail_date(report.now)}",
        f"From: {_SENDER} <MAILER-DAEMON@{settings.myorigin}>",
        f"Subject: {_SUBJECTS[report.kind]}",
        f"To: {to}",
        "Auto-Submitted: auto-replied",  # RFC 3834 5
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f'\tboundary="{boundary}"',
        *encoding,
        f"Message-Id: <{report.queue_id}.{int(report.now)}@{settings.myhostname}>",
        "",
        "This is a MIME-encapsulated message.",
        "",
        f"--{boundary}",
        "Content-Description: Notification",
        f"Content-Type: text/plain; charset={'utf-8' if utf8 else 'us-ascii'}",
        "",
        *_text(report.kind, settings),
    )
    for outcome in report.outcomes:
        yield _lines("", *_explain(outcome, utf8=utf8))
    kind = "global-delivery-status" if utf8 else "delivery-status"
    yield _lines(
        "",
        f"--{boundary}",
        "Content-Description: Delivery report",
        f"Content-Type: message/{kind}",
        "",
        *_message_fields(report, settings),
    )
    for outcome in report.outcomes:
        yield _lines("", *_recipient_fields(report, settings, outcome))
    yield b"\r\n"


_SUBJECTS = {
    ReportKind.FAILURE: "Undelivered Mail Returned to Sender",
    ReportKind.DELAY: "Delayed Mail (still being retried)",
    ReportKind.SUCCESS: "Successful Mail Delivery Report",
}


def _text(kind: ReportKind, settings: BounceSettings) -> list[str]:
    """What a person reads first."""
    lines = [f"This is the mail system at host {settings.myhostname}.", ""]
    if kind is ReportKind.FAILURE:
        lines += [
            "Your message could not be delivered to the recipients listed below,",
            "and no further attempt will be made. It is attached to this report.",
        ]
    elif kind is ReportKind.DELAY:
        hours = max(1, round(settings.delay_warning_time / 3600))
        days = max(1, round(settings.maximal_queue_lifetime / 86400))
        lines += [
            "THIS IS ONLY A WARNING. YOU DO NOT NEED TO SEND YOUR MESSAGE AGAIN.",
            "",
            f"Your message could not be delivered for more than {hours} hour(s).",
            f"It will be tried until it is {days} day(s) old.",
        ]
    else:
        lines += [
            "As you asked to be told: your message was delivered to the recipients",
            "listed below, or handed on to systems that may report to you themselves.",
        ]
    if kind is not ReportKind.SUCCESS:
        lines += [
            "",
            "If you need help, please write to postmaster and include this report.",
        ]
    return [*lines, "", "                   The mail system"]


def _explain(outcome: Outcome, *, utf8: bool) -> list[str]:
    """ "<address>: reason", wrapped and indented."""
    recipient = outcome.recipient
    shown = f"<{header_address(recipient.address, smtputf8=utf8)}>"
    if recipient.original != recipient.address:
        original = header_address(recipient.original, smtputf8=utf8)
        shown += f" (expanded from <{original}>)"
    return _wrap(f"{shown}: {_what_happened(outcome, utf8=utf8)}")


def _what_happened(outcome: Outcome, *, utf8: bool) -> str:
    if outcome.status is Status.SENT and not outcome.reply:
        return f"delivery via {outcome.relay}: {_clean(outcome.reason, utf8=utf8)}"
    return _clean(outcome.reason, utf8=utf8)


def _message_fields(report: Report, settings: BounceSettings) -> list[str]:
    """RFC 3464 2.2."""
    envelope = report.envelope
    utf8 = envelope.smtputf8
    fields = [f"Reporting-MTA: dns; {settings.myhostname}"]
    if envelope.envid:
        fields.append(f"Original-Envelope-Id: {_clean(envelope.envid, utf8=utf8)}")
    name = settings.mail_name
    sender = header_address(envelope.sender, smtputf8=utf8)
    return [
        *fields,
        f"X-{name}-Queue-ID: {report.original_id}",
        f"X-{name}-Sender: {_address_type(utf8)}; {sender}",
        f"Arrival-Date: {mail_date(report.arrived)}",
    ]


def _recipient_fields(report: Report, settings: BounceSettings, outcome: Outcome) -> list[str]:
    """RFC 3464 2.3."""
    utf8 = report.envelope.smtputf8
    recipient = outcome.recipient
    address = header_address(recipient.address, smtputf8=utf8)
    lines = [f"Final-Recipient: {_address_type(utf8)}; {address}"]
    if recipient.orcpt:
        original = f"Original-Recipient: {_clean(recipient.orcpt, utf8=utf8)}"
        lines += [original] if len(original) < _LINE_LIMIT else _wrap(original)
    elif recipient.original:
        original = header_address(recipient.original, smtputf8=utf8)
        lines.append(f"Original-Recipient: {_address_type(utf8)};{original}")
    lines += [f"Action: {_action(report.kind, outcome)}", f"Status: {outcome.dsn}"]
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


def _action(kind: ReportKind, outcome: Outcome) -> str:
    """RFC 3464 2.3.3, RFC 3461 5.2.2: relayed is said when the next server does not report."""
    if kind is not ReportKind.SUCCESS or outcome.delivered_to:
        return kind.value
    return "relayed" if outcome.reply else "expanded"


async def _return_message(
    report: Report,
    settings: BounceSettings,
    pieces: AsyncIterable[bytes],
    write: Callable[[bytes], None],
    boundary: str,
) -> None:
    """The last part: the message, or its headers."""
    is_whole = (
        report.kind is ReportKind.FAILURE
        and report.envelope.ret != "HDRS"  # RFC 3461 4.3
        and report.size <= settings.bounce_size_limit
    )
    utf8 = report.envelope.smtputf8
    encoding = ["Content-Transfer-Encoding: 8bit"] * _is_eightbit(report.envelope, settings)
    if is_whole:
        kind = "message/global" if utf8 else "message/rfc822"
    else:
        kind = "message/global-headers" if utf8 else "text/rfc822-headers"
    state = {ReportKind.FAILURE: "Undelivered ", ReportKind.DELAY: "Delayed "}.get(report.kind, "")
    sender = header_address(report.envelope.sender, smtputf8=True)
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
        async for piece in pieces:
            write(piece)
    else:
        await _return_headers(pieces, write, settings.bounce_size_limit)


async def _return_headers(
    pieces: AsyncIterable[bytes], write: Callable[[bytes], None], limit: int
) -> None:
    """Headers up to the empty line, whole lines only, at most `limit` bytes."""
    text = b""
    async for piece in pieces:
        text += piece
        end = -2 if text.startswith(b"\r\n") else text.find(b"\r\n\r\n")
        if end != -1:
            text = text[: end + 2]
            break
        if len(text) > limit:
            break
    text = text[:limit]
    write(text[: text.rfind(b"\n") + 1])


def _address_type(utf8: bool) -> str:
    return "utf-8" if utf8 else "rfc822"  # RFC 6533 3


def _clean(text: str, *, utf8: bool) -> str:
    """Outside text on one line, bounded, of printable characters."""
    text = _CONTROL.sub(" ", text[:_REASON_LIMIT])
    return text if utf8 else _NOT_ASCII.sub("?", text)


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
