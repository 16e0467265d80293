"""addresslist - the value of an address header as tokens, and back into text as Postfix writes it.

SUMMARY      parse(text, limit) -> items: Token and Mailbox, all that was there and in its order
             externalize(items, name) -> the value; lines end after commas, fold() joins them
             plain_addresses(text) -> the addresses of a value so simple that no parse is needed
             are_complete(text): they are that simple, and each has a full domain
FORM         text is str of one character per octet (latin-1), folded lines joined by newlines
RULES        nothing that is not understood is lost; missing commas between addresses are added;
             a comment inside an address moves behind it; phrases and groups are no addresses;
             "%", "!" and "|" are operators like "@" and "."
             when more than 250 characters stand around an address, the address alone is written
NOT DONE     dots in phrases stand alone: "Joe Q. Public" is written "Joe Q.Public", as by Postfix
SOURCE       RFC 5322 3.4, 4.4; Postfix tok822(3), quote_822_local(3), cleanup_fold_header
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tables.addresses import Address, quote_local

LINE_LENGTH = 70  # characters of a folded line; RFC 5322 2.1.1 wants less than 78
MOST_AROUND = 250  # characters beside an address; beyond, old Sendmail overflows (CA-2003-07)

ATOM, QUOTED, LITERAL, COMMENT, GROUP = "atom", "quoted", "literal", "comment", "group"
_WORDS = frozenset({ATOM, QUOTED, LITERAL})
_APART = frozenset({ATOM, QUOTED, LITERAL, COMMENT})  # two of these in a row need a space

_SPACE = re.compile(r"[ \t\r\n]+")
_ATOM_TEXT = re.compile(r'(?:[^ \t\r\n|%!()<>@,;:\\".\[\]]|\\.)*\\?', re.DOTALL)
_QUOTED_TEXT = re.compile(r'(?:[^"\\]|\\.)*\\?', re.DOTALL)
_LITERAL_TEXT = re.compile(r"(?:[^\]\\]|\\.)*\\?", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)|\\\Z", re.DOTALL)
_BLANK = re.compile(r"[\t\r\n]")
_OPERATOR = re.compile(r'[ \x00-\x1f\x7f|%!()<>@,;:\\".\[\]]')
_COMMENT_SIGN = re.compile(r"[()]|\\.", re.DOTALL)
_OPERATORS = frozenset("|%!)<>@,;:.]")

_A = r"[A-Za-z0-9#$&'*+/=?^_`{}~-]++"
_LOCAL = rf"{_A}(?:\.{_A})*"
_LABEL = r"[A-Za-z0-9-]++"
_PLAIN = rf"({_LOCAL})@({_LABEL}(?:\.{_LABEL})*)"
_FULL = rf"{_LOCAL}@{_LABEL}(?:\.{_LABEL})+"


def _simple(address: str) -> str:
    """The pattern of a list's member with or without a phrase, and the comma behind it."""
    phrase = r"(?:[^\"\\()<>,;:\[\]]++|\"[^\"\\]*+\")*+"
    return rf"[ \t\n]*+(?:{address}|{phrase}<{address}>)[ \t\n]*+(?:,|\Z)"


_SIMPLE = re.compile(_simple(_PLAIN))


class Token(NamedTuple):
    """`kind` is one of the words above, or the operator itself; `text` is unquoted."""

    kind: str
    text: str


@dataclass(slots=True)
class Mailbox:
    """An address in the list; `text`, when set, is what it was rewritten to (external form)."""

    tokens: Sequence[Token]
    text: str | None = None


Item = Token | Mailbox


def plain_addresses(text: str) -> list[Address] | None:
    """All addresses of a list of plain ones, with or without phrases; None: it needs a parse."""
    found = []
    place = 0
    while place < len(text):
        match = _SIMPLE.match(text, place)
        if match is None:
            return None
        local, domain, inner_local, inner_domain = match.groups()
        found.append(Address(local or inner_local, domain or inner_domain))
        place = match.end()
    return found


