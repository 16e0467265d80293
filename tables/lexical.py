"""lexical - RFC 5322 tokens of addresses and address lists, as lenient as Postfix.

SUMMARY      tokens(text) -> Token, ...; internal_items(text) -> the addresses of a list, unquoted
RULES        comments are dropped; `gap` says that blanks or a comment stood before a token
             an atom may hold dots and quoted-pairs (RFC 5322 4.1)
             in a list a missing comma is put between words side by side, of "Joe <joe@x>"
             and "group: a, b;" only the addresses remain
ERRORS       AddressSyntaxError
SOURCE       RFC 5322 3.2, 3.4, 4.4; Postfix tok822(3)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tables.errors import AddressSyntaxError


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is atom, quoted, literal or separator; the text of an atom or quoted is unquoted."""

    kind: str
    text: str
    gap: bool = False

    def is_separator(self, text: str) -> bool:
        """True for this separator character."""
        return self.kind == "separator" and self.text == text


_TOKEN = re.compile(
    r"""(?P<blank>[ \t]+)
      | "(?P<quoted>(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*)"
      | (?P<literal>\[[^\[\]\\\x00-\x20\x7f]*\])
      | (?P<separator>[@,:;<>])
      | (?P<atom>(?:[^\x00-\x20\x7f()<>@,;:\\"\[\]]|\\[^\x00-\x1f\x7f])+)
    """,
    re.VERBOSE,
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


def tokens(text: str, *, comments: bool = True) -> list[Token]:
    """The tokens of one address or of a list. Without `comments` there must be none."""
    found: list[Token] = []
    place, gap = 0, False
    while place < len(text):
        if text[place] == "(" and comments:
            gap, place = True, comment_end(text, place)
            if not place:
                raise AddressSyntaxError('The closing ")" of a comment is missing.')
            continue
        match = _TOKEN.match(text, place)
        if match is None:
            raise AddressSyntaxError(_what_is_wrong(text[place]))
        kind, place = str(match.lastgroup), match.end()
        if kind == "blank":
            gap = True
            continue
        content = match[kind]
        if kind in ("atom", "quoted"):
            content = _QUOTED_PAIR.sub(r"\1", content)
        found.append(Token(kind, content, gap))
        gap = False
    return found


def may_be_apart(left: Token, right: Token) -> bool:
    """RFC 5322 4.4: blanks may stand around the dots and the @ of an obsolete address."""
    if "separator" in (left.kind, right.kind):
        return True
    return left.text.endswith(".") or right.text.startswith(".")


_OPERATORS = ".%!|"  # beside those that are separators

# anything that makes a list more than plain words and commas
_SPECIAL = re.compile(r'[()<>;:\\"\[\]\x00-\x1f\x7f]')


def internal_items(text: str) -> list[str]:
    """The members of an address list, each unquoted; an alias's |command and /file too."""
    if not _SPECIAL.search(text):  # the usual case, at a fifth of the cost
        plain = [stripped for part in text.split(",") if (stripped := part.strip(" "))]
        if not any(" " in item for item in plain):
            return plain
    items: list[str] = []
    for part in _split_at_commas(tokens(text)):
        part = _address_of(part)
        item = ""
        for number, token in enumerate(part):
            if number and not _belongs(part[number - 1], token):
                items.append(item)
                item = ""
            item += token.text
        if item:
            items.append(item)
    return items


def _belongs(left: Token, right: Token) -> bool:
    """One address goes on: words in a row are two, unless an operator of Postfix is between."""
    if right.gap or "separator" in (left.kind, right.kind):
        return may_be_apart(left, right)
    return (left.kind == "atom" and left.text[-1] in _OPERATORS) or (
        right.kind == "atom" and right.text[0] in _OPERATORS
    )


def _split_at_commas(found: list[Token]) -> list[list[Token]]:
    """The members between commas; "name: a, b;" gives a and b."""
    parts: list[list[Token]] = [[]]
    for number, token in enumerate(found):
        if token.is_separator(",") or token.is_separator(";"):
            parts.append([])
        elif token.is_separator(":") and _opens_group(found, number):
            parts[-1] = []
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def _opens_group(found: list[Token], colon: int) -> bool:
    """Is this the colon of "name: a, b;"? Not that of :include:, and a ";" must follow."""
    words_before = colon > 0 and found[colon - 1].kind in ("atom", "quoted")
    return words_before and any(token.is_separator(";") for token in found[colon:])


def _address_of(part: list[Token]) -> list[Token]:
    """What is inside the angle brackets, when there are any, without a source route."""
    opening = [n for n, token in enumerate(part) if token.is_separator("<")]
    closing = [n for n, token in enumerate(part) if token.is_separator(">")]
    if not opening and not closing:
        return part
    if len(opening) != 1 or len(closing) != 1 or closing[0] < opening[0]:
        raise AddressSyntaxError('"<" and ">" do not belong together.')
    inside = part[opening[0] + 1 : closing[0]]
    return inside[route_length(inside) :]


def route_length(found: list[Token]) -> int:
    """How many tokens a leading source route "@a,@b:" has. RFC 5321 appendix C."""
    if not found or not found[0].is_separator("@"):
        return 0
    return next((n + 1 for n, token in enumerate(found) if token.is_separator(":")), 0)


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


def comment_end(text: str, place: int) -> int:
    """Index after the comment that begins at `place`, or 0; comments nest. RFC 5322 3.2.2."""
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
    return 0
