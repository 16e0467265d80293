"""addresses - an e-mail address as a value: parse, quote, fold, split the extension.

SUMMARY      text -> Address(local, domain); local part UNQUOTED
FORMS        .internal  unquoted  joe smith@example.com     tables of the engine, agents
             .text      external  "joe smith"@example.com   the wire, headers
RULES        parse_mailbox  what an administrator writes: RFC 5321 Mailbox, with a domain
             parse_path     what a peer writes in MAIL and RCPT: lenient as Postfix is with
                            strict_rfc821_envelopes = no: angle brackets may be absent, a source
                            route is dropped, comments and blanks around tokens are dropped, dots
                            may stand anywhere in the local part, of several @ the last one counts;
                            the domain is as written, what it is worth is found out by resolving
             fold           lower case, domain as A-labels: how two addresses are compared
ERRORS       AddressSyntaxError, its text a sentence for the administrator; nothing else
NOT DONE     display names and groups (RFC 5322 3.4): header rewriting's matter
SOURCE       RFC 5321 4.1.2, RFC 5322 3.4.1, RFC 6531 3.3; Postfix split_addr(3), quote_821_local(3)
"""

from __future__ import annotations

from itertools import pairwise

from tables import domains, lexical
from tables.errors import AddressSyntaxError
from tables.frozen import dataclass

ATEXT = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~"
DOTTED_ATEXT = ATEXT + "."
LOCAL_PART_LIMIT = 64  # octets; RFC 5321 4.5.3.1.1
PATH_LIMIT = 1024  # characters; far above RFC 5321 4.5.3.1.3, below any line limit

DOUBLE_BOUNCE = "double-bounce"  # postconf(5) double_bounce_sender
_NEVER_SPLIT = frozenset({"postmaster", "mailer-daemon"})  # split_addr(3)


@dataclass(frozen=True, slots=True)
class Address:
    """Local part (unquoted) and domain ('' when absent). Address('', '') is the null path.

    An empty domain after an @ is not an absent one: "user@" is Address("user@").
    """

    local: str
    domain: str = ""

    @property
    def text(self) -> str:
        """External form: the local part quoted where RFC 5321 needs it; '' for the null path."""
        if self.domain:
            return f"{quote_local(self.local)}@{self.domain}"
        if self.local[-1:] == "@":
            return f"{quote_local(self.local[:-1])}@"
        return quote_local(self.local) if self.local else ""

    @property
    def internal(self) -> str:
        """Unquoted form: local@domain, or the bare local part."""
        return f"{self.local}@{self.domain}" if self.domain else self.local

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        return self.local != "" or self.domain != ""


NULL = Address("", "")


def quote_local(local: str) -> str:
    """The local part as it must be written: a dot-string as it is, anything else quoted."""
    if local.isalnum() and local.isascii():  # the usual case, found out at once
        return local
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


def parse_path(text: str, *, smtputf8: bool = False, comments: bool = True) -> Address:
    """The path of MAIL FROM or RCPT TO; Address('', '') for "<>".

    Angle brackets may be absent. The domain keeps its case, a final dot and, with SMTPUTF8, its
    U-labels: it is the sender's spelling; routing's rules complete and judge it. A recipient
    without a domain has domain ''. Without `smtputf8`, what is not ASCII (surrogate escapes too) is
    refused; without `comments`, what is in parentheses too.
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
    return _parse_path_slowly(text, smtputf8, comments)


def _parse_path_slowly(text: str, smtputf8: bool, comments: bool) -> Address:
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
    tokens = lexical.tokens(text, comments=comments)
    tokens = tokens[lexical.route_length(tokens) :]
    for left, right in pairwise(tokens):
        if right.gap and not lexical.may_be_apart(left, right):
            raise AddressSyntaxError("There is a space inside the address.")
    for token in tokens:
        if token.kind == "separator" and token.text not in "@:":
            raise AddressSyntaxError(f'"{token.text}" cannot stand inside an address.')
    at = max((n for n, t in enumerate(tokens) if t.is_separator("@")), default=len(tokens))
    local = "".join(token.text for token in tokens[:at])
    domain = "".join(token.text for token in tokens[at + 1 :])
    if not domain and at < len(tokens):
        local += "@"
    if not domain and not local:
        raise AddressSyntaxError("The address has no local part.")
    return Address(local, domain)


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