#: something for a list of plain addresses that all have a dot in their domain, and not at its end:
#: such ones stay as they are when addresses are completed (routing/rewrite.py)
are_complete = re.compile(rf"(?:{_simple(_FULL)})*\Z").match


def scan(text: str, limit: int = 0) -> list[Token]:
    """The tokens of a text, at most `limit` of them when that is set."""
    tokens: list[Token] = []
    place = 0
    while place < len(text):
        sign = text[place]
        if sign in " \t\r\n":
            place += 1
            continue
        if sign == "(":
            end = _comment_end(text, place)
            tokens.append(Token(COMMENT, text[place:end]))
        elif sign == '"':
            end = _collect(tokens, QUOTED, _QUOTED_TEXT, text, place + 1) + 1
        elif sign == "[":
            end = _collect(tokens, LITERAL, _LITERAL_TEXT, text, place + 1) + 1
        elif sign in _OPERATORS:
            end = place + 1
            tokens.append(Token(sign, sign))
        else:
            end = _collect(tokens, ATOM, _ATOM_TEXT, text, place)
        place = end
        if limit and len(tokens) >= limit:
            break
    return tokens


def _collect(
    tokens: list[Token], kind: str, pattern: re.Pattern[str], text: str, place: int
) -> int:
    match = pattern.match(text, place)
    assert match is not None  # each pattern matches the empty text too
    found = match.group()
    if "\\" in found:
        found = _ESCAPE.sub(lambda escape: escape[1] or "", found)
    found = _BLANK.sub(" ", found)
    if kind is ATOM and _OPERATOR.search(found):
        kind = QUOTED  # an escaped sign: to be written in quotes
    tokens.append(Token(kind, found))
    return match.end()


def _comment_end(text: str, place: int) -> int:
    """Behind the parenthesis that closes the one at `place`; comments nest."""
    level = 0
    for match in _COMMENT_SIGN.finditer(text, place):
        if match.group() == "(":
            level += 1
        elif match.group() == ")":
            level -= 1
            if level == 0:
                return match.end()
    return len(text)


class _Parser:
    """Works from right to left, like the grammar: a phrase shows itself by what follows it."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.done: list[Item] = []  # from right to left
        self.open: list[Token] = []  # of the address being collected, from right to left
        self.place = len(tokens) - 1

    def run(self) -> list[Item]:
        word_fits = True  # False: another word would be another address
        in_group = False
        while self.place >= 0:
            token = self.tokens[self.place]
            kind = token.kind
            if kind is COMMENT:
                self.done.append(token)
            elif kind == ";":
                self.close(comma=True)
                self.done.append(token)
                in_group = word_fits = True
            elif kind == ":" and in_group:
                self.close()
                self.done.append(Token(GROUP, ":"))
                self.place -= 1
                self.pass_until(",")
                continue
            elif kind == ">":
                self.close(comma=True)
                self.done.append(token)
                self.place -= 1
                self.route()
                word_fits = True
                if not in_group and self.place >= 0 and self.tokens[self.place].kind == ":":
                    self.pass_one()
                continue
            elif kind in _WORDS:
                if not word_fits:
                    self.close(comma=True)
                word_fits = False
                self.open.append(token)
            elif kind == ",":
                self.close()
                self.done.append(token)
                word_fits = True
            else:
                self.open.append(token)
                word_fits = True
            self.place -= 1
        self.close()
        self.done.reverse()
        return self.done

    def route(self) -> None:
        """What stands between "<" and ">", and the phrase before it."""
        while self.place >= 0 and self.tokens[self.place].kind != "<":
            token = self.tokens[self.place]
            if token.kind is COMMENT:
                self.done.append(token)
            else:
                self.open.append(token)
            self.place -= 1
        self.close()
        self.pass_until(">;,:")

    def pass_until(self, stops: str) -> None:
        while self.place >= 0 and self.tokens[self.place].kind not in stops:
            self.pass_one()

    def pass_one(self) -> None:
        self.done.append(self.tokens[self.place])
        self.place -= 1

    def close(self, *, comma: bool = False) -> None:
        """What was collected is an address."""
        if not self.open:
            return
        self.done.append(Mailbox(self.open[::-1]))
        self.open.clear()
        if comma:
            self.done.append(Token(",", ","))


def parse(text: str, limit: int = 0) -> list[Item]:
    """The items of a header's value."""
    return _Parser(scan(text, limit)).run()


