"""downgrade - 8-bit text for a server that takes 7 bits alone, and lines for one that has a limit.

SUMMARY      Downgrade(limits).feed(bytes) -> bytes, .finish() -> bytes; LongLines(limit) likewise
RULES        what says Content-Transfer-Encoding: 8bit or binary becomes quoted-printable, part by
             part; the header of a multipart or of a message within becomes 7bit, and their insides
             are looked at. Text that says nothing is left alone, whatever is in it
             the new header stands at the end of its header section
             a line longer than the limit is broken by a line end and a blank
LIMITS       holds one header of header_size_limit, or one line of line_length_limit
SOURCE       RFC 2045 6.7, RFC 6152 3; Postfix mime_state(3), smtp_proto.c; postconf(5)
             disable_mime_output_conversion, smtp_line_length_limit
"""

from __future__ import annotations

from delivery.content.headers import name_length
from delivery.content.limits import Limits
from delivery.content.mime import HEADER_SECTIONS, Structure

_LINE = 72  # an output line longer than this is ended softly before the next octet
_ENCODING = "content-transfer-encoding"
_SAFE = frozenset(range(32, 127)) - {ord("=")} | {9}
_QUOTED = {octet: b"=%02X" % octet for octet in range(256)}


class Downgrade:
    """One message; CRLF line ends in and out."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._structure = Structure(limits.mime_nesting, limits.boundary)
        self._rest = b""  # not looked at yet
        self._at_line_start = True
        self._header: list[bytes] = []  # lines of the header at hand
        self._header_size = 0
        self._converts = False  # the body at hand
        self._line = bytearray()  # of quoted-printable
        self._out: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        """What to send for this piece; any size."""
        text = self._rest + data
        place, limit = 0, self._limits.line
        while place < len(text):
            end = text.find(b"\n", place, place + limit) + 1
            if not end:
                if len(text) - place <= limit:
                    break
                end = place + limit - (text[place + limit - 1] == 13)  # never between CR and LF
            self._take(text[place:end])
            place = end
        self._rest = text[place:]
        return self._given()

    def finish(self) -> bytes:
        """After the last piece."""
        if self._rest:
            self._take(self._rest)
        self._end_header()
        if self._line:
            self._out.append(bytes(self._line))
        return self._given()

    def _given(self) -> bytes:
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _take(self, record: bytes) -> None:
        """A line with its end, or a piece of a very long one."""
        is_continued = not self._at_line_start
        self._at_line_start = record.endswith(b"\n")
        if self._structure.section in HEADER_SECTIONS:
            self._take_header_line(record, is_continued=is_continued)
        else:
            self._take_body_line(record, is_continued=is_continued)

    # headers

    def _take_header_line(self, record: bytes, *, is_continued: bool) -> None:
        if self._header and (is_continued or record[:1] in (b" ", b"\t")):
            if self._header_size < self._limits.header:
                self._header.append(record)
                self._header_size += len(record)
            return
        self._end_header()
        line = record.rstrip(b"\r\n")
        if name_length(line):
            self._header.append(record)
            self._header_size = len(record)
            return
        self._end_section(properly=not line)
        self._take_body_line(record, is_continued=is_continued)

    def _end_header(self) -> None:
        lines, self._header = self._header, []
        if not lines:
            return
        whole = b"".join(lines)
        name, _, value = whole.decode("latin-1").partition(":")
        name = name.rstrip().lower()
        self._structure.read_header(name, value)
        if name != _ENCODING or self._structure.has_7bit_domain:
            self._out.append(whole)

    def _end_section(self, *, properly: bool) -> None:
        structure = self._structure
        self._converts = False
        if not structure.has_7bit_domain:
            encoding = b"7bit" if structure.is_composite else b"quoted-printable"
            self._out.append(b"Content-Transfer-Encoding: " + encoding + b"\r\n")
            self._converts = not structure.is_composite
        structure.end_of_headers(properly=properly)

    # bodies

    def _take_body_line(self, record: bytes, *, is_continued: bool) -> None:
        if not is_continued and record.startswith(b"--") and self._at_boundary(record):
            self._converts = False
        if self._converts:
            self._encode(record)
        else:
            self._out.append(record)

    def _at_boundary(self, record: bytes) -> bool:
        return self._structure.at_boundary(record.rstrip(b"\r\n"))

    def _encode(self, record: bytes) -> None:
        """RFC 2045 6.7, with the line breaks of Postfix."""
        text = record.rstrip(b"\r\n") if record.endswith(b"\n") else record
        line = self._line
        for octet in text:
            if len(line) > _LINE:
                self._out.append(bytes(line) + b"=\r\n")
                line.clear()
            if octet in _SAFE:
                line.append(octet)
            else:
                line += _QUOTED[octet]
        if len(text) == len(record):
            return
        if line and line[-1] in b" \t":
            line[-1:] = _QUOTED[line[-1]]
        self._out.append(bytes(line) + b"\r\n")
        line.clear()


class LongLines:
    """Breaks lines for a server; `limit` octets a line, without its end."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._column = 0  # octets of the line at hand that are out
        self._cr = False  # a CR is held back: it may be the beginning of a line end

    def feed(self, data: bytes) -> bytes:
        """What to send for this piece; any size."""
        if self._cr:
            data = b"\r" + data
        self._cr = data.endswith(b"\r")
        if self._cr:
            data = data[:-1]
        out: list[bytes] = []
        begin = place = 0  # what has not gone out, what was not looked at
        room = self._limit - self._column
        while True:
            # as far as whole lines fit: the last line end within reach
            while end := data.rfind(b"\n", place, place + room + 2) + 1:
                place, room = end, self._limit
            if len(data) - place <= room:
                break
            place += room
            out += (data[begin:place], b"\r\n ")
            begin, room = place, self._limit - 1
        self._column = self._limit - room + len(data) - place
        return b"".join((*out, data[begin:])) if out else data

    def finish(self) -> bytes:
        """After the last piece."""
        return b"\r" if self._cr else b""
