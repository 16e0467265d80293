"""options - the command line of sendmail(1), as far as Postfix's command understands it.

SUMMARY      read_options(words) -> Options; raises UsageError
RULES        what only Sendmail's own daemon understands is ignored where programs use it as a
             matter of course (-om, -oem, -U, -h, -L ...), and refused where it would matter (-bt)
             the first recipient ends the options, and so does "--": none can come with the address
             of a recipient
ERRORS       UsageError: the text for standard error, the status is EX_TEMPFAIL as in Postfix
NOT DONE     VERP (-XV), another configuration (-C), starting the engine (-bd, -bl, -q15m alone)
SOURCE       sendmail(1), Postfix sendmail.c
"""

from __future__ import annotations

import getopt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

LETTERS = "A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q:tvx"
NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})
USAGE = "usage: sendmail [options]"
ENVID_LIMIT = 100  # RFC 3461 4.4


class Mode(Enum):
    """What is to be done."""

    ENQUEUE = "enqueue"
    LIST = "list"
    FLUSH = "flush"
    NEW_ALIASES = "newaliases"
    SESSION = "session"
    NOTHING = "nothing"


class UsageError(Exception):
    """The command line asks for what cannot be."""


@dataclass(slots=True)
class Options:
    """A command line, understood."""

    mode: Mode = Mode.ENQUEUE
    sender: str | None = None
    full_name: str | None = None
    recipients: list[str] = field(default_factory=list)
    extracts: bool = False  # -t: recipients are in the headers too
    ends_at_dot: bool = True
    notify: frozenset[str] = frozenset()
    ret: str = ""
    envid: str = ""
    eightbit: bool = False
    is_traced: bool = False  # -v, -bv
    is_probe: bool = False  # -bv: what would come of mail, with no message at all
    is_relayed: bool = False  # -G: headers are another's to complete
    site: str = ""  # of FLUSH
    queue_id: str = ""
    warnings: list[str] = field(default_factory=list)

    def take(self, letter: str, value: str) -> None:
        """One option. Raises UsageError."""
        if letter in _TAKERS:
            _TAKERS[letter](self, value)

    def take_body_type(self, value: str) -> None:
        """-B"""
        if value.upper() not in ("8BITMIME", "7BIT"):
            raise UsageError("-B option needs 8BITMIME or 7BIT")
        self.eightbit = value.upper() == "8BITMIME"

    def take_mode(self, value: str) -> None:
        """-b"""
        mode = _MODES.get(value[:1])
        if mode is None:
            raise UsageError(f"unsupported: -b{value[:1]}")
        if value[:1] == "v":
            self.is_traced = self.is_probe = True
        else:
            self.mode = mode

    def take_notify(self, value: str) -> None:
        """-N. RFC 3461 4.1"""
        words = [word.strip().upper() for word in value.split(",")]
        if words == ["NEVER"] or NOTIFY.issuperset(words):
            self.notify = frozenset(words)
        else:
            self.warnings.append("bad -N option value -- ignored")

    def take_ret(self, value: str) -> None:
        """-R. RFC 3461 4.3"""
        if value.upper() in ("HDRS", "FULL"):
            self.ret = value.upper()
        else:
            self.warnings.append("bad -R option value -- ignored")

    def take_envid(self, value: str) -> None:
        """-V. RFC 3461 4.4"""
        if len(value) > ENVID_LIMIT:
            self.warnings.append("too long -V option value -- ignored")
        elif not (value and value.isascii() and value.isprintable()):
            self.warnings.append("bad syntax in -V option value -- ignored")
        else:
            self.envid = value

    def take_queue(self, value: str) -> None:
        """-q: all, -qI one message, -qR or -qS a site; an interval belongs to a daemon."""
        if value[:1].isdigit():
            return
        self.mode = Mode.FLUSH
        match value[:1]:
            case "":
                pass
            case "I":
                self.queue_id = value[1:]
            case "R" | "S":
                self.site = value[1:]
            case other:
                raise UsageError(f"-q{other} is not implemented")
        if value and not value[1:]:
            raise UsageError(f"specify: -q{value}{'queueid' if value == 'I' else 'sitename'}")

    def take_old_option(self, value: str) -> None:
        """-o"""
        match value[:1]:
            case "i":
                self.ends_at_dot = False
            case "A" if not value[1:]:
                raise UsageError("-oA requires pathname")

    def take_sender(self, value: str) -> None:
        """-f, -r"""
        self.sender = value

    def take_full_name(self, value: str) -> None:
        """-F"""
        self.full_name = value

    def take_dots(self, value: str) -> None:
        """-i"""
        self.ends_at_dot = False

    def take_gateway(self, value: str) -> None:
        """-G"""
        self.is_relayed = True

    def take_extract(self, value: str) -> None:
        """-t"""
        self.extracts = True

    def take_verbosity(self, value: str) -> None:
        """-v: a report is mailed; nothing is shown, for nothing happens here."""
        self.is_traced = True

    def take_new_aliases(self, value: str) -> None:
        """-I"""
        self.mode = Mode.NEW_ALIASES


