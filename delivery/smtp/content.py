"""content - the message on the wire: end of data, dot transparency, bare CR and LF.

SUMMARY      ContentDecoder (what we receive, DATA and BDAT), ContentEncoder (what we send by DATA)
FORM         decoded content has CRLF line ends only; the encoder takes such text, in pieces of any
             size
RULES        the end is CRLF "." CRLF and nothing else (RFC 5321 4.1.1.4, 2.3.8), so no other system
             can see an end, and then commands, where we saw text ("SMTP smuggling"): with
             standard_end a line that is a lone dot with a bare LF before or behind it is dropped,
             as in Postfix; without (smtpd_forbid_bare_newline = no) any lone dot ends the content;
             a bare LF ends a line and becomes CRLF; a stray CR becomes a blank
             (cleanup_replace_stray_cr_lf); a leading dot is undone after every line end, bare ones
             too (RFC 5321 4.5.2)
LIMITS       at most 4 octets are held back between two calls; work is done on whole pieces, never
             per line
NOT DONE     line_length_limit: Postfix cuts records there, the message does not change
SOURCE       RFC 5321 4.5.2, 2.3.8; RFC 3030; postconf(5) smtpd_forbid_bare_newline; Postfix
             smtpd(8)
"""

from __future__ import annotations

import re

CRLF = b"\r\n"
DOT = b"\r\n."  # at the beginning of a line
END = b"\r\n.\r\n"

_LOOSE_END = re.compile(rb"\n\.\r?\n")
_LONE_DOTS = re.compile(rb"\n(?:\.\n)+")
_UNFINISHED = (b"", b".", b".\r")  # after a line end: cannot tell yet what they are
_CR = 0x0D


class ContentDecoder:
    """Feed it everything after 354; or, with dots=False, the octets of BDAT chunks."""

    __slots__ = (
        "_dots",
        "_dotted",
        "_held",
        "_open_line",
        "_replace",
        "_skip",
        "_standard_end",
        "bare_newline",
        "eightbit",
        "size",
    )

    def __init__(
        self, *, dots: bool = True, standard_end: bool = True, replace_stray: bool = True
    ) -> None:
        self._dots = dots
        self._dotted = False  # there may be leading dots in the piece at hand
        self._standard_end = standard_end
        self._replace = replace_stray
        # The content begins at the beginning of a line: as if a CRLF came before it, which is
        # taken out of the first output again.
        self._held = CRLF if dots else b""
        self._skip = 2 if dots else 0
        self._open_line = False  # the last octet given out did not end a line
        self.size = 0  # octets given out
        self.eightbit = False
        self.bare_newline = False

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """(content, rest): rest is what follows the end of data, None while the end is not seen."""
        text = self._held + data if self._held else data
        if self._dots and (cut := self._find_end(text)) is not None:
            body_end, rest_begin = cut
            self._held = b""
            return self._give(self._clean(text[:body_end])), text[rest_begin:]
        newline = text.rfind(b"\n")
        if self._dots and newline >= 0 and text[newline + 1 : newline + 4] in _UNFINISHED:
            # The last line end belongs to what comes: hold it, but let it end this line.
            begin = newline - 1 if text[newline - 1 : newline] == b"\r" else newline
            self._held = text[begin:]
            return self._give(self._clean(text[: newline + 1])[:-2]), None
        if text.endswith(b"\r"):
            self._held = b"\r"
            return self._give(self._clean(text[:-1])), None
        self._held = b""
        return self._give(self._clean(text)), None

    def finish(self) -> bytes:
        """After BDAT LAST: what was held back, and the line end when it is missing."""
        content = self._clean(self._held) if self._held else b""
        self._held = b""
        if content or self._open_line:
            content += CRLF
        return self._give(content)

    def _find_end(self, text: bytes) -> tuple[int, int] | None:
        """(index after the last line, index after the end of data); and are there leading dots?

        One search serves both: mostly there is no such dot before the end.
        """
        if not self._standard_end:
            self._dotted = True
            match = _LOOSE_END.search(text)
            return None if match is None else (match.start() + 1, match.end())
        first = text.find(DOT)
        at = first if first < 0 or text.startswith(END, first) else text.find(END, first)
        self._dotted = at != first
        return None if at < 0 else (at + 2, at + 5)

    def _clean(self, text: bytes) -> bytes:
        """Undo the dots, make all line ends CRLF."""
        if not self.eightbit and not text.isascii():
            self.eightbit = True
        lines = text.replace(CRLF, b"")  # sooner done than counting single octets
        if b"\n" not in lines and b"\r" not in lines:
            return text.replace(DOT, CRLF) if self._dotted else text
        return self._clean_strays(text)

    def _clean_strays(self, text: bytes) -> bytes:
        lines = text.replace(CRLF, b"\n")
        if text.count(CRLF) != text.count(b"\n"):
            self.bare_newline = True
        if self._dots:
            if b"\n.\n" in lines:  # no standard end, or we would not be here
                lines = _LONE_DOTS.sub(b"\n", lines)
            lines = lines.replace(b"\n.", b"\n")
        if self._replace:
            lines = lines.replace(b"\r", b" ")
        return lines.replace(b"\n", CRLF)

    def _give(self, content: bytes) -> bytes:
        if content:
            if self._skip:
                content = content[self._skip :]
                self._skip = 0
            self.size += len(content)
            self._open_line = not content.endswith(b"\n")
        return content


class ContentEncoder:
    """The other direction: doubles the leading dots and never lets a bare CR or LF out."""

    __slots__ = ("_at_line_start", "_cleaner")

    def __init__(self) -> None:
        self._cleaner = ContentDecoder(dots=False)
        self._at_line_start = True

    def feed(self, data: bytes) -> bytes:
        """The octets to send for this piece."""
        content, _ = self._cleaner.feed(data)
        return self._stuff(content)

    def finish(self) -> bytes:
        """The missing line end, if it is missing, and the final dot."""
        return self._stuff(self._cleaner.finish()) + b".\r\n"

    def _stuff(self, content: bytes) -> bytes:
        """A line end is never cut: the decoder holds a CR back until it knows what follows."""
        if not content:
            return b""
        if self._at_line_start and content.startswith(b"."):
            content = b"." + content
        self._at_line_start = content.endswith(b"\n")
        return content.replace(b"\r\n.", b"\r\n..")
