"""grammar - the small languages inside SMTP commands: words, paths, xtext.

SUMMARY      split_words (arguments), parse_path (MAIL, RCPT, VRFY), xtext_decode, xtext_encode,
             neuter
RULES        words are cut as Postfix cuts them: <...> nests and holds blanks, "..." holds anything,
             a backslash holds the next character; "FROM:" and "TO:" are words of their own paths:
             tables.addresses.parse_path, and what Postfix also takes: see parse_path below
ERRORS       AddressSyntaxError from parse_path; ValueError from xtext_decode; None from split_words
SOURCE       RFC 5321 4.1.2, RFC 3461 4 (xtext), RFC 6533 3; Postfix smtpd_token.c, tok822_parse.c
"""

from __future__ import annotations

import re

from delivery.smtp.settings import ServerSettings
from tables.addresses import Address
from tables.addresses import parse_path as parse_peer_path
from tables.errors import AddressSyntaxError

_BLANKS = " \t\r\n\v\f"
_HOLDS = frozenset('<"\\')


def split_words(text: str) -> list[str] | None:
    """The words of a command's arguments; None when a "<" or a quote is never closed."""
    if not _HOLDS.intersection(text) and ":" not in text:
        return text.split()
    words: list[str] = []
    word = ""
    place = 0
    while place < len(text):
        character = text[place]
        if character in '<"':
            end = _end_of_quoted(text, place)
            if end is None:
                return None
            word += text[place:end]
            place = end
            continue
        place += 1
        if character in _BLANKS:
            if word:
                words.append(word)
            word = ""
            continue
        word += character
        if character == "\\":
            word += text[place : place + 1]
            place += 1
        elif character == ":" and word.lower() in ("from:", "to:"):
            words.append(word)
            word = ""
    if word:
        words.append(word)
    return words


def _end_of_quoted(text: str, place: int) -> int | None:
    """Index after the closing character of the <...> or "..." that begins at `place`."""
    closing = [">" if text[place] == "<" else '"']
    place += 1
    while place < len(text):
        character = text[place]
        if character == "\\":
            place += 1
        elif character == closing[-1]:
            closing.pop()
            if not closing:
                return place + 1
        elif character == '"':  # quotes bind more than brackets
            closing.append('"')
        elif character == "<" and closing[-1] == ">":
            closing.append(">")
        place += 1
    return None


def parse_path(text: str, settings: ServerSettings, *, smtputf8: bool) -> Address:
    """The address in MAIL, RCPT or VRFY, with Postfix's tolerance; Address('', '') for "<>".

    Beyond tables.addresses.parse_path: <<joe>> and joe>; a non-ASCII local part without SMTPUTF8,
    unless strict_smtputf8 (the domain must be ASCII then). With strict_rfc821_envelopes angle
    brackets and a local part are needed, and there may be no comments. Raises AddressSyntaxError.
    """
    is_strict = settings.strict_rfc821_envelopes
    if is_strict and text[:1] != "<":
        raise AddressSyntaxError("The angle brackets are missing.")
    while text[:2] == "<<" and text[-2:] == ">>":
        text = text[1:-1]
    if text[:1] != "<" and not is_strict:
        text = text.removesuffix(">")
    is_tolerant = not smtputf8 and not settings.strict_smtputf8
    address = parse_peer_path(text, smtputf8=smtputf8 or is_tolerant, comments=not is_strict)
    if is_tolerant and not address.domain.isascii():
        raise AddressSyntaxError("A non-ASCII domain needs SMTPUTF8.")
    if is_strict and address and not address.local:
        raise AddressSyntaxError("The address has no local part.")
    return address


_NEUTERED = re.compile(r"[^!-~]|[<>()\\\";@]")


def neuter(name: str) -> str:
    """A HELO name that cannot be mistaken for header syntax: what Postfix keeps as helo_name."""
    return _NEUTERED.sub("?", name)
