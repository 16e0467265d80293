"""commands - the arguments of each command: text -> command value, or the reply to the mistake.

SUMMARY      PARSERS: verb -> (command class, function); offer(...) -> the Context of a session
RULES        parsing comes after the check of the order (state.py), so that a nested MAIL is a
             nested MAIL however it is spelt; the replies are those of Postfix's smtpd(8), word for
             word
ERRORS       Mistake, and nothing else
NOT DONE     VERP: it arrives as an unsupported option
SOURCE       RFC 5321 4.1.1, 1870, 6152, 6531, 3461, 4954, 3030, 1985; Postfix smtpd(8)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from delivery.smtp import replies
from delivery.smtp.events import (
    Auth,
    Bdat,
    Data,
    Ehlo,
    Etrn,
    Helo,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Vrfy,
    Xclient,
    Xforward,
)
from delivery.smtp.grammar import neuter, parse_path, split_words
from delivery.smtp.proxies import parse_xclient, parse_xforward
from delivery.smtp.replies import Mistake, Reply
from delivery.smtp.settings import ServerSettings
from delivery.xtext import xtext_decode
from tables import domains
from tables.addresses import Address
from tables.errors import AddressSyntaxError

DIGITS = frozenset("0123456789")
OFF_T_DIGITS = 18  # any number of so many digits fits into 63 bits

_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}\Z")  # RFC 4422 3.1 sasl-mech
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})
# The plain case: no quotes, one pair of brackets, blanks only between parameters.
_PLAIN = {
    keyword: re.compile(rf'{keyword}\s*(<([^<>"\\]*)>)( [^<"\\]*)?', re.IGNORECASE).fullmatch
    for keyword in ("FROM:", "TO:")
}


@dataclass(frozen=True, slots=True)
class Context:
    """What parsing depends on besides the text."""

    settings: ServerSettings
    keywords: tuple[str, ...]  # the EHLO lines
    offered: frozenset[str]  # their first words, and what is taken without a word
    extensions: frozenset[str]  # of those the session's own, announced or not
    smtputf8: bool = False  # the transaction was declared so


@lru_cache(maxsize=128)
def offer(
    settings: ServerSettings,
    extensions: tuple[str, ...],
    discarded: tuple[str, ...] | None,
    unsaid: tuple[str, ...] = (),
) -> Context:
    """What a session begins with, made once: its EHLO lines are in Postfix's order.

    `extensions`: the session's own (STARTTLS, AUTH).
    `discarded`: keywords not to be told this client; None: smtpd_discard_ehlo_keywords.
    `unsaid`: commands that are taken without being offered.
    """
    size = f"SIZE {settings.message_size_limit}" if settings.message_size_limit else "SIZE"
    lines = ["PIPELINING", size]
    if not settings.disable_vrfy_command:
        lines.append("VRFY")
    lines += ["ETRN", *extensions, "ENHANCEDSTATUSCODES", "8BITMIME", "DSN"]
    if settings.smtputf8_enable:
        lines.append("SMTPUTF8")
    lines.append("CHUNKING")
    words = settings.smtpd_discard_ehlo_keywords if discarded is None else discarded
    silent = {word.upper() for word in words}
    keywords = tuple(line for line in lines if keyword(line) not in silent)
    return Context(
        settings,
        keywords,
        frozenset(map(keyword, keywords)).union(unsaid),
        frozenset(map(keyword, extensions)),
    )


def keyword(line: str) -> str:
    """The first word of an EHLO line; of "AUTH=PLAIN", as broken clients want it, too."""
    return line.partition(" ")[0].partition("=")[0]


def _helo(text: str, _: Context) -> Helo:
    if not text:
        raise Mistake(replies.HELO_SYNTAX)
    return Helo(neuter(" ".join(text.split())))


def _ehlo(text: str, _: Context) -> Ehlo:
    if not text:
        raise Mistake(replies.EHLO_SYNTAX)
    return Ehlo(neuter(" ".join(text.split())))


def _path_and_options(
    text: str, keyword: str, syntax: Reply, bad_path: Reply
) -> tuple[str, str, list[str]]:
    """The path as typed, the same without one pair of brackets, and the parameters behind it.

    RFC 5321 4.1.1.2, 4.1.1.3.
    """
    if (plain := _PLAIN[keyword](text)) is not None:
        path, given, options = plain.groups("")
        return path, given, options.split()
    words = split_words(text)
    if words is None:
        # Postfix's words too: without the keyword it is the syntax, with it the address.
        raise Mistake(bad_path if text.lstrip()[: len(keyword)].upper() == keyword else syntax)
    if len(words) < 2 or words[0].upper() != keyword:
        raise Mistake(syntax)
    path = words[1]
    given = path[1:-1] if path[:1] == "<" and path[-1:] == ">" else path
    return path, given, words[2:]


def _mail(text: str, context: Context) -> Mail:
    path, given, options = _path_and_options(text, "FROM:", replies.MAIL_SYNTAX, replies.BAD_SENDER)
    if not options:
        return Mail(_address(path, context.settings, False, replies.BAD_SENDER), given)
    smtputf8 = "SMTPUTF8" in context.offered and "SMTPUTF8" in map(str.upper, options)
    address = _address(path, context.settings, smtputf8, replies.BAD_SENDER)
    size: int | None = None
    body = ret = ""
    envid: str | None = None
    auth: str | None = None
    for option in options:
        name, equals, value = option.partition("=")
        match name.upper() + equals:
            case "BODY=" if value.upper() in ("7BIT", "8BITMIME"):
                body = value.upper()
            case "SIZE=":
                size = _size(value)
            case "SMTPUTF8" if smtputf8:
                pass
            case "AUTH=":
                auth = _xtext(value, replies.BAD_AUTH)
            case "RET=":
                if ret or _dsn(context, value.upper()) not in ("FULL", "HDRS"):
                    raise Mistake(replies.BAD_RET)
                ret = value.upper()
            case "ENVID=":
                if envid is not None:
                    raise Mistake(replies.BAD_ENVID)
                envid = _xtext(_dsn(context, value), replies.BAD_ENVID)
            case _:
                raise Mistake(replies.unsupported_option(option))
    if size and 0 < context.settings.message_size_limit < size:  # RFC 1870 6.1
        raise Mistake(replies.SIZE_EXCEEDED)
    return Mail(address, given, size, body, smtputf8, ret, envid or "", auth)


def _rcpt(text: str, context: Context) -> Rcpt:
    path, given, options = _path_and_options(
        text, "TO:", replies.RCPT_SYNTAX, replies.BAD_RECIPIENT
    )
    address = _address(path, context.settings, context.smtputf8, replies.BAD_RECIPIENT)
    if not address:
        raise Mistake(replies.BAD_RECIPIENT)
    if not options:
        return Rcpt(address, given)
    notify: frozenset[str] = frozenset()
    orcpt = ""
    for option in options:
        name, equals, value = option.partition("=")
        match name.upper() + equals:
            case "NOTIFY=":
                if notify:
                    raise Mistake(replies.BAD_NOTIFY)
                notify = _notify(_dsn(context, value))
            case "ORCPT=":
                if orcpt:
                    raise Mistake(replies.BAD_ORCPT)
                orcpt = _orcpt(_dsn(context, value))
            case _:
                raise Mistake(replies.unsupported_option(option))
    return Rcpt(address, given, notify, orcpt)


def _address(path: str, settings: ServerSettings, smtputf8: bool, bad: Reply) -> Address:
    try:
        address = parse_path(path, settings, smtputf8=smtputf8)
    except AddressSyntaxError:
        if settings.strict_smtputf8 and not smtputf8 and not path.isascii():
            raise Mistake(replies.NEED_SMTPUTF8) from None
        raise Mistake(bad) from None
    return address


def _size(value: str) -> int:
    if not value or not DIGITS.issuperset(value):
        raise Mistake(replies.BAD_SIZE)
    if len(value.lstrip("0")) > OFF_T_DIGITS:
        raise Mistake(replies.SIZE_ABSURD)
    return int(value)


def _dsn(context: Context, value: str) -> str:
    if "DSN" not in context.offered:
        raise Mistake(replies.DSN_DISABLED)
    return value


def _xtext(value: str, bad: Reply) -> str:
    try:
        return xtext_decode("" if value == "<>" else value)  # RFC 4954 5: AUTH=<>
    except ValueError:
        raise Mistake(bad) from None


def _notify(value: str) -> frozenset[str]:
    """RFC 3461 4.1: NEVER alone, or a list of the others."""
    words = value.upper().split(",")
    if words == ["NEVER"]:
        return frozenset(words)
    if not _NOTIFY.issuperset(words) or len(set(words)) != len(words):
        raise Mistake(replies.BAD_NOTIFY)
    return frozenset(words)


def _orcpt(value: str) -> str:
    """RFC 3461 4.2: addr-type ";" xtext; RFC 6533 for the type utf-8."""
    kind, semicolon, coded = value.partition(";")
    if not kind or not semicolon:
        raise Mistake(replies.BAD_ORCPT)
    try:
        return f"{kind};{xtext_decode(coded, utf8=kind.lower() == 'utf-8')}"
    except ValueError:
        raise Mistake(replies.BAD_ORCPT) from None


def _data(text: str, _: Context) -> Data:
    if text:
        raise Mistake(replies.DATA_SYNTAX)
    return Data()


def parse_chunk(text: str) -> Bdat:
    """The arguments of BDAT. RFC 3030 2."""
    words = text.split()
    if (
        not 1 <= len(words) <= 2
        or not DIGITS.issuperset(words[0])
        or len(words[0]) > OFF_T_DIGITS
        or (len(words) == 2 and words[1].upper() != "LAST")
    ):
        raise Mistake(replies.BDAT_SYNTAX)
    return Bdat(int(words[0]), len(words) == 2)


def _rset(text: str, _: Context) -> Rset:
    if text:
        raise Mistake(replies.RSET_SYNTAX)
    return Rset()


def _vrfy(text: str, context: Context) -> Vrfy:
    settings = context.settings
    if settings.disable_vrfy_command:
        raise Mistake(replies.VRFY_DISABLED)
    words = split_words(text)
    if words is None:
        raise Mistake(replies.BAD_RECIPIENT)
    smtputf8 = "SMTPUTF8" in context.offered and bool(words) and words[-1].upper() == "SMTPUTF8"
    if smtputf8:
        words.pop()
    if not words:
        raise Mistake(replies.VRFY_SYNTAX_UTF8 if settings.smtputf8_enable else replies.VRFY_SYNTAX)
    given = " ".join(words)
    address = _address(given, settings, smtputf8, replies.BAD_RECIPIENT)
    if not address:
        raise Mistake(replies.BAD_RECIPIENT)
    return Vrfy(address, given, smtputf8)


def _etrn(text: str, _: Context) -> Etrn:
    words = text.split()
    if len(words) != 1:
        raise Mistake(replies.ETRN_SYNTAX)
    domain = words[0].removeprefix("@") if words[0][0] == "@" else words[0].removeprefix("#")
    if domains.is_plain_host(domain):
        return Etrn(domain)
    try:
        if domains.is_address_literal(domain):
            domains.parse_literal(domain)
            return Etrn(domain)
    except AddressSyntaxError:
        pass  # answered like any other text that is no domain
    raise Mistake(replies.ETRN_PARAMETER)


def _starttls(text: str, context: Context) -> StartTls:
    if text:
        raise Mistake(replies.STARTTLS_SYNTAX)
    if "STARTTLS" not in context.offered:
        raise Mistake(replies.NOT_IMPLEMENTED)
    return StartTls()


def _auth(text: str, context: Context) -> Auth:
    if "AUTH" not in context.offered:
        raise Mistake(replies.NO_AUTHENTICATION)
    words = text.split()
    if not 1 <= len(words) <= 2 or _MECHANISM.match(words[0].upper()) is None:
        raise Mistake(replies.AUTH_SYNTAX)
    return Auth(words[0].upper(), words[1] if len(words) == 2 else None)


def _xclient(text: str, context: Context) -> Xclient:
    _check_proxy("XCLIENT", text, context)
    return Xclient(*parse_xclient(text, context.settings.families))


def _xforward(text: str, context: Context) -> Xforward:
    _check_proxy("XFORWARD", text, context)
    return Xforward(parse_xforward(text, context.settings.families))


def _check_proxy(verb: str, text: str, context: Context) -> None:
    """Only authorised clients hear more than that."""
    if text and verb not in context.extensions:
        raise Mistake(replies.NOT_AUTHORIZED)


Parsed = (
    Helo | Ehlo | Mail | Rcpt | Data | Bdat | Rset | Noop | Help | Vrfy | Etrn | StartTls | Auth
    | Xclient | Xforward | Quit
)  # fmt: skip
Parser = Callable[[str, Context], Parsed]

PARSERS: dict[str, tuple[type[Parsed], Parser]] = {
    "HELO": (Helo, _helo),
    "EHLO": (Ehlo, _ehlo),
    "MAIL": (Mail, _mail),
    "RCPT": (Rcpt, _rcpt),
    "DATA": (Data, _data),
    "BDAT": (Bdat, lambda text, _context: parse_chunk(text)),
    "RSET": (Rset, _rset),
    "NOOP": (Noop, lambda _text, _context: Noop()),  # RFC 5321 4.1.1.9: its argument is ignored
    "HELP": (Help, lambda _text, _context: Help()),
    "VRFY": (Vrfy, _vrfy),
    "ETRN": (Etrn, _etrn),
    "STARTTLS": (StartTls, _starttls),
    "AUTH": (Auth, _auth),
    "XCLIENT": (Xclient, _xclient),
    "XFORWARD": (Xforward, _xforward),
    "QUIT": (Quit, lambda _text, _context: Quit()),  # "QUIT x" is taken, as Postfix does
}
