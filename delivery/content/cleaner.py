"""cleaner - a message passes by, and what must be changed in it is changed.

SUMMARY      Cleaner.feed(bytes) -> bytes for every piece; .finish() -> Cleaned, with the last bytes
             .given() before the first piece: the prologue as it is kept
FORM         CRLF line ends in and out; a last line without one gets one
RULES        headers are looked at whole (heading.py), folded lines joined; at a NUL a header line
             ends
             the first line that is no header ends them, and an empty line is put before it
             a first line "From ..." becomes X-Mailbox-Line
             lines of the body are looked at in pieces of line_length_limit
             bodies that nobody checks go through in slices
             once a message is refused or discarded nothing more comes out, unless it is to bounce
LIMITS       holds one header of header_size_limit, or one line of line_length_limit
ERRORS       none raised, whatever the bytes: Cleaned.refusal is the answer to the client
SOURCE       RFC 5322 2.1, 2.2; Postfix cleanup(8), mime_state(3), smtpd(8)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import NamedTuple

from delivery.content.checks import Checker
from delivery.content.headers import name_length
from delivery.content.heading import CRLF, Heading
from delivery.content.limits import Characters
from delivery.content.mime import Section, Structure
from delivery.content.treatment import Treatment
from delivery.errors import SmtpFailure
from delivery.policy.verdict import Effects, Note

_ENVELOPE_LINE = re.compile(rb">{0,64}From ")  # mbox format; some programs send it along
_ENCODED = "content-transfer-encoding"
_FIRST_LINE = 70  # octets of the first line that tell whether it is one
_NESTING = "5.6.0 MIME nesting exceeds safety limit"
_8BIT_HEADER = "5.6.0 improper use of 8-bit data in message header"
_8BIT_BODY = "5.6.0 improper use of 8-bit data in message body"
_ENCODING = "5.6.0 invalid message/* or multipart/* encoding domain"


class Cleaned(NamedTuple):  # a tuple, because one is made for every message
    """What became of a message. `data` are the last bytes of the output.

    With a `refusal` the message must not be queued (mail from a client), or is to be returned to
    its sender (mail made here). `effects` add to those of access tables.
    """

    data: bytes
    effects: Effects
    refusal: SmtpFailure | None
    notes: tuple[Note, ...]
    says_8bit: bool  # a Content-Transfer-Encoding: 8bit was seen: convert for 7-bit servers
    has_utf8_headers: bool  # valid and not ASCII: needs SMTPUTF8 to be sent on


class Cleaner:
    """One message. Made by Incoming.begin() and Outgoing.begin()."""

    __slots__ = (
        "_at_line_start",
        "_characters",
        "_checker",
        "_checks_body",
        "_has_begun",
        "_heading",
        "_is_passing",
        "_last",
        "_limits",
        "_may_walk",
        "_offset",
        "_out",
        "_pending",
        "_pending_size",
        "_rest",
        "_strictness",
        "_structure",
        "_trusts_encoding",
    )

    def __init__(
        self,
        treatment: Treatment,
        prologue: bytes = b"",
        *,
        completion: Callable[[Collection[str]], list[bytes]] | None = None,
        keeps_refused: bool = False,
        is_new: bool = True,
    ) -> None:
        """`prologue`: whole headers of ours that stand first. `is_new`: mail from outside."""
        self._limits = limits = treatment.limits
        self._checker = Checker(
            treatment.tables, is_on=treatment.is_checked, keeps_refused=keeps_refused
        )
        self._checks_body = treatment.checks_body
        self._strictness = treatment.strictness
        self._characters = treatment.characters
        self._trusts_encoding = treatment.trusts_encoding
        self._structure = Structure(limits.mime_nesting, limits.boundary)
        self._out: list[bytes] = []
        self._heading = heading = Heading(
            treatment, self._checker, self._structure, self._out, completion
        )
        self._rest = b""  # not looked at yet
        self._pending: list[bytes] = []  # pieces of the header at hand
        self._pending_size = 0
        self._at_line_start = True
        self._may_walk = True  # the header section begins here
        self._has_begun = True
        self._is_passing = False  # nothing more to be looked at
        self._last = b"\n"  # last octet that came out while passing
        self._offset = 0  # in the body at hand
        if prologue and not heading.counts_alone(prologue):
            walked = heading.walk(prologue, 0, len(prologue) - 2)
            if walked < len(prologue):
                self._read(prologue[walked:])
                if self._pending:
                    self._flush_header()
            self._may_walk = True
        self._has_begun = not is_new

    def feed(self, data: bytes) -> bytes:
        """What is to be kept for this piece of the message; any size."""
        if self._is_passing and self._characters is None:
            self._last = data[-1:] or self._last
            return data
        if self._checker.is_silent:
            return b""
        if self._characters is not None:
            data = self._filter(data, self._characters)
        self._read(self._rest + data if self._rest else data)
        return self.given()

    def given(self) -> bytes:
        """What has come out since it was asked for last."""
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return b"" if self._checker.is_silent else data

    def finish(self) -> Cleaned:
        """After the last piece."""
        data, checker = b"", self._checker
        if not checker.is_silent:
            if self._rest or not self._at_line_start or self._last != b"\n":
                data = self.feed(b"\n" if self._rest.endswith(b"\r") else CRLF)
            if self._pending:
                self._flush_header()
            if self._structure.section is Section.PRIMARY:
                self._heading.complete()
        if self._structure.is_too_deep and checker.is_on:
            checker.problem = _NESTING
        if checker.problem and checker.refusal is None:
            checker.refuse("mime-error", b"", checker.problem)
        data += self.given()
        return Cleaned(
            data=data,
            effects=checker.effects,
            refusal=checker.refusal,
            notes=tuple(checker.notes),
            says_8bit=self._heading.says_8bit and self._trusts_encoding,
            has_utf8_headers=self._heading.has_utf8_headers,
        )

    # inside

    def _filter(self, data: bytes, characters: Characters) -> bytes:
        refused = characters.refused
        if refused is not None and self._checker.is_on and refused.search(data):
            self._checker.refuse("content", b"", "disallowed character")
            self._checker.is_on = False
        return data.translate(None, characters.stripped)

    def _read(self, text: bytes) -> None:
        held = b""
        if not self._has_begun:
            text, held = self._begin(text)
        place = 0
        while place < len(text):
            if self._structure.section is Section.BODY:
                following = self._read_body(text, place)
            else:
                following = self._read_headers(text, place)
            if following == place:
                break
            place = following
        self._rest = text[place:] + held

    def _begin(self, text: bytes) -> tuple[bytes, bytes]:
        """(what can be read of the first lines, what does not show yet what it is)."""
        ready: list[bytes] = []
        place = 0
        while not self._has_begun:
            newline = text.find(b"\n", place)
            end = len(text) if newline < 0 else newline + 1
            is_envelope = _ENVELOPE_LINE.match(text, place) is not None
            is_long = end - place > self._limits.line
            if newline < 0 and (end - place < _FIRST_LINE or (is_envelope and not is_long)):
                return b"".join(ready), text[place:]
            if is_envelope:
                ready.append(b"X-Mailbox-Line: " + text[place:end])
                place = end
            elif text.startswith((b" ", b"\t"), place):  # it would continue a header of ours
                ready.append(CRLF)
            self._has_begun = not is_envelope or is_long
        return b"".join((*ready, text[place:])), b""

    # header sections

    def _read_headers(self, text: bytes, place: int) -> int:
        if self._may_walk and self._at_line_start and not self._pending:
            self._may_walk = False
            end = text.find(b"\r\n\r\n", place, place + self._limits.header)
            if end >= 0 and (walked := self._heading.walk(text, place, end)) > place:
                if walked < end + 2:
                    return walked
                self._end_headers(properly=True)
                if self._checks_body:
                    self._read_body_record(b"", CRLF, is_continued=False)
                else:
                    self._offset = 1
                    self._out.append(CRLF)
                return walked + 2
        found = self._record(text, place)
        if found is None:
            return place
        record, following = found
        is_continued = not self._at_line_start
        self._at_line_start = text[following - 1] == 10
        line = record.partition(b"\0")[0]
        if self._pending:
            if is_continued or line[:1] in (b" ", b"\t"):
                if self._pending_size < self._limits.header:
                    piece = line if is_continued else b"\n" + line
                    self._pending.append(piece)
                    self._pending_size += len(piece)
                return following
            self._flush_header()
        length = name_length(line)
        if length:
            line = line[:length] + line[length:].lstrip(b" \t")
            self._pending.append(line)
            self._pending_size = len(line)
            return following
        self._end_headers(properly=not record)
        self._read_body_record(record, text[place:following], is_continued=is_continued)
        return following

    def _flush_header(self) -> None:
        text = b"".join(self._pending)
        self._pending.clear()
        self._heading.take(text)

    def _end_headers(self, *, properly: bool) -> None:
        """`properly`: by an empty line."""
        structure = self._structure
        if structure.section is Section.PRIMARY:
            self._heading.complete()
            if not properly:
                self._out.append(CRLF)
        if self._strictness.encodings and structure.wrong_encoding:
            self._checker.problem = self._checker.problem or _ENCODING
        structure.end_of_headers(properly=properly)
        self._may_walk = True
        self._offset = 0

    # bodies

    def _read_body(self, text: bytes, place: int) -> int:
        limit = self._limits.body_checks
        if self._checks_body and self._checker.is_on and (not limit or self._offset < limit):
            found = self._record(text, place)
            if found is None:
                return place
            record, following = found
            is_continued = not self._at_line_start
            self._at_line_start = text[following - 1] == 10
            self._read_body_record(record, text[place:following], is_continued=is_continued)
            return following
        if self._structure.boundaries:
            return self._skip(text, place)
        if not self._strictness.body or self._checker.problem:
            self._is_passing = self._has_begun and not self._checker.is_silent
            self._at_line_start = True
            self._last = text[-1:]
            before = b"".join(self._out)
            if len(before) == place and text.startswith(before):
                self._out[:] = (text,)  # as it came, without a copy: no header was changed
            else:
                self._out.append(text[place:])
        else:
            self._at_line_start = text.endswith(b"\n")
            self._write_body(text[place:])
        return len(text)

    def _skip(self, text: bytes, place: int) -> int:
        """To the next line that may be a boundary; nothing else is of interest."""
        if self._at_line_start:
            start = text[place : place + 2]
            if start == b"--":
                found = self._record(text, place)
                if found is None:
                    return place
                record, following = found
                self._at_line_start = text[following - 1] == 10
                self._read_body_record(record, text[place:following], is_continued=False)
                return following
            if start == b"-":
                return place
        found_at = text.find(b"\n--", place)
        if found_at >= 0:
            end = found_at + 1
        else:
            end = len(text) - 1 if text.endswith(b"\n-") else len(text)
        if end > place:
            self._at_line_start = text[end - 1] == 10
            self._write_body(text[place:end])
        return end

    def _read_body_record(self, record: bytes, raw: bytes, *, is_continued: bool) -> None:
        """A line of the body, or a piece of it; `raw` is with its line end."""
        structure, checker = self._structure, self._checker
        if not is_continued and structure.boundaries and record.startswith(b"--"):
            self._may_walk = structure.at_boundary(record)
            if self._may_walk and structure.section is Section.BODY:
                self._offset = 0
        limit = self._limits.body_checks
        offset = self._offset
        self._offset += len(record) + 1
        if self._checks_body and checker.is_on and (not limit or offset < limit):
            lines = checker.body(record)
            if lines is not None:
                end = raw[len(record) :]
                for line in lines[:-1]:
                    self._out.append(line + CRLF)
                if lines:
                    self._out.append(lines[-1] + end)
                return
        self._write_body(raw)

    def _write_body(self, raw: bytes) -> None:
        if self._strictness.body and self._structure.is_7bit and not raw.isascii():
            self._checker.problem = self._checker.problem or _8BIT_BODY
        self._out.append(raw)

    def _record(self, text: bytes, place: int) -> tuple[bytes, int] | None:
        """(line without its end, or a piece of a long one; where the next begins)."""
        limit = self._limits.line
        newline = text.find(b"\n", place, place + limit + 2)
        if newline < 0:
            if len(text) - place < limit + 2:
                return None
            return text[place : place + limit], place + limit
        end = newline - 1 if newline > place and text[newline - 1] == 13 else newline
        if end - place > limit:
            return text[place : place + limit], place + limit
        return text[place:end], newline + 1
