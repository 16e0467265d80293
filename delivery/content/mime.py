"""mime - where the parts of a message begin: header sections, bodies, boundaries.

SUMMARY      Structure follows a message: read_header() for each MIME header, end_of_headers(),
             at_boundary() for lines that may be boundaries; .section says where it is
RULES        message/rfc822 and message/global bodies begin with headers of their own; parts of a
             multipart/digest are messages where they do not say what they are
             an outer boundary ends the parts inside; what follows a boundary on its line is ignored
             several boundary parameters in one header all count
             beyond mime_nesting_limit boundaries are not followed any more, and that is a problem
             a boundary is told apart by its first mime_boundary_length_limit octets
NOT DONE     RFC 2231 continuations of boundary parameters; headers inside encoded messages
SOURCE       RFC 2045 5, 6; RFC 2046 5; Postfix mime_state(3), header_token(3)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

_TEXT, _DIGEST_PART = ("text", "plain"), ("message", "rfc822")
_WITH_HEADERS = frozenset({"rfc822", "global"})
_DOMAINS = {
    "7bit": "7bit",
    "8bit": "8bit",
    "binary": "binary",
    "base64": "7bit",
    "quoted-printable": "7bit",
}
_LEXICAL = re.compile(
    r"""[ \t\r\n]+
    |(?P<comment>\()
    |(?P<quoted>"(?P<inner>(?:[^"\\]|\\.)*)(?:"|\\?\Z))
    |(?P<special>[\x00-\x1f\x7f()<>@,;:\\"/\[\]?=])
    |(?P<token>[^ \t\r\n\x00-\x1f\x7f()<>@,;:\\"/\[\]?=]+)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_SIGN = re.compile(r"[()]|\\.", re.DOTALL)


class Section(Enum):
    """Where the next line belongs."""

    PRIMARY = "primary"  # headers of the message
    PART = "part"  # headers behind a boundary
    NESTED = "nested"  # headers of a message within
    BODY = "body"


HEADER_SECTIONS = frozenset({Section.PRIMARY, Section.PART, Section.NESTED})


@dataclass(frozen=True, slots=True)
class _Boundary:
    text: bytes
    default: tuple[str, str]  # content type of parts that do not say


class Structure:
    """The MIME state of one message."""

    __slots__ = (
        "_boundary_limit",
        "_domain",
        "_encoding",
        "_nesting_limit",
        "_type",
        "boundaries",
        "is_too_deep",
        "section",
    )

    def __init__(self, nesting_limit: int, boundary_limit: int) -> None:
        self.section = Section.PRIMARY
        self.is_too_deep = False
        self._nesting_limit = nesting_limit
        self._boundary_limit = boundary_limit
        self.boundaries: list[_Boundary] = []  # lines of the body that may end a part
        self._reset(_TEXT)

    @property
    def is_7bit(self) -> bool:
        """True when the body at hand says, or does not deny, that it is 7bit text."""
        return self._encoding == "7bit"

    @property
    def has_7bit_domain(self) -> bool:
        """True when what is encoded at hand goes through 7 bits: base64, quoted-printable."""
        return self._domain == "7bit"

    @property
    def is_composite(self) -> bool:
        """True for a multipart or a message within: it is no text itself."""
        return self._type[0] in ("multipart", "message")

    @property
    def wrong_encoding(self) -> str:
        """The encoding, where a composite type must have none (RFC 2045 6.4); '' if all is well."""
        kind, subtype = self._type
        if kind == "message" and subtype in ("partial", "external-body"):
            return "" if self._domain == "7bit" else self._encoding
        if kind == "multipart" or self._type == _DIGEST_PART:
            return "" if self._encoding == self._domain else self._encoding
        return ""

    def read_header(self, name: str, value: str) -> None:
        """A content-type or content-transfer-encoding header; others are none of its business."""
        if name == "content-type":
            self._read_type(value)
        elif name == "content-transfer-encoding":
            for kind, text in _tokens(value):
                if kind == "token" and text.lower() in _DOMAINS:
                    self._encoding = text.lower()
                    self._domain = _DOMAINS[self._encoding]
                break

    def end_of_headers(self, *, properly: bool) -> None:
        """`properly`: by an empty line, not by one that is no header."""
        kind, subtype = self._type
        if properly and kind == "message" and subtype in _WITH_HEADERS:
            self._reset(_TEXT)
            self.section = Section.NESTED
            return
        if properly and kind == "multipart":
            self._reset(("", ""))
        self.section = Section.BODY

    def at_boundary(self, line: bytes) -> bool:
        """True when this line of the body, which begins with "--", is a boundary."""
        for place in range(len(self.boundaries) - 1, -1, -1):
            boundary = self.boundaries[place]
            if not line.startswith(boundary.text, 2):
                continue
            del self.boundaries[place + 1 :]
            if line.startswith(b"--", 2 + len(boundary.text)):
                del self.boundaries[place:]
                self._reset(("", ""))
                self.section = Section.BODY
            else:
                self._reset(boundary.default)
                self.section = Section.PART
            return True
        return False

    def _reset(self, content_type: tuple[str, str]) -> None:
        self._type = content_type
        self._encoding = self._domain = "7bit"

    def _read_type(self, value: str) -> None:
        items = _items(value)
        first = next(items, [])
        words = [text.lower() if kind == "token" else "" for kind, text in first[:3]]
        if not words:
            return
        subtype = words[2] if len(words) == 3 and first[1] == ("special", "/") else ""
        self._type = (words[0], subtype)
        if words[0] != "multipart":
            return
        default = _DIGEST_PART if subtype == "digest" else _TEXT
        for item in items:
            if len(item) < 3 or item[1] != ("special", "="):
                continue
            if item[0][0] == "token" and item[0][1].lower() == "boundary":
                if len(self.boundaries) - 1 > self._nesting_limit:
                    self.is_too_deep = True
                else:
                    text = item[2][1].encode("latin-1")[: self._boundary_limit]
                    self.boundaries.append(_Boundary(text, default))


def _items(value: str) -> Iterator[list[tuple[str, str]]]:
    """The parts of a structured value between its semicolons, as tokens."""
    item: list[tuple[str, str]] = []
    for kind, text in _tokens(value):
        if (kind, text) == ("special", ";"):
            yield item
            item = []
        else:
            item.append((kind, text))
    if item:
        yield item


def _tokens(value: str) -> Iterator[tuple[str, str]]:
    """(kind, text): token, quoted (without its quotes) or special; comments are left out."""
    place = 0
    while (match := _LEXICAL.match(value, place)) is not None:
        place = match.end()
        kind = match.lastgroup
        if kind == "comment":
            place = _comment_end(value, match.start())
        elif match["quoted"] is not None:
            inner = re.sub(r"[ \t\r]*\n", "", match["inner"])
            yield "quoted", re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)
        elif kind is not None:
            yield kind, match.group()


def _comment_end(value: str, place: int) -> int:
    level = 0
    for match in _COMMENT_SIGN.finditer(value, place):
        level += {"(": 1, ")": -1}.get(match.group(), 0)
        if level == 0:
            return match.end()
    return len(value)
