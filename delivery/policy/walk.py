"""walk - a restriction list is evaluated: order, softening, and which answer counts.

SUMMARY      walk(case, steps) -> permitted (True) or undecided (False); raises Refused
RULES        steps in order; the first permit or refusal ends the list
             warn_if_reject: a refusal is noted, not done (table and software errors are done)
             defer_if_permit: the first one is kept in the case; checks.py acts on it at the end
             defer_if_reject: the first one is kept, and replaces the next 5xx refusal
             when both are kept nothing can change any more: the list ends
             an effect is added to the case; DISCARD ends every list
             a list found in an access table is walked like a class
ERRORS       TableUnavailable becomes 451 4.3.0; endless nesting 451 4.3.5
SOURCE       Postfix smtpd_check(3): generic_checks, smtpd_check_reject, defer_if
"""

from __future__ import annotations

from collections.abc import Sequence

from delivery.policy.case import Case
from delivery.policy.lists import Compiler, Step
from delivery.policy.registry import Follow
from delivery.policy.verdict import (
    DUNNO,
    Abort,
    Blame,
    Effect,
    Kind,
    Note,
    Verdict,
    checked,
    lookup_failure,
    server_error,
)
from tables.errors import EntryError, TableUnavailable

DEPTH_LIMIT = 100  # restriction classes and lists within lists; smtpd_check(3)
_ANSWERS = (Verdict, Follow)
_ALWAYS = (Blame.SOFTWARE, Blame.RESOURCE, Blame.DATA)  # warn_if_reject does not soften these


class Refused(Exception):
    """The command is refused with this verdict, fit for the wire. Caught in checks.py."""

    def __init__(self, verdict: Verdict, step: Step) -> None:
        super().__init__(verdict.text)
        self.verdict = verdict
        self.step = step


class Walker:
    """Evaluates lists; knows how to compile what access tables answer with."""

    __slots__ = ("_compiler", "_soft_bounce")

    def __init__(self, compiler: Compiler, *, soft_bounce: bool) -> None:
        self._compiler = compiler
        self._soft_bounce = soft_bounce

    async def walk(self, case: Case, steps: Sequence[Step]) -> bool:
        """True when something permitted; raises Refused."""
        if case.effects.discard:
            return False
        permitted = False
        for step in steps:
            softened = step.warn and not case.warning
            if softened:
                case.warning = True
            if step.function is None:
                permitted = await self._nested(case, self._compiler.classes[step.name])
                self._trace(case, step, "permit" if permitted else "dunno")
            else:
                try:
                    answer = step.function(case, step.given)
                    if (
                        answer is DUNNO
                        and not softened
                        and case.trace is None
                        and case.maybe_permit is None
                    ):
                        continue  # as most do
                    if not isinstance(answer, _ANSWERS):
                        answer = await answer
                except (Abort, TableUnavailable) as error:
                    answer = _failure(case, error)
                if isinstance(answer, Follow):
                    permitted = await self._follow(case, step, answer)
                else:
                    permitted = self.settle(case, step, answer)
            if softened:
                case.warning = False
            is_settled = case.maybe_permit is not None and case.maybe_reject is not None
            if permitted or is_settled or case.effects.discard:
                break
        return permitted

    async def _nested(self, case: Case, steps: Sequence[Step]) -> bool:
        """Walk a list within a list."""
        case.depth += 1
        if case.depth >= DEPTH_LIMIT:
            nested = server_error("restriction lists are nested unreasonably deep")
            self.refuse(case, steps[0], nested)
        permitted = await self.walk(case, steps)
        case.depth -= 1
        return permitted

    async def _follow(self, case: Case, step: Step, answer: Follow) -> bool:
        """Walk the list that an access table answered with, about the check's own subject."""
        try:
            steps = self._compiler.from_table(answer.text)
        except EntryError as error:
            return self.settle(case, step, server_error(str(error)))
        outer, case.subject = case.subject, answer.subject
        permitted = await self._nested(case, steps)
        case.subject = outer
        if not permitted or answer.on_permit == "permit" or case.effects.discard:
            return permitted
        if answer.on_permit == "error":
            return self.settle(case, step, server_error(answer.warning))
        return False

    def settle(self, case: Case, step: Step, verdict: Verdict) -> bool:
        """What one verdict does to the case; True for permit, Refused for a refusal."""
        if case.trace is not None:
            self._trace(case, step, _outcome(verdict))
        if verdict is DUNNO:
            return False
        if verdict.warning:
            case.notes.append(Note("warning", verdict.warning))
        if verdict.pending is not None and case.maybe_reject is None:
            case.maybe_reject = verdict.pending
        if verdict.effect is not None:
            self._apply(case, verdict.effect, verdict)
        match verdict.kind:
            case Kind.PERMIT:
                return True
            case Kind.DEFER_IF_REJECT:
                case.maybe_reject = case.maybe_reject or verdict
            case Kind.DEFER_IF_PERMIT if not case.warning:
                case.maybe_permit = case.maybe_permit or verdict
            case Kind.DEFER_IF_PERMIT | Kind.REJECT:
                self.refuse(case, step, verdict)
        return False

    def refuse(self, case: Case, step: Step, verdict: Verdict) -> None:
        """Refuse, or only say so inside warn_if_reject."""
        if case.warning and verdict.blame not in _ALWAYS:
            said = checked(verdict, soft_bounce=self._soft_bounce)
            case.notes.append(Note("reject_warning", f"{said.code} {said.enhanced} {said.text}"))
            return
        if case.maybe_reject is not None and checked(verdict, soft_bounce=False).code >= 500:
            verdict, case.maybe_reject = case.maybe_reject, None
        raise Refused(checked(verdict, soft_bounce=self._soft_bounce), step)

    def _apply(self, case: Case, effect: Effect, verdict: Verdict) -> None:
        if effect is Effect.HOLD and case.effects.hold:
            return
        if effect is not Effect.PREPEND:
            case.notes.append(Note(effect.value, verdict.text))
        case.effects = case.effects.added(effect, verdict.argument)

    def _trace(self, case: Case, step: Step, outcome: str) -> None:
        if case.trace is not None:
            case.trace.restriction(case.list_name, step.name, step.argument, outcome)


def _failure(case: Case, error: Abort | TableUnavailable) -> Verdict:
    """The verdict in place of an answer."""
    if isinstance(error, Abort):
        return error.verdict
    case.notes.append(Note("warning", str(error)))
    return lookup_failure(case.subject.name)


def _outcome(verdict: Verdict) -> str:
    """What explain shows of a step."""
    if verdict.kind in (Kind.DUNNO, Kind.PERMIT):
        effect = verdict.effect
        return verdict.kind.value if effect is None else f"{verdict.kind.value} ({effect.value})"
    return f"{verdict.kind.value} {verdict.code} {verdict.enhanced} {verdict.text}"