def _refuse(text: str) -> Callable[[Options, str], None]:
    def refuse(options: Options, value: str) -> None:
        raise UsageError(text.format(value[:1]))

    return refuse


_WITHOUT_RECIPIENTS = {
    Mode.LIST: "display queue mode",
    Mode.FLUSH: "flush queue mode",
    Mode.NEW_ALIASES: "alias initialization mode",
    Mode.SESSION: "stand-alone mode",
}
_MODES = {
    "m": Mode.ENQUEUE,
    "v": Mode.ENQUEUE,
    "p": Mode.LIST,
    "i": Mode.NEW_ALIASES,
    "s": Mode.SESSION,
    "h": Mode.NOTHING,  # host status: there is none
    "H": Mode.NOTHING,
}
_TAKERS: dict[str, Callable[[Options, str], None]] = {
    "B": Options.take_body_type,
    "C": _refuse("another configuration cannot be chosen: -C"),
    "F": Options.take_full_name,
    "G": Options.take_gateway,
    "I": Options.take_new_aliases,
    "N": Options.take_notify,
    "R": Options.take_ret,
    "V": Options.take_envid,
    "X": _refuse("unsupported: -X{}"),
    "b": Options.take_mode,
    "f": Options.take_sender,
    "i": Options.take_dots,
    "n": _refuse("-n option not supported"),
    "o": Options.take_old_option,
    "q": Options.take_queue,
    "r": Options.take_sender,
    "t": Options.take_extract,
    "v": Options.take_verbosity,
}


def read_options(words: Sequence[str]) -> Options:
    """The options. Raises UsageError."""
    options = Options()
    try:
        pairs, options.recipients = getopt.getopt(_with_values(words), LETTERS)
    except getopt.GetoptError as error:
        raise UsageError(f"{complaint(error, LETTERS)}\n{USAGE}") from error
    for name, value in pairs:
        options.take(name[1:], value)
    _check(options)
    return options


def complaint(error: getopt.GetoptError, letters: str) -> str:
    """What getopt(3) says to that."""
    if f"{error.opt}:" in letters:
        return f"option requires an argument -- '{error.opt}'"
    return f"invalid option -- '{error.opt if len(error.opt) == 1 else '-'}'"


def _check(options: Options) -> None:
    """What does not go together. Raises UsageError."""
    mode = options.mode
    if options.extracts and mode is not Mode.ENQUEUE:
        raise UsageError("-t can be used only in delivery mode")
    if options.extracts and options.is_probe:
        raise UsageError("-t option cannot be used with -bv")
    if options.notify and options.is_probe:
        raise UsageError("-N option cannot be used with -bv")
    if options.recipients and mode in _WITHOUT_RECIPIENTS:
        raise UsageError(f"{_WITHOUT_RECIPIENTS[mode]} requires no recipient")


def _with_values(words: Sequence[str]) -> list[str]:
    """-q alone means all; for getopt it needs a value."""
    found: list[str] = []
    is_value = False
    for place, word in enumerate(words):
        if not is_value and (word in ("-", "--") or not word.startswith("-")):
            return [*found, *words[place:]]
        found += ["-q", ""] if word == "-q" and not is_value else [word]
        is_value = not is_value and _wants_value(word)
    return found


def _wants_value(word: str) -> bool:
    """True when the next word is the value of an option in this one."""
    if len(word) < 2 or word[0] != "-":
        return False
    for number, letter in enumerate(word[1:], 2):
        place = LETTERS.find(letter)
        if place >= 0 and LETTERS[place + 1 : place + 2] == ":":
            return number == len(word)
    return False
