"""verdict - what a restriction says, what a whole stage decides, and what happens to the message.

SUMMARY      Verdict: one restriction's answer; Decision: one stage's; Effects: the message's
KINDS        DUNNO go on; PERMIT ends the list; REJECT ends the command; DEFER_IF_PERMIT and
             DEFER_IF_REJECT are kept by the walker and change the later decision
RULES        the first digit of the enhanced code always follows the reply code; a code outside
             4xx and 5xx is a configuration error and becomes 450 4.7.1 Service unavailable
             address status codes (x.1.y) are turned round when a sender is refused with a
             recipient's code, and the other way round
SOURCE       Postfix smtpd_check(3), smtpd_dsn_fix(3), dsn_util(3); RFC 3463, access(5)
"""

from __future__ import annotations

import re
from enum import Enum

from delivery.printable import printable
from tables.frozen import dataclass, replace

REPLY_LIMIT = 510  # characters of one reply line; RFC 5321 4.5.3.1.5


class Kind(Enum):
    """How a verdict moves the walk."""

    DUNNO = "dunno"
    PERMIT = "permit"
    REJECT = "reject"
    DEFER_IF_PERMIT = "defer_if_permit"
    DEFER_IF_REJECT = "defer_if_reject"


class Blame(Enum):
    """postconf(5) notify_classes: whose fault it is. DATA and below are never just warned."""

    __hash__ = object.__hash__  # that of Enum is Python

    POLICY = "policy"
    PROTOCOL = "protocol"
    BOUNCE = "bounce"
    DATA = "data"
    RESOURCE = "resource"
    SOFTWARE = "software"


class Effect(Enum):
    """access(5) actions that do not decide but change what happens to the message."""

    HOLD = "hold"
    DISCARD = "discard"
    FILTER = "filter"
    REDIRECT = "redirect"
    BCC = "bcc"
    PREPEND = "prepend"
    INFO = "info"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One restriction's answer. `table` and `key` name the entry that gave it, '' when none did."""

    kind: Kind
    code: int = 0
    enhanced: str = ""
    text: str = ""
    blame: Blame = Blame.POLICY
    effect: Effect | None = None
    argument: str = ""  # of the effect
    pending: Verdict | None = None  # a DEFER_IF_REJECT that was raised on the way to this answer
    warning: str = ""  # for the log: the administrator should repair something
    table: str = ""
    key: str = ""


DUNNO = Verdict(Kind.DUNNO)
PERMIT = Verdict(Kind.PERMIT)


def reject(code: int, enhanced: str, text: str, blame: Blame = Blame.POLICY) -> Verdict:
    """A refusal; the first digit of `enhanced` need not agree with `code`."""
    return Verdict(Kind.REJECT, code, enhanced, text, blame)


def defer_if_permit(code: int, enhanced: str, text: str) -> Verdict:
    """Refuse later, if nothing else refuses for good. postconf(5) defer_if_permit."""
    return Verdict(Kind.DEFER_IF_PERMIT, code, enhanced, text)


def defer_if_reject(code: int, enhanced: str, text: str) -> Verdict:
    """Turn a later 5xx into this. postconf(5) defer_if_reject."""
    return Verdict(Kind.DEFER_IF_REJECT, code, enhanced, text)


def server_error(warning: str = "") -> Verdict:
    """451 4.3.5: the configuration is wrong; the warning says what, in the log only."""
    text = "Server configuration error"
    return Verdict(Kind.REJECT, 451, "4.3.5", text, Blame.SOFTWARE, warning=warning)


def lookup_failure(name: str) -> Verdict:
    """451 4.3.0: a table could not be asked about `name`."""
    text = f"<{name}>: Temporary lookup failure"
    return Verdict(Kind.REJECT, 451, "4.3.0", text, Blame.DATA)