def internal_text(tokens: Iterable[Token]) -> str:
    """Tokens of one address, without quotes."""
    return "".join(f"[{text}]" if kind is LITERAL else text for kind, text in tokens)


def external_text(tokens: Iterable[Token]) -> str:
    """Tokens of one address, each quoted as it needs."""
    return "".join(map(_external_token, tokens))


def external_address(local: str, domain: str, *, at: bool = True) -> str:
    """local@domain, quoted as Postfix quotes it in headers."""
    return f"{quote_local(local)}@{domain}" if at else quote_local(local)


def _external_token(token: Token) -> str:
    kind, text = token
    if kind is QUOTED:
        return '"' + re.sub(r'(["\\\r\n])', r"\\\1", text) + '"'
    if kind is LITERAL:
        return "[" + re.sub(r"([\\\r\n])", r"\\\1", text) + "]"
    return text


def address_text(mailbox: Mailbox) -> str:
    """An address as it is written, rewritten or not."""
    if mailbox.text is not None:
        return mailbox.text
    text = internal_text(mailbox.tokens)
    route = ""
    if text.startswith("@") and ":" in text:
        before, _, text = text.partition(":")
        route = f"{before}:"
    local, at, domain = text.rpartition("@")
    return route + (external_address(local, domain) if at else external_address(text, "", at=False))


def externalize(items: Sequence[Item], start: str = "") -> str:
    """The text of all items after `start`; each comma ends a line."""
    done = ""
    expression = _Expression(start)
    for place, item in enumerate(items):
        following = items[place + 1] if place + 1 < len(items) else None
        if isinstance(item, Mailbox):
            expression.add_address(address_text(item))
        elif item.kind == ",":
            done += expression.text() + ",\n"
            expression = _Expression("")
            continue
        elif item.kind == "<" and following is not None and _kind(following) == ">":
            expression.add_address("")
            expression.parts.append("<")
        else:
            expression.parts.append(_external_token(item))
        if _needs_space(item, following):
            expression.parts.append(" ")
    return done + expression.text()


class _Expression:
    """What stands between two commas."""

    def __init__(self, start: str) -> None:
        self.start = start
        self.parts: list[str] = []
        self.address: str | None = None

    def add_address(self, text: str) -> None:
        self.address = text
        self.parts.append(text)

    def text(self) -> str:
        """With everything around the address, unless that is too much."""
        text = "".join(self.parts)
        if self.address is not None and len(text) - len(self.address) > MOST_AROUND:
            text = f"<{self.address}>"
        return self.start + text


def _kind(item: Item) -> str:
    return ATOM if isinstance(item, Mailbox) else item.kind


def _needs_space(item: Item, following: Item | None) -> bool:
    if following is None:
        return False
    kind, next_kind = _kind(item), _kind(following)
    return kind is GROUP or next_kind == "<" or (kind in _APART and next_kind in _APART)


def fold(text: str) -> str:
    """Lines joined as long as they stay short; further ones begin with a tab."""
    first, *lines = text.split("\n")
    folded = [first]
    for line in lines:
        if len(folded[-1]) + 1 + len(line) < LINE_LENGTH:
            folded[-1] += " " + line
        else:
            folded.append(line)
    return "\n".join(
        line if not place or line[:1] in (" ", "\t") else "\t" + line
        for place, line in enumerate(folded)
    )
