"""addresses - an e-mail address as a value: parse, quote, fold, split the extension.

SUMMARY      text -> Address(local, domain); local part UNQUOTED, domain without its final dot
FORMS        .internal  unquoted  joe smith@example.com     tables of the engine, agents
             .text      external  "joe smith"@example.com   the wire, headers
RULES        parse_mailbox  what an administrator writes: RFC 5321 Mailbox, with a domain
             parse_path     what a peer writes in MAIL and RCPT: lenient as Postfix is with
                            strict_rfc821_envelopes = no: angle brackets may be absent, a source
                            route is dropped, comments and blanks around tokens are dropped, dots
                            may stand anywhere in the local part, of several @ the last one counts
             fold           lower case, domain as A-labels: how two addresses are compared
ERRORS       AddressSyntaxError, its text a sentence for the administrator; nothing else
NOT DONE     display names and groups (RFC 5322 3.4): header rewriting's matter
SOURCE       RFC 5321 4.1.2, RFC 5322 3.4.1, RFC 6531 3.3; Postfix split_addr(3), quote_821_local(3)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tables import domains
from tables.errors import AddressSyntaxError

ATEXT = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~"
DOTTED_ATEXT = ATEXT + "."
LOCAL_PART_LIMIT = 64  # octets; RFC 5321 4.5.3.1.1
PATH_LIMIT = 1024  # characters; far above RFC 5321 4.5.3.1.3, below any line limit

DOUBLE_BOUNCE = "double-bounce"  # postconf(5) double_bounce_sender
_NEVER_SPLIT = frozenset({"postmaster", "mailer-daemon"})  # split_addr(3)


@dataclass(frozen=True, slots=True)
class Address:
    """Local part (unquoted) and domain ('' when absent). Address('', '') is the null path."""

    local: str
    domain: str = ""

    @property
    def text(self) -> str:
        """External form: the local part quoted where RFC 5321 needs it; '' for the null path."""
        if not self.domain:
            return quote_local(self.local) if self.local else ""
        return f"{quote_local(self.local)}@{self.domain}"

    @property
    def internal(self) -> str:
        """Unquoted form: local@domain, or the bare local part."""
        return f"{self.local}@{self.domain}" if self.domain else self.local

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        return bool(self.local or self.domain)


NULL = Address("", "")


def quote_local(local: str) -> str:
    """The local part as it must be written: a dot-string as it is, anything else quoted."""
    if (
        local
        and (not local.strip(DOTTED_ATEXT) or not _plain(local).strip(DOTTED_ATEXT))
        and local[0] != "."
        and local[-1] != "."
        and ".." not in local
    ):
        return local
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def fold(address: Address) -> Address:
    """The form for comparing and for keys: all lower case, the domain as A-labels."""
    local, domain = address.local.lower(), address.domain
    domain = domain.lower() if domain.isascii() else domains.to_ascii(domain)
    if local == address.local and domain == address.domain:
        return address
    return Address(local, domain)


def split_extension(
    local: str, delimiter: str, *, double_bounce: str = DOUBLE_BOUNCE
) -> tuple[str, str | None]:
    """(user, extension) of a local part; the extension is None when there is none to split off.

    `delimiter` is recipient_delimiter: any one of its characters splits, the first one
    in the text counts. The delimiter itself is local[len(user)]. Source: split_addr(3).
    """
    if not delimiter:
        return local, None
    folded = local.lower()
    if folded in _NEVER_SPLIT or folded == double_bounce.lower():
        return local, None
    # postconf(5) owner_request_special: list addresses survive a "-" delimiter
    if "-" in delimiter and (
        folded.startswith("owner-") or (len(folded) > 8 and folded.endswith("-request"))
    ):
        return local, None
    places = [place for place in map(local.find, delimiter) if place >= 0]
    if not places or (cut := min(places)) == 0:  # never an empty user
        return local, None
    return local[:cut], local[cut + 1 :]


def parse_mailbox(text: str) -> Address:
    """Mailbox as an administrator writes it; the domain comes back lower case, as A-labels.

    Raises AddressSyntaxError with a plain sentence. RFC 5321 4.1.2 Mailbox, RFC 6531 3.3.
    """
    if not text or text != text.strip():
        raise AddressSyntaxError("Write user@example.com, without spaces around it.")
    if len(text) > PATH_LIMIT:
        raise AddressSyntaxError("This address is too long.")
    if text[0] == '"':
        local, rest = _read_quoted(text, 0)
        if rest >= len(text) or text[rest] != "@":
            raise AddressSyntaxError('After the quoted part an "@" and a domain must follow.')
        domain = text[rest + 1 :]
    else:
        local, at, domain = text.partition("@")
        if not at:
            raise AddressSyntaxError(f'There is no "@" in {text!r}: write user@example.com.')
        _check_dot_string(local)
    if not local:
        raise AddressSyntaxError(f'There is nothing before the "@" in {text!r}.')
    if len(local.encode("utf-8", "surrogateescape")) > LOCAL_PART_LIMIT:
        raise AddressSyntaxError(
            f'The part before the "@" is longer than {LOCAL_PART_LIMIT} characters.'
        )
    if domains.is_address_literal(domain):
        return Address(local, domains.parse_literal(domain).text)
    return Address(local, domains.parse_domain(domain))


def parse_path(text: str, *, smtputf8: bool = False) -> Address:
    """The path of MAIL FROM or RCPT TO; Address('', '') for "<>".

    Angle brackets may be absent. The domain keeps its case and, with SMTPUTF8, its U-labels: it is
    the sender's spelling and goes on to the next hop; use fold() to compare. A recipient without a
    domain has domain ''. Without `smtputf8`, what is not ASCII (surrogate escapes too) is refused.
    """
    inner = text[1:-1] if text[:1] == "<" and text[-1:] == ">" else text
    local, at, domain = inner.rpartition("@")
    # The common case, plain characters only: strip(set) == "" means that all are in the set.
    if at and local and not local.strip(DOTTED_ATEXT) and domains.is_plain_host(domain):
        return Address(local, domain)
    if not inner:
        if text == "<>":
            return NULL
        raise AddressSyntaxError("An address is missing.")
    return _parse_path_slowly(text, smtputf8)


def _parse_path_slowly(text: str, smtputf8: bool) -> Address:
    if len(text) > PATH_LIMIT:
        raise AddressSyntaxError("The address is too long.")
    if not text.isascii():
        if not smtputf8:
            raise AddressSyntaxError("A non-ASCII address needs SMTPUTF8.")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise AddressSyntaxError("The address is not valid UTF-8.")
    text = text.strip(" \t")
    if text.startswith("<"):
        if not text.endswith(">"):
            raise AddressSyntaxError('The closing ">" is missing.')
        text = text[1:-1].strip(" \t")
    elif text.endswith(">"):
        raise AddressSyntaxError('The opening "<" is missing.')
    if not text:
        return NULL
    tokens = _tokens(text)
    tokens = tokens[_route_length(tokens) :]
    at = max((n for n, token in enumerate(tokens) if token == _AT), default=len(tokens))
    local = "".join(token.text for token in tokens[:at])
    if not local:
        raise AddressSyntaxError("The address has no local part.")
    if any(token.kind == "separator" and token != _AT for token in tokens):
        raise AddressSyntaxError('"," or ":" cannot stand inside an address.')
    if at == len(tokens):
        return Address(local, "")
    if any(token.kind == "quoted" for token in tokens[at + 1 :]):
        raise AddressSyntaxError("A domain cannot be quoted.")
    return Address(local, _path_domain("".join(token.text for token in tokens[at + 1 :])))


def _path_domain(domain: str) -> str:
    """A peer's domain, spelling kept, without its final dot."""
    if domains.is_address_literal(domain):
        domains.parse_literal(domain)
        return domain
    if domain.endswith("."):
        domain = domain[:-1]
    if domains.is_plain_host(domain):
        return domain
    domains.parse_domain(domain, literal_underscore=True)
    return domain