class Abort(Exception):
    """Ends the stage at once with a verdict, from any depth of the walk."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.text)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the log beside the decision: reject_warning, hold, filter, info, warning ..."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a stage decided. `code` 0: go on; otherwise answer with code, enhanced code and text.

    `list_name`, `restriction` and `argument` say which rule decided, `table` and `key` on which
    entry (journal, explain); all '' when nothing did.
    """

    code: int = 0
    enhanced: str = ""
    text: str = ""
    list_name: str = ""
    restriction: str = ""
    argument: str = ""
    table: str = ""
    key: str = ""
    notes: tuple[Note, ...] = ()
    blame: Blame = Blame.POLICY

    @property
    def refused(self) -> bool:
        """True when the command must be answered with this decision's code."""
        return self.code != 0


GO_ON = Decision()


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What tables asked for; all of it concerns the whole message. access(5), header_checks(5)."""

    discard: bool = False
    hold: bool = False
    filter: str = ""  # transport:destination, the last one counts
    redirect: str = ""  # the last one counts
    bcc: tuple[str, ...] = ()
    prepend: tuple[str, ...] = ()  # header lines, in order

    def added(self, effect: Effect, argument: str) -> Effects:
        """With one more effect; INFO and WARN are for the log and change nothing."""
        match effect:
            case Effect.DISCARD:
                return replace(self, discard=True)
            case Effect.HOLD:
                return replace(self, hold=True)
            case Effect.FILTER:
                return replace(self, filter=argument)
            case Effect.REDIRECT:
                return replace(self, redirect=argument)
            case Effect.BCC:
                return replace(self, bcc=(*self.bcc, argument))
            case Effect.PREPEND:
                return replace(self, prepend=(*self.prepend, argument))
            case _:
                return self

    def joined(self, later: Effects) -> Effects:
        """With those that were asked for later on: by checks of the content."""
        if later is NO_EFFECTS:
            return self
        return replace(
            self,
            discard=self.discard or later.discard,
            hold=self.hold or later.hold,
            filter=later.filter or self.filter,
            redirect=later.redirect or self.redirect,
        )


NO_EFFECTS = Effects()

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")
# x.1.y -> (when a sender is refused, when a recipient is); smtpd_dsn_fix(3)
_ADDRESS_STATUS = {
    "1": ("1.7", "1.1"),
    "2": ("1.8", "1.2"),
    "3": ("1.7", "1.3"),
    "4": ("1.7", "1.4"),
    "5": ("1.0", "1.5"),
    "6": ("1.7", "1.6"),
    "7": ("1.7", "1.3"),
    "8": ("1.8", "1.2"),
}


def split_enhanced(text: str, default: str) -> tuple[str, str]:
    """(enhanced code, rest) of a text that may begin with an enhanced code. RFC 3463 2."""
    match = _ENHANCED.match(text)
    if match is None:
        return default, text.lstrip()
    return match.group(), text[match.end() :].lstrip()


def is_enhanced(text: str) -> bool:
    """True when the whole text is an enhanced status code."""
    return _ENHANCED.fullmatch(text) is not None


def fit_enhanced(status: str, reply_class: str) -> str:
    """The status for what is being refused: sender, recipient or other. smtpd_dsn_fix(3)."""
    if status[1:4] != ".1.":
        return status
    sender, recipient = _ADDRESS_STATUS.get(status[4:], ("1.0", "1.0"))
    if reply_class == "Sender address":
        return f"{status[0]}.{sender}"
    if reply_class == "Recipient address":
        return f"{status[0]}.{recipient}"
    return f"{status[0]}.0.0"


def checked(verdict: Verdict, *, soft_bounce: bool) -> Verdict:
    """A refusal fit for the wire: valid codes that agree, one printable line. smtpd_check(3)."""
    code, enhanced, text = verdict.code, verdict.enhanced, verdict.text
    if not 400 <= code <= 599 or not is_enhanced(enhanced):
        code, enhanced, text = 450, "4.7.1", "Service unavailable"
    if soft_bounce and code >= 500:  # postconf(5) soft_bounce
        code -= 100
    enhanced = f"{code // 100}{enhanced[1:]}"
    text = printable(text, " ")
    text = text[: REPLY_LIMIT - len(enhanced) - 5]
    if (code, enhanced, text) == (verdict.code, verdict.enhanced, verdict.text):
        return verdict
    return replace(verdict, code=code, enhanced=enhanced, text=text)
