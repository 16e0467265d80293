"""heading - what becomes of the headers of one message: kept, changed, added to or left out.

SUMMARY      Heading(treatment, checker, structure, out, completion): .counts_alone(prologue),
             .walk(text, place, end), .take(text), .complete() write to `out`
             .says_8bit, .has_utf8_headers: what was seen in them
RULES        "Name :" becomes "Name:"; what is beyond header_size_limit is cut off
             `structure` is told of a header as it came; then it is checked, rewritten at last
             hopcount_limit Received headers, those of the prologue too, are a loop
             headers that nobody asks about go through in slices
ERRORS       none raised: what is wrong is told to `checker`
SOURCE       RFC 5322 2.2; Postfix cleanup(8), mime_state(3)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from delivery.content.checks import Checker
from delivery.content.headers import Header, name_length
from delivery.content.mime import Section, Structure
from delivery.content.treatment import Treatment
from delivery.content.weights import NAME, NOTE, NOTHING
from tables.errors import TableUnavailable

CRLF = b"\r\n"
_ENCODED = "content-transfer-encoding"
_8BIT_HEADER = "5.6.0 improper use of 8-bit data in message header"


class Heading:
    """Of one message, the headers of its parts too."""

    __slots__ = (
        "_checker",
        "_completion",
        "_follows_mime",
        "_hops",
        "_is_strict",
        "_limits",
        "_out",
        "_rewriter",
        "_seen",
        "_structure",
        "_weights",
        "has_utf8_headers",
        "says_8bit",
    )

    def __init__(
        self,
        treatment: Treatment,
        checker: Checker,
        structure: Structure,
        out: list[bytes],
        completion: Callable[[Collection[str]], list[bytes]] | None,
    ) -> None:
        """`completion`: the headers that are missing, by the names of those that are there."""
        self.says_8bit = False
        self.has_utf8_headers = False
        self._limits = treatment.limits
        self._weights = treatment.weights
        self._follows_mime = treatment.follows_mime
        self._rewriter = treatment.rewriter
        self._is_strict = treatment.strictness.headers
        self._checker = checker
        self._structure = structure
        self._out = out
        self._completion = completion
        self._hops = 0
        self._seen: set[str] = set()

    def counts_alone(self, prologue: bytes) -> bool:
        """True for our Received header alone, as it mostly is: it is counted, and goes out."""
        if not (
            self._weights.counts_received
            and prologue.startswith(b"Received:")
            and prologue.count(b"\n") == prologue.count(b"\n\t") + 1
            and len(prologue) <= self._limits.line
            and prologue.isascii()
        ):
            return False
        self._count_hop()
        self._seen.add("received")
        self._out.append(prologue)
        return True

    def walk(self, text: bytes, place: int, end: int) -> int:
        """A whole header section at once; where to go on: behind what was understood of it."""
        section = text[place : end + 2]
        lines = section.split(CRLF)
        lines.pop()
        if (
            not lines[0]
            or section.count(b"\n") != len(lines)
            or b"\0" in section
            or (len(section) > self._limits.line and max(map(len, lines)) > self._limits.line)
        ):
            return place
        idle, known = self._weights.idle, self._weights.known
        done = gone = 0  # lines and octets that have gone out
        number = 0
        for number, line in enumerate(lines):
            name, colon, _ = line.partition(b":")
            if name in idle and colon:
                continue
            weighed = known.get(name) if colon else None
            if weighed is None:
                if line[0] in b" \t":
                    if number:
                        continue
                    break
                if not colon or (weighed := self._weights.weigh(name)) is None:
                    break
            weight, header = weighed
            if weight == NAME:
                assert header is not None
                self._seen.add(header.name)
                continue
            if weight == NOTHING:
                continue
            following = number + 1
            if following < len(lines) and lines[following][0] in b" \t":
                following = _end_of_header(lines, following + 1)
            if weight == NOTE:
                assert header is not None
                self._note_header(header, lines, number, following)
                continue
            found = whole = line
            if following > number + 1:
                found = whole = b"\n".join(lines[number:following])
            if name[-1] in b" \t":
                whole = name.rstrip(b" \t") + whole[len(name) :]
            written = self._header(header, whole)
            if written is None:
                if whole is found and len(whole) <= self._limits.header:
                    continue
                written = (whole,)
            at = gone + _size(lines[done:number])
            self._out.append(section[gone:at])
            gone = at + _size(lines[number:following])
            done = following
            self._write(written)
        else:
            number = len(lines)
        at = gone + _size(lines[done:number]) if number < len(lines) else len(section)
        self._out.append(section[gone:at])
        if not section.isascii() and not self.has_utf8_headers:
            read = section[:at]
            self.has_utf8_headers = not read.isascii() and _is_utf8(read)
        return place + at

    def take(self, text: bytes) -> None:
        """A whole header, lines joined by newlines."""
        written = self._header(self._weights.names.find(text[: name_length(text)]), text)
        self._write((text,) if written is None else written)

    def complete(self) -> None:
        """The headers of the message end here: add what is missing."""
        if self._completion is not None and not self._checker.is_silent:
            self._write(self._completion(self._seen))

    # inside

    def _note_header(self, header: Header, lines: list[bytes], number: int, following: int) -> None:
        """Remember what must be remembered of a header that goes through as it is."""
        if header.name == _ENCODED:
            self._note_encoding(_value(header, b"\n".join(lines[number:following])))
        else:
            self._count_hop()
            self._seen.add(header.name)

    def _count_hop(self) -> None:
        """RFC 5321 6.3: a message that has gone through too many servers goes in circles."""
        if self._structure.section is Section.PRIMARY:
            self._hops += 1
            if self._hops == self._limits.hops:
                self._checker.fail(554, "5.4.0", "Error: too many hops", "hopcount_limit")

    def _note_encoding(self, value: bytes) -> None:
        self.says_8bit |= value.strip().lower() in (b"8bit", b"binary")

    def _header(self, header: Header | None, text: bytes) -> Sequence[bytes] | None:
        """What is written for a whole header, lines joined by newlines; None: what it is.

        `header`: what is known of its name.
        """
        given, before = text, []
        section = self._structure.section
        if header is not None and header.mime and self._follows_mime:
            self._structure.read_header(header.name, _value(header, text).decode("latin-1"))
        if not text.isascii():
            self.has_utf8_headers = self.has_utf8_headers or _is_utf8(text)
            if self._is_strict:
                self._checker.problem = self._checker.problem or _8BIT_HEADER
        if self._weights.everything and self._checker.is_on:
            checked = self._check_header(header, text)
            if checked is not None:
                if not checked:
                    return ()
                *before, text = checked
                if text is not given:
                    header = self._weights.names.find(text[: name_length(text)])
        if header is None or header.mime or section is not Section.PRIMARY:
            if header is not None and header.name == _ENCODED:
                self._note_encoding(_value(header, text))
        else:
            self._seen.add(header.name)
            if header.name == "received":
                self._count_hop()
            if self._rewriter is not None and (header.sender or header.recipient):
                try:
                    found = self._rewriter.rewrite(header, text.decode("latin-1"))
                except TableUnavailable as error:
                    self._checker.break_off(error)
                else:
                    text = text if found is None else found.encode("latin-1")
            if header.dropped:
                return before
        return None if text is given and not before else (*before, text)

    def _check_header(self, header: Header | None, text: bytes) -> list[bytes] | None:
        tables = self._checker.tables
        if (header is not None and header.mime) or self._structure.section is Section.PART:
            maps, title = tables.mime, tables.names[1]
        elif self._structure.section is Section.NESTED:
            maps, title = tables.nested, tables.names[2]
        else:
            maps, title = tables.primary, tables.names[0]
        return self._checker.header(maps, title, text) if maps else None

    def _write(self, headers: Iterable[bytes]) -> None:
        limit = self._limits.header
        for text in headers:
            if len(text) > limit:
                cut = text.rfind(b"\n", 0, limit + 1)  # between lines, unless that loses much
                text = text[: cut if cut > limit * 0.9 else limit]
            self._out.append(text.replace(b"\n", CRLF) + CRLF)


def _is_utf8(text: bytes) -> bool:
    """True for what is UTF-8 all through."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _end_of_header(lines: list[bytes], number: int) -> int:
    """The line behind the header that goes on, perhaps further, in line `number`."""
    while number < len(lines) and lines[number][0] in b" \t":
        number += 1
    return number


def _size(lines: list[bytes]) -> int:
    """Octets, with line ends."""
    return sum(map(len, lines)) + 2 * len(lines)


def _value(header: Header, text: bytes) -> bytes:
    return text[len(header.name) + 1 :]
