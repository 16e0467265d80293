"""access - the right-hand side of an access table, or a policy service's answer, as a verdict.

SUMMARY      interpret(case, action, subject) -> Verdict or Follow
ACTIONS      DUNNO; OK, RELAY, all digits: permit; REJECT, DEFER [text]; 4NN, 5NN text;
             DEFER_IF_PERMIT, DEFER_IF_REJECT [text]; DISCARD, HOLD [text]; FILTER transport:next;
             REDIRECT, BCC user@domain; PREPEND header: text; INFO, WARN [text]
             anything else: restriction names, which may not name tables
RULES        text may begin with an enhanced code; effects are no use before MAIL or at ETRN
ERRORS       an unusable action is DUNNO with a warning, an unknown one 451 4.3.5
SOURCE       access(5), Postfix smtpd_check(3) check_table_result
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from delivery.policy.case import Case, Subject
from delivery.policy.facts import Stage
from delivery.policy.registry import Answer, Follow
from delivery.policy.verdict import (
    DUNNO,
    PERMIT,
    Abort,
    Blame,
    Effect,
    Kind,
    Verdict,
    defer_if_permit,
    defer_if_reject,
    fit_enhanced,
    reject,
    server_error,
    split_enhanced,
)
from tables.errors import TableUnavailable
from tables.reading.lookup import Found, LookupKey, Maps

_HEADER = re.compile(r"[!-9;-~]+[ \t]*:")  # RFC 5322 2.2
_FIRST_WORD = re.compile(r"[^ \t]*")


def ask_table(
    case: Case, maps: Maps, keys: Iterable[str | LookupKey], subject: Subject
) -> Answer | None:
    """The verdict of the first key that any table knows; None: no key is known.

    A table that cannot be asked refuses with 451 4.3.5, as Postfix does for access tables.
    """
    try:
        found = maps.find(keys, case.lookups)
    except TableUnavailable as error:
        refusal = server_error(f"access table: {error}")
        return replace(refusal, text=subject.rejected(refusal.text), blame=Blame.DATA)
    return None if found is None else read(case, found, subject)


def read(case: Case, found: Found, subject: Subject) -> Answer:
    """interpret() with the entry noted for the journal."""
    answer = interpret(case, found.value, subject, found.table, found.key)
    if isinstance(answer, Verdict):
        return replace(answer, table=found.table, key=found.key)
    return answer


def interpret(case: Case, value: str, subject: Subject, table: str, key: str) -> Answer:
    """What one access(5) action means here; `table` and `key` are for warnings only."""
    word = _FIRST_WORD.match(value)
    name = word.group() if word else ""
    text = value[len(name) :].strip()
    verb = name.upper()
    if verb == "DUNNO":
        return DUNNO
    if verb in _REFUSALS:
        return _REFUSALS[verb](case, text, subject)
    if verb in _EFFECTS:
        return _effect(case, _EFFECTS[verb], text, subject, f"access table {table} entry {key!r}")
    if verb in ("OK", "RELAY") or _all_digits(value):  # access(5): an all-numeric result is OK
        return PERMIT
    if len(name) == 3 and _all_digits(name) and name[0] in "45" and text:
        status, words = split_enhanced(text, f"{name[0]}.7.1")
        status = fit_enhanced(status, subject.kind)
        return reject(int(name), status, subject.rejected(words or "Access denied"))
    if ":" in value:
        raise Abort(server_error(f"access table {table} has entry with lookup table: {value}"))
    if not value.strip(", \t\r\n"):
        return replace(PERMIT, warning=f"access table {table} entry {key!r} has empty value")
    return Follow(value, subject)


def _all_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _reject(case: Case, text: str, subject: Subject) -> Verdict:
    status, words = split_enhanced(text, "5.7.1")
    status = fit_enhanced(status, subject.kind)
    code = case.settings.access_map_reject_code
    return reject(code, status, subject.rejected(words or "Access denied"))


def _defer(case: Case, text: str, subject: Subject) -> Verdict:
    status, words = split_enhanced(text, "4.7.1")
    status = fit_enhanced(status, subject.kind)
    code = case.settings.access_map_defer_code
    return reject(code, status, subject.rejected(words or "Access denied"))


def _defer_if_permit(case: Case, text: str, subject: Subject) -> Verdict:
    status, words = split_enhanced(text, "4.7.1")
    status = fit_enhanced(status, subject.kind)
    code = case.settings.access_map_defer_code
    return defer_if_permit(code, status, subject.rejected(words or "Service unavailable"))


def _defer_if_reject(case: Case, text: str, subject: Subject) -> Verdict:
    status, words = split_enhanced(text, "4.7.1")
    status = fit_enhanced(status, subject.kind)
    code = case.settings.access_map_defer_code
    return defer_if_reject(code, status, subject.rejected(words or "Service unavailable"))


_REFUSALS = {
    "REJECT": _reject,
    "DEFER": _defer,
    "DEFER_IF_PERMIT": _defer_if_permit,
    "DEFER_IF_REJECT": _defer_if_reject,
}
_EFFECTS = {effect.name: effect for effect in Effect}


def _effect(case: Case, effect: Effect, text: str, subject: Subject, where: str) -> Verdict:
    if effect in (Effect.INFO, Effect.WARN):
        return Verdict(Kind.DUNNO, effect=effect, text=text)
    if warning := _cannot(case, effect) or _unusable(effect, text):
        return replace(DUNNO, warning=f"{where}: {warning}")
    said = f"<{subject.name}>: {subject.kind} triggers {effect.name}"
    match effect:
        case Effect.DISCARD:
            note = f"<{subject.name}>: {subject.kind} {text}" if text else f"{said} action"
            return Verdict(Kind.PERMIT, effect=effect, text=note)
        case Effect.HOLD:
            note = f"<{subject.name}>: {subject.kind} {text}" if text else f"{said} action"
            return Verdict(Kind.DUNNO, effect=effect, text=note)
        case _:
            return Verdict(Kind.DUNNO, effect=effect, argument=text, text=f"{said} {text}")


def _cannot(case: Case, effect: Effect) -> str:
    """Why there is no message that the effect could apply to; '' when there is."""
    if case.facts.stage is Stage.ETRN:
        return f"action {effect.name} is unavailable in smtpd_etrn_restrictions"
    if effect is Effect.PREPEND and case.facts.stage is Stage.END_OF_MESSAGE:
        return "action PREPEND must be used before smtpd_end_of_data_restrictions"
    if case.facts.sender is None:
        return (
            f"with smtpd_delay_reject=no, action {effect.name} is always skipped "
            "in Client host or Helo command restrictions"
        )
    return ""


def _unusable(effect: Effect, text: str) -> str:
    """Why the effect's argument will not do; '' when it will."""
    match effect:
        case Effect.FILTER if ":" not in text:
            return "requires transport:destination"
        case Effect.REDIRECT | Effect.BCC if "@" not in text:
            return "requires a user@domain target"
        case Effect.PREPEND if not _HEADER.match(text):
            return "requires header: text"
        case _:
            return ""


def never_permit(case: Case, answer: Answer, restriction: str, target: str) -> Answer:
    """The answer of a check on what the client may freely claim: OK is a configuration error.

    postconf(5) check_client_mx_access and others: "for safety reasons, no OK".
    """
    warning = f"restriction {restriction} returns OK for {target}: use DUNNO instead of OK"
    if isinstance(answer, Follow):
        return replace(answer, on_permit="error", warning=warning)
    if answer.kind is Kind.PERMIT and answer.effect is not Effect.DISCARD:
        raise Abort(server_error(warning))
    return answer
