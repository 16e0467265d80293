"""plain - entries in plain form, nearly all of a large table, which need no parser.

SUMMARY      PLAIN_ADDRESS, PLAIN_VALUES for one text; are_plain(kind, keys, values) for many
RULES        an address here is in the form in which it is stored: every parser gives it back as it
             is. What is not plain is not wrong, it is read by the parser (entries.py).
             A block is matched as one text by RE2, in time linear in its length: a tenth of what
             one match an entry costs.
NOT DONE     other forms than addresses
SOURCE       test_plain.py proves it against the parsers
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import re2

# Bounded so that a local part has at most 64 characters, a label 63. RFC 5321 4.5.3.1, 1035 2.3.4
_LABEL = r"[a-z0-9](?:-?[a-z0-9]){0,30}"
_ADDRESS = (
    rf"[a-z0-9_+=]{{1,16}}(?:[.-][a-z0-9_+=]{{1,16}}){{0,2}}@(?:{_LABEL}\.){{1,4}}[a-z]{{2,8}}"
)
_LIST = rf"{_ADDRESS}(?:, ?{_ADDRESS})*"

PLAIN_ADDRESS = re.compile(_ADDRESS)
PLAIN_LIST = re.compile(_LIST)
# Of each kind with long tables of addresses on both sides, the form of the values.
_VALUES = {
    "aliases": _LIST,
    "bcc": _ADDRESS,
    "canonical": _ADDRESS,
    "generic": _ADDRESS,
    "virtual": _LIST,
}
_PATTERNS = {_ADDRESS: PLAIN_ADDRESS, _LIST: PLAIN_LIST}
PLAIN_VALUES = {kind: _PATTERNS[form] for kind, form in _VALUES.items()}
ADDRESS_KEYS = frozenset(
    {"access", "bcc", "canonical", "generic", "recipients", "relocated", "transport", "virtual"}
)


def _lines(form: str) -> re2._Regexp:
    options = re2.Options()
    options.never_capture = True
    options.max_mem = 64 * 1024 * 1024  # bytes at most, for states that were met
    return re2.compile(rf"(?:{form}\n)*".encode(), options)


_ADDRESS_LINES = _lines(_ADDRESS)
_VALUE_LINES = {_ADDRESS: _ADDRESS_LINES, _LIST: _lines(_LIST)}


def are_plain(kind: str, keys: Sequence[bytes], values: Sequence[bytes]) -> bool:
    """True when every key is a plain address and every value plain for this kind; in UTF-8."""
    if kind not in ADDRESS_KEYS or kind not in _VALUES:
        return False
    return _are_of(_ADDRESS_LINES, keys) and _are_of(_VALUE_LINES[_VALUES[kind]], values)


def _are_of(lines: re2._Regexp, texts: Sequence[bytes]) -> bool:
    text = b"\n".join(texts) + b"\n"
    # A text with a line break in it would pass for two.
    return text.count(b"\n") == len(texts) and lines.fullmatch(text) is not None
