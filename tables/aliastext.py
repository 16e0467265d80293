"""aliastext - one line of an alias file, token by token, as postalias(1) reads and rewrites it.

SUMMARY      split_alias("\\"joe smith\\": a, b") -> ("joe smith", "a, b"); raises EntryError
RULES        the name ends at the first colon outside quotes and comments and comes back unquoted
             the value comes back in one spelling: ", " between members, one blank between words,
             backslashes taken away, quotes where they are needed, comments kept
             a quote or bracket that is not closed runs to the end of the line
SOURCE       aliases(5); Postfix postalias.c, tok822(3)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tables.errors import EntryError
from tables.lexical import comment_end

_OPERATORS = '|%!()<>@,;:\\".[]'  # RFC 822 specials, and those that mail has besides
_BLANKS = " \t\r\n"


@dataclass(frozen=True, slots=True)
class _Token:
    """`kind` is atom, quoted, literal, comment or operator; atom, quoted, literal are unescaped."""

    kind: str
    text: str

    @property
    def is_operator(self) -> bool:
        return self.kind == "operator"


def split_alias(line: str) -> tuple[str, str]:
    """(name, value) of one logical line."""
    tokens = _scan(line)
    colon = next((n for n, token in enumerate(tokens) if token == _Token("operator", ":")), 0)
    name, value = tokens[:colon], tokens[colon + 1 :]
    if not name or not value or any(token.text == "," and token.is_operator for token in name):
        raise EntryError("need name:value pair")
    if any(token.is_operator and token.text == "@" for token in name):
        raise EntryError("name must be local")
    return _print(name, _internal), _print(value, _external)


def _scan(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    while place < len(text):
        character = text[place]
        if character in _BLANKS:
            place += 1
        elif character == "(":
            end = comment_end(text, place) or len(text)
            tokens.append(_Token("comment", text[place:end]))
            place = end
        elif character in '["':
            closing = "]" if character == "[" else '"'
            content, place = _collect(text, place + 1, closing)
            tokens.append(_Token("literal" if character == "[" else "quoted", content))
            place += 1
        elif character != "\\" and character in _OPERATORS:
            tokens.append(_Token("operator", character))
            place += 1
        else:
            content, place = _collect(text, place, _OPERATORS + _BLANKS)
            special = any(each in _OPERATORS or each <= " " for each in content)
            tokens.append(_Token("quoted" if special else "atom", content))
    return tokens


def _collect(text: str, place: int, stop: str) -> tuple[str, int]:
    """(text up to one of `stop`, its index); a backslash takes the next character as it is."""
    content: list[str] = []
    while place < len(text):
        character = text[place]
        if character == "\\":
            place += 1
            if place >= len(text):
                break
            character = text[place]
        elif character in stop:
            break
        content.append(character)
        place += 1
    return "".join(content), place


def _internal(token: _Token) -> str:
    return f"[{token.text}]" if token.kind == "literal" else token.text


def _external(token: _Token) -> str:
    if token.kind == "quoted":
        escaped = token.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return _internal(token)


def _print(tokens: list[_Token], write: Callable[[_Token], str]) -> str:
    parts: list[str] = []
    for number, token in enumerate(tokens):
        parts.append(write(token))
        if number + 1 < len(tokens) and _stand_apart(token, tokens[number + 1]):
            parts.append(" ")
    return "".join(parts)


def _stand_apart(left: _Token, right: _Token) -> bool:
    if right == _Token("operator", "<") or left == _Token("operator", ","):
        return True
    return not left.is_operator and not right.is_operator
