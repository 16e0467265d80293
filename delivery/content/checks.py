"""checks - header_checks, mime_header_checks, nested_header_checks, body_checks and their actions.

SUMMARY      CheckTables: the tables of one snapshot; Checker: one message's answers so far
             Checker.header(tables, text) -> what is to be written instead; the same for body()
ACTIONS      REJECT, DISCARD, HOLD, FILTER, REDIRECT, BCC: noted in .effects and .refusal
             PREPEND, REPLACE, IGNORE, STRIP: what is written; WARN, INFO: .notes; DUNNO, OK nothing
             PASS, REJECT, DISCARD, REDIRECT end the checks for this message
RULES        a result that makes no sense leaves the message as it is, with a warning
             lines that are no UTF-8 are looked up as latin-1, so that patterns of ASCII see them;
             where $1 would cut a character in two, the line is looked up with ? for such ones
             smtp_header_checks and smtp_body_checks know only the actions that write or log
ERRORS       none raised: a table that cannot be asked refuses the message with 451 4.3.0
SOURCE       header_checks(5); Postfix cleanup_act, header_body_checks(3)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from delivery.content.headers import name_length
from delivery.errors import SmtpFailure
from delivery.policy.verdict import (
    NO_EFFECTS,
    Effect,
    Effects,
    Note,
    checked,
    reject,
    split_enhanced,
)
from tables.errors import TableUnavailable
from tables.reading.lookup import Found, Maps

MOST_NOTES = 100  # log lines that one message may cause
SHOWN = 200  # characters of a line in a log

CONTENT_REJECTED = "message content rejected"


@dataclass(frozen=True, slots=True)
class CheckTables:
    """Tables by what they look at. `limited`: mail that leaves, fewer actions."""

    primary: Maps
    mime: Maps
    nested: Maps
    body: Maps
    names: tuple[str, str, str, str] = (
        "header_checks",
        "mime_header_checks",
        "nested_header_checks",
        "body_checks",
    )
    limited: bool = False

    def __bool__(self) -> bool:
        return bool(self.primary or self.mime or self.nested or self.body)


class Checker:
    """What the checks have said about one message."""

    def __init__(
        self, tables: CheckTables, *, is_on: bool = True, keeps_refused: bool = False
    ) -> None:
        """`keeps_refused`: what is refused goes back to its sender."""
        self.tables = tables
        self.is_on = is_on
        self.is_silent = False  # nothing of the message is kept any more
        self._keeps_refused = keeps_refused
        self.effects: Effects = NO_EFFECTS
        self.refusal: SmtpFailure | None = None
        self.problem = ""  # the first that only refuses the message at its end, if nothing else has
        self.notes: list[Note] = []

    def header(self, maps: Maps, title: str, text: bytes) -> list[bytes] | None:
        """The headers to be written for this one, itself last; None when it stays as it is."""
        return self._check(maps, title, text, is_header=True)

    def body(self, text: bytes) -> list[bytes] | None:
        """The lines to be written for this one; None when it stays as it is."""
        return self._check(self.tables.body, self.tables.names[3], text, is_header=False)

    def refuse(self, kind: str, text: bytes, reason: str) -> None:
        """Refuse for a reason that begins with an enhanced code, or gets 5.7.1."""
        enhanced, said = split_enhanced(reason, "5.7.1")
        if enhanced[0] == "2":
            self.warn(f"bad DSN action in {reason} -- need 4.x.x or 5.x.x")
            enhanced = f"4{enhanced[1:]}"
        code = 451 if enhanced[0] == "4" else 550
        verdict = checked(reject(code, enhanced, said), soft_bounce=False)
        if self.refusal is None or (code == 451 and not self.refusal.is_temporary):
            cause = f"{kind} {_shown(text)}"
            self._refuse(SmtpFailure(code, verdict.enhanced, verdict.text, cause=cause))
        self.note("reject", kind, text, f"{enhanced} {said}")

    def fail(self, code: int, enhanced: str, text: str, cause: str) -> None:
        """Refuse for a reason of ours; the first one counts."""
        if self.refusal is None:
            self._refuse(SmtpFailure(code, enhanced, text, cause=cause))

    def break_off(self, error: TableUnavailable) -> None:
        """A table could not be asked: the client is to come again."""
        if self.refusal is None or not self.refusal.is_temporary:
            self._refuse(SmtpFailure(451, "4.3.0", "Temporary lookup failure", cause=str(error)))

    def note(self, action: str, kind: str, text: bytes, said: str) -> None:
        """A line for the log; the caller adds where the message comes from."""
        if len(self.notes) < MOST_NOTES:
            end = f": {said}" if said else ""
            self.notes.append(Note(action, f"{kind} {_shown(text)}{end}"))

    def warn(self, text: str) -> None:
        """The administrator should repair something."""
        if len(self.notes) < MOST_NOTES:
            self.notes.append(Note("configuration", text))

    # inside

    def _refuse(self, refusal: SmtpFailure) -> None:
        self.refusal = refusal
        self.is_silent = self.is_silent or not self._keeps_refused

    def _check(self, maps: Maps, title: str, text: bytes, *, is_header: bool) -> list[bytes] | None:
        try:
            key = text.decode("utf-8")
            encode: Callable[[str], bytes] = _utf8
        except UnicodeDecodeError:
            key = text.decode("latin-1")
            encode = _latin1
        try:
            found = _find(maps, key)
        except TableUnavailable as error:
            self.break_off(error)
            return None
        if found is None:
            return None
        return self._act(found, title, text, encode, is_header=is_header)

    def _act(
        self,
        found: Found,
        title: str,
        text: bytes,
        encode: Callable[[str], bytes],
        *,
        is_header: bool,
    ) -> list[bytes] | None:
        word, argument = _split(found.value)
        kind = "header" if is_header else "body"
        match word.upper():
            case "DUNNO" | "OK":
                return None
            case "WARN":
                self.note("warning", kind, text, argument)
                return None
            case "INFO":
                self.note("info", kind, text, argument)
                return None
            case "IGNORE":
                return []
            case "STRIP":
                self.note("strip", kind, text, argument)
                return []
            case "PREPEND" | "REPLACE" as action:
                if not argument:
                    self.warn(f"{action} action without text in {title} map")
                    return None
                line = encode(argument)
                if is_header and not name_length(line):
                    need = 'need "headername: headervalue"'
                    self.warn(f'bad {action} header text "{argument}" in {title} map -- {need}')
                    return None
                self.note(action.lower(), kind, text, argument)
                return [line, text] if action == "PREPEND" else [line]
            case action if not self.tables.limited and action in _DECIDING:
                self._decide(action, argument, title, kind, text)
                return None
            case _:
                self.warn(f"unknown command in {title} map: {found.value}")
                return None

    def _decide(self, action: str, argument: str, title: str, kind: str, text: bytes) -> None:
        """Actions that concern the whole message."""
        if problem := _problem(action, argument, title):
            self.warn(problem)
            return
        if action == "REJECT":
            self.refuse(kind, text, argument or CONTENT_REJECTED)
        elif action != "HOLD" or not (self.effects.hold or self.effects.discard):
            if action != "PASS":
                self.effects = self.effects.added(Effect[action], argument)
                self.is_silent = self.is_silent or self.effects.discard
            self.note(action.lower(), kind, text, argument)
        if action in _ENDING:
            self.is_on = False


def _find(maps: Maps, key: str) -> Found | None:
    """The entry for a line. A result may hold half a character of it, and is then no text."""
    try:
        return maps.find((key,))
    except TableUnavailable:
        if key.isascii():
            raise
        return maps.find((key.encode("ascii", "replace").decode("ascii"),))


_DECIDING = frozenset({"REJECT", "DISCARD", "HOLD", "FILTER", "REDIRECT", "BCC", "PASS"})
_ENDING = frozenset({"REJECT", "DISCARD", "REDIRECT", "PASS"})


def _problem(action: str, argument: str, title: str) -> str:
    """Why the argument will not do; '' when it will."""
    match action:
        case "FILTER" if not argument:
            return f"missing FILTER command argument in {title} map"
        case "FILTER" if ":" not in argument:
            return f"bad FILTER command {argument} in {title} -- need transport:destination"
        case "REDIRECT" if "@" not in argument:
            return f'bad REDIRECT target "{argument}" in {title} map -- need user@domain'
        case "BCC" if "@" not in argument:
            return f'bad BCC address "{argument}" in {title} map -- need user@domain'
        case _:
            return ""


def _split(value: str) -> tuple[str, str]:
    word, _, rest = value.replace("\t", " ", 1).partition(" ")
    if "\t" in word:
        word, _, rest = value.partition("\t")
    return word, rest.lstrip()


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _latin1(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return _utf8(text)


def _shown(text: bytes) -> str:
    """For a log: one printable line."""
    shown = text[:SHOWN].decode("ascii", "replace")
    return "".join(sign if " " <= sign <= "~" else "?" for sign in shown)