# One lexical token of a path: blank, quoted string, [literal], separator, atom with dots. An atom
# may hold quoted-pairs (RFC 5322 4.1 obs-local-part; Postfix's tok822 takes them too).
_TOKEN = re.compile(
    r"""(?P<blank>[ \t]+)
      | "(?P<quoted>(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*)"
      | (?P<literal>\[[^\[\]\\\x00-\x20\x7f]*\])
      | (?P<separator>[@,:])
      | (?P<atom>(?:[^\x00-\x20\x7f()<>@,;:\\"\[\]]|\\[^\x00-\x1f\x7f])+)
    """,
    re.VERBOSE,
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Token:
    """`kind` is quoted, literal, separator or atom; `text` is unquoted."""

    kind: str
    text: str


def _tokens(text: str) -> list[_Token]:
    """The tokens of a path, without comments and blanks; a blank inside an atom is an error."""
    tokens: list[_Token] = []
    place, gap = 0, False
    while place < len(text):
        if text[place] == "(":
            gap, place = True, _skip_comment(text, place)
            continue
        match = _TOKEN.match(text, place)
        if match is None:
            raise AddressSyntaxError(_what_is_wrong(text[place]))
        kind, place = str(match.lastgroup), match.end()
        if kind == "blank":
            gap = True
            continue
        token = _Token(kind, match[kind])
        if kind in ("atom", "quoted"):
            token = _Token(kind, _QUOTED_PAIR.sub(r"\1", token.text))
        if gap and tokens and not _may_be_apart(tokens[-1], token):
            raise AddressSyntaxError("There is a space inside the address.")
        tokens.append(token)
        gap = False
    return tokens


def _may_be_apart(left: _Token, right: _Token) -> bool:
    """RFC 5322 4.4: blanks may stand around the dots and the @ of an obsolete address."""
    if "separator" in (left.kind, right.kind):
        return True
    return left.text.endswith(".") or right.text.startswith(".")


def _what_is_wrong(character: str) -> str:
    match character:
        case '"':
            return "The closing quote is missing, or a control character is inside the quotes."
        case "[":
            return 'The closing "]" is missing.'
        case "\\":
            return "The address ends in a backslash."
        case _:
            return f"The character {character!r} cannot stand there in an address."


_AT = _Token("separator", "@")
_COLON = _Token("separator", ":")


def _route_length(tokens: list[_Token]) -> int:
    """How many tokens a leading source route "@a,@b:" has; it is dropped. RFC 5321 appendix C."""
    if not tokens or tokens[0] != _AT or _COLON not in tokens:
        return 0
    return tokens.index(_COLON) + 1


def _skip_comment(text: str, place: int) -> int:
    """Index after the comment that begins at `place`; comments nest (RFC 5322 3.2.2)."""
    depth = 0
    while place < len(text):
        character = text[place]
        if character == "\\":
            place += 1
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                return place + 1
        place += 1
    raise AddressSyntaxError('The closing ")" of a comment is missing.')


def _read_quoted(text: str, place: int) -> tuple[str, int]:
    """(content, index after the closing quote) of the quoted string at `place`. RFC 5321 4.1.2."""
    content: list[str] = []
    place += 1
    while place < len(text):
        character = text[place]
        if character == '"':
            return "".join(content), place + 1
        if character == "\\":
            place += 1
            if place >= len(text):
                break
            character = text[place]
        if character < " " or character == "\x7f":
            raise AddressSyntaxError("A control character cannot be part of an address.")
        content.append(character)
        place += 1
    raise AddressSyntaxError("The closing quote is missing.")


def _plain(local: str) -> str:
    """The local part without its non-ASCII characters, which need no quotes (RFC 6531 3.3)."""
    return local if local.isascii() else local.encode("ascii", "ignore").decode("ascii")


def _check_dot_string(local: str) -> None:
    """Refuse what is not a Dot-string (RFC 5321 4.1.2, extended by RFC 6531 3.3)."""
    if wrong := _plain(local).strip(DOTTED_ATEXT):
        raise AddressSyntaxError(
            f'The character {wrong[0]!r} needs quotes before the "@": "{local}"@...'
        )
    if not local.isprintable():
        raise AddressSyntaxError("A control character cannot be part of an address.")
    if local.startswith(".") or local.endswith(".") or ".." in local:
        raise AddressSyntaxError(
            'Before the "@" a dot cannot be first or last, and two cannot follow each other.'
        )
