"""reports - messages that the queue itself makes: delivery reports, and what aliases hand on.

SUMMARY      await Reporter.reports(subject, told, passed_on, late) -> Made for Spool.finish()
             await Reporter.forward(subject, forward) -> Submissions
             entered(lease, made) once they are on disk, or forget(made)
             await Reporter.give_back(rules, refused): mail that was refused when it was in
RULES        all of it goes through the door that other mail goes through (cleanup.py)
             what is handed on gets a Received header of its own: loops are counted. When it is
             refused, its sender is told: what is to be queued then is the report
             a message whose content cannot be read is reported without it
ERRORS       SmtpFailure 452: the disk does not take it; nothing of it is left behind, the caller
             keeps the original and tries again
SOURCE       RFC 3461, 3464; Postfix bounce(8), local(8) forward.c
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Self

from delivery import bounce, log, trace
from delivery.addressees import Addressee, ReportKind, addressees, report_envelope, reportable
from delivery.agents.base import ContentReader, Forward, Part, Result, settle
from delivery.bounce import Report
from delivery.errors import SmtpFailure
from delivery.journal import Journal
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.cleanuprules import FORWARDED, Handling
from delivery.runtime.draft import ContentRefused, Draft
from delivery.runtime.outcomes import Outcomes, is_confirmed, is_traced
from delivery.runtime.rules import Rules
from delivery.spool.records import Lease, Submission
from delivery.values import Content, Envelope, Outcome, Recipient, Status
from tables.addresses import Address


@dataclass(frozen=True, slots=True)
class Subject:
    """The message that a report is about, or that is handed on."""

    lease: Lease
    content: Content | None  # None: it cannot be read
    rules: Rules


@dataclass(frozen=True, slots=True)
class Made:
    """A report that is written, and not yet entered."""

    kind: ReportKind
    submission: Submission


class Reporter:
    """Makes submissions."""

    def __init__(
        self,
        cleanup: Cleanup,
        journal: Journal,
        outcomes: Outcomes,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cleanup = cleanup
        self._outcomes = outcomes
        self._journal = journal
        self._clock = clock

    async def reports(
        self,
        subject: Subject,
        told: Sequence[Part],
        passed_on: Collection[Recipient],
        *,
        late: bool,
    ) -> list[Made]:
        """The reports that these outcomes call for; `late`: a delay warning is due.

        The owner of a list is told in place of the sender of what is a matter of the list alone.
        """
        by_owner: dict[Address | None, list[Outcome]] = {}
        for part in told:
            by_owner.setdefault(part.owner, []).append(part.outcome)
        made: list[Made] = []
        try:
            for owner, outcomes in by_owner.items():
                for kind in _kinds(subject, late=late, is_owners=owner is not None):
                    about = _owned(subject, owner)
                    made += await self._reports(about, kind, outcomes, passed_on)
        except BaseException:
            self.forget(made)
            raise
        return made

    def forget(self, made: Sequence[Made]) -> None:
        """They will not be entered."""
        for report in made:
            self._cleanup.spool.forget(report.submission.content)

    def entered(self, lease: Lease, made: Sequence[Made]) -> None:
        """They are on disk: tell."""
        for report in made:
            values = {"queue_id": lease.queue_id, "report": report.submission.queue_id}
            log.event("bounce", kind=report.kind.value, **values)
            self._journal.write(
                "reported",
                kind=report.kind.value,
                recipients=[
                    recipient.original.text for recipient in report.submission.envelope.recipients
                ],
                **values,
            )

    async def give_back(self, rules: Rules, refused: ContentRefused) -> None:
        """Tell the sender of a message that was refused when it was in. Raises SmtpFailure."""
        if refused.returned is None:
            return
        lease, made = await self._returned(rules, refused.returned, refused)
        for report in made:
            await self._cleanup.spool.enter_submission(report.submission)
        self.entered(lease, made)
        self._cleanup.queued()

    async def _returned(
        self, rules: Rules, given: Submission, refusal: SmtpFailure
    ) -> tuple[Lease, list[Made]]:
        """The report about a message that is not queued, and the lease that it would have had."""
        recipients = given.envelope.recipients
        envelope = given.envelope
        if refusal.enhanced != "5.4.0":  # a loop; all other refusals are for its content
            envelope = replace(envelope, ret="HDRS")  # which is not sent about then
        lease = Lease(
            queue_id=given.queue_id,
            envelope=envelope,
            numbers={},
            arrived=self._clock(),
            attempts=1,
            size=given.content.size,
        )
        result = Result(outcomes=settle(recipients, Status.BOUNCED, refusal.enhanced, refusal.text))
        judged = self._outcomes.judge(lease, rules, None, result, recipients)
        try:
            subject = Subject(lease, given.content, rules)
            return lease, await self.reports(subject, judged.told, (), late=False)
        finally:
            self._cleanup.spool.forget(given.content)

    async def forward(self, subject: Subject, forward: Forward) -> list[Submission]:
        """A message that an agent hands on: the same content, a new envelope."""
        if subject.content is None:
            raise SmtpFailure(451, "4.3.0", "the message cannot be read")
        draft = self._begin(subject, FORWARDED, forward.envelope, forward.headers)
        try:
            with ContentReader(subject.content) as reader:
                while piece := await reader.next():
                    draft.take(piece)
            submission, refusal = await self._cleanup.complete(draft)
        except BaseException:
            draft.abandon()
            raise
        if submission is None:
            raise SmtpFailure(451, "4.3.0", "the message cannot be forwarded")
        if refusal is None:
            return [submission]
        lease, made = await self._returned(subject.rules, submission, refusal)
        self.entered(lease, made)
        return [report.submission for report in made]

    async def _reports(
        self,
        subject: Subject,
        kind: ReportKind,
        outcomes: Sequence[Outcome],
        passed_on: Collection[Recipient],
    ) -> list[Made]:
        """Those of one kind."""
        made: list[Made] = []
        settings = subject.rules.bounce
        told = addressees(kind, subject.lease.envelope.sender, settings)
        try:
            for addressee in told:
                everyone = addressee.is_postmaster
                about = reportable(kind, outcomes, passed_on=passed_on, everyone=everyone)
                if about:
                    made += await self._report(subject, kind, addressee, about)
        except BaseException:
            self.forget(made)
            raise
        if not told and (lost := reportable(kind, outcomes, passed_on=passed_on)):
            self._undeliverable(subject, lost)
        return made

    async def _report(
        self, subject: Subject, kind: ReportKind, to: Addressee, told: tuple[Outcome, ...]
    ) -> list[Made]:
        lease = subject.lease
        envelope = report_envelope(lease.envelope, to, subject.rules.bounce)
        template = subject.rules.words.templates()[kind]
        if template.is_eightbit:
            envelope = replace(envelope, eightbit=True)
        draft = self._begin(subject, subject.rules.bounced, envelope)
        facts = Report(
            kind=kind,
            template=template,
            queue_id=draft.queue_id,
            original_id=lease.queue_id,
            envelope=lease.envelope,
            addressee=to,
            outcomes=told,
            size=lease.size + (len(subject.content.headers) if subject.content else 0),
            arrived=lease.arrived,
            now=self._clock(),
        )
        try:
            with _Readable(subject) as original:
                await bounce.write_report(facts, subject.rules.bounce, original.next, draft.take)
            report, refusal = await self._cleanup.complete(draft)
        except BaseException:
            draft.abandon()
            raise
        if refusal is not None:
            log.event("bounce", queue_id=lease.queue_id, problem=f"report refused: {refusal}")
        return [] if report is None else [Made(kind, report)]

    def _undeliverable(self, subject: Subject, told: Sequence[Outcome]) -> None:
        """Nobody is to be told: never a report about a report. RFC 5321 6.1."""
        values = {"queue_id": subject.lease.queue_id, "recipients": len(told)}
        log.event("bounce", problem="nobody to report to", **values)
        self._journal.write("unreported", **values)

    def _begin(
        self, subject: Subject, handling: Handling, envelope: Envelope, headers: bytes = b""
    ) -> Draft:
        """A message of ours; `headers` stand behind its Received."""
        rules = subject.rules
        writer = self._cleanup.spool.begin()
        received = trace.received_locally(
            queue_id=writer.queue_id,
            myhostname=rules.bounce.myhostname,
            mail_name=rules.bounce.mail_name,
            when=self._clock(),
        )
        return self._cleanup.begin(rules.cleanup, handling, envelope, writer, received + headers)


def _kinds(subject: Subject, *, late: bool, is_owners: bool) -> list[ReportKind]:
    """The kinds of report that outcomes may call for."""
    lease = subject.lease
    if lease.envelope.is_probe:
        return [ReportKind.TRACE]  # nothing was lost, late or delivered
    kinds = [ReportKind.FAILURE, *([ReportKind.DELAY] if late else ())]
    if is_confirmed(lease, subject.rules):
        kinds.append(ReportKind.CLEARED)
    if not is_owners:
        kinds.append(ReportKind.SUCCESS)
        if is_traced(lease):
            kinds.append(ReportKind.TRACE)
    return kinds


def _owned(subject: Subject, owner: Address | None) -> Subject:
    """The subject as the owner of a list sees it: sent by the owner."""
    if owner is None:
        return subject
    lease = subject.lease
    return replace(subject, lease=replace(lease, envelope=replace(lease.envelope, sender=owner)))


class _Readable:
    """The message, as far as it can be read."""

    def __init__(self, subject: Subject) -> None:
        self._queue_id = subject.lease.queue_id
        self._reader = ContentReader(subject.content or Content(size=0))

    async def next(self) -> bytes:
        """The next piece; b"" at the end."""
        try:
            return await self._reader.next()
        except OSError as error:
            log.event("bounce", queue_id=self._queue_id, problem=str(error))
            return b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
