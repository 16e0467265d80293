"""addressees - who is told what became of a message: its sender, and the postmaster if it wants to.

SUMMARY      addressees(kind, sender, settings) -> Addressees of a report of that kind
             reportable(kind, outcomes, ...) -> the outcomes that a report is about
             report_envelope(original, addressee, settings) -> the report's own envelope
RULES        NOTIFY decides per recipient (RFC 3461 4.1): NEVER nothing; none given means FAILURE
             and DELAY; SUCCESS only on request, and not when the next server takes on that duty
             TRACE is about whatever came of the first attempt, when the sender wanted to see it
             CLEARED is about mail that arrived after all, when the sender was told of a delay
             the sender is told with the null sender; what comes back then, and copies, go to the
             postmaster as notify_classes say: about all recipients, sent by double_bounce_sender
             never a report about that: what double_bounce_sender sent is dropped
SOURCE       RFC 3461, 3464 2; postconf(5) notify_classes; Postfix bounce_notify_service.c
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum

from delivery.values import Envelope, Outcome, Recipient, Status
from tables.addresses import NULL, Address, parse_path
from tables.errors import AddressSyntaxError


class ReportKind(Enum):
    """What a report is about."""

    __hash__ = object.__hash__  # that of Enum is Python

    FAILURE = "failed"
    DELAY = "delayed"
    SUCCESS = "delivered"
    TRACE = "traced"
    CLEARED = "cleared"


_ABOUT = {  # what reports of a kind are about
    ReportKind.FAILURE: (Status.BOUNCED, Status.EXPIRED),
    ReportKind.DELAY: (Status.DEFERRED,),
    ReportKind.SUCCESS: (Status.SENT,),
    ReportKind.TRACE: tuple(Status),
    ReportKind.CLEARED: (Status.SENT,),
}


@dataclass(frozen=True, slots=True)
class BounceSettings:
    """Field names and defaults are those of postconf(5)."""

    myhostname: str = "localhost"
    mail_name: str = "Waypost"
    bounce_size_limit: int = 50_000
    confirm_delay_cleared: bool = False
    enable_threaded_bounces: bool = False
    maximal_queue_lifetime: float = 432_000.0
    double_bounce_sender: str = "double-bounce"
    smtputf8_enable: bool = True
    soft_bounce: bool = False
    notify_classes: tuple[str, ...] = ("resource", "software")
    bounce_notice_recipient: str = "postmaster"
    delay_notice_recipient: str = "postmaster"
    double_bounce_recipient: str = field(
        default="postmaster", metadata={"parameter": "2bounce_notice_recipient"}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """Who gets a report. The postmaster reads about every recipient, whatever NOTIFY says."""

    address: Address
    is_postmaster: bool = False
    gets_message: bool = True  # and not only its headers


def addressees(
    kind: ReportKind, sender: Address, settings: BounceSettings
) -> tuple[Addressee, ...]:
    """Who is to be told about mail of that sender; () for nobody."""
    if _is_double_bounce(sender, settings):
        return ()
    told = []
    if sender:
        told.append(Addressee(address=sender, gets_message=kind is ReportKind.FAILURE))
    if address := _parsed(_postmaster(kind, sender, settings)):
        told.append(Addressee(address=address, is_postmaster=True, gets_message=not sender))
    return tuple(told)


def _postmaster(kind: ReportKind, sender: Address, settings: BounceSettings) -> str:
    """The postmaster who wants to hear of it, too; '' for none. postconf(5) notify_classes."""
    classes = settings.notify_classes
    match kind:
        case ReportKind.FAILURE if not sender:
            wanted = "bounce" in classes or "2bounce" in classes
            return settings.double_bounce_recipient if wanted else ""
        case ReportKind.FAILURE:
            return settings.bounce_notice_recipient if "bounce" in classes else ""
        case ReportKind.DELAY:
            return settings.delay_notice_recipient if "delay" in classes else ""
        case ReportKind.SUCCESS | ReportKind.TRACE | ReportKind.CLEARED:
            return ""


def reportable(
    kind: ReportKind,
    outcomes: Iterable[Outcome],
    *,
    passed_on: Collection[Recipient] = (),
    everyone: bool = False,
) -> tuple[Outcome, ...]:
    """The outcomes to put into a report of that kind. RFC 3461 4.1, 5.2.

    `passed_on`: the next server does the reporting for these (agents.base.Result.passed_on).
    `everyone`: whatever NOTIFY says.
    """
    wanted = _ABOUT[kind]
    return tuple(
        outcome
        for outcome in outcomes
        if outcome.status in wanted
        and (everyone or _is_asked_for(kind, outcome.recipient.notify))
        and not (kind is ReportKind.SUCCESS and outcome.recipient in passed_on)
    )


def is_told(
    kinds: Iterable[ReportKind], outcome: Outcome, sender: Address, settings: BounceSettings
) -> bool:
    """True when a report of one of these kinds would be about this outcome."""
    for kind in kinds:
        if outcome.status not in _ABOUT[kind]:
            continue
        if _is_asked_for(kind, outcome.recipient.notify):
            return True
        postmaster = _postmaster(kind, sender, settings)
        if postmaster and _parsed(postmaster) and not _is_double_bounce(sender, settings):
            return True
    return False


def report_envelope(original: Envelope, addressee: Addressee, settings: BounceSettings) -> Envelope:
    """The envelope of a report about a message.

    Its recipient is an address like any other: the caller rewrites and expands it.
    """
    address = addressee.address
    return Envelope(
        sender=_double_bounce(settings) if addressee.is_postmaster else NULL,
        recipients=(Recipient(address=address, original=address),),
        smtputf8=original.smtputf8,
        eightbit=is_eightbit(original, settings),
        generation=original.generation,
    )


def is_eightbit(original: Envelope, settings: BounceSettings) -> bool:
    """True when the report may hold, and so declares, 8-bit text. RFC 6533 2, RFC 6152."""
    return settings.smtputf8_enable or original.eightbit


def _is_asked_for(kind: ReportKind, notify: Collection[str]) -> bool:
    if kind is ReportKind.TRACE:
        return True
    if kind is ReportKind.CLEARED:
        return not notify or ("DELAY" in notify and "SUCCESS" not in notify)
    if not notify:
        return kind is not ReportKind.SUCCESS  # RFC 3461 4.1: the default
    return kind.name in notify


def _double_bounce(settings: BounceSettings) -> Address:
    return Address(settings.double_bounce_sender, settings.myhostname)


def _is_double_bounce(sender: Address, settings: BounceSettings) -> bool:
    return bool(sender) and sender.internal.lower() == _double_bounce(settings).internal.lower()


def _parsed(text: str) -> Address:
    """NULL for what is no address: then nobody is told."""
    try:
        return parse_path(text, smtputf8=True)
    except AddressSyntaxError:
        return NULL
