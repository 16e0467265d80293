"""classes - the parts of a PCRE2 pattern that stand for one byte: classes and character escapes.

SUMMARY      Reader walks over the pattern; read_class reads [...], read_code an escaped character
RULES        names and escapes mean what they mean in the C locale and without UCP
ERRORS       PatternError with PCRE2's words
SOURCE       pcre2pattern(3): BACKSLASH, SQUARE BRACKETS AND CHARACTER CLASSES
"""

from __future__ import annotations

from tables.formats.patterns.syntax import (
    ALL_BYTES,
    CLASSES,
    DIGITS,
    NEWLINE,
    SPACE,
    WORD,
    PatternError,
    fold_mask,
    mask_of,
    mask_range,
)

HORIZONTAL = mask_of((0x09, 0x20, 0xA0))
NEWLINES = mask_range(0x0A, 0x0D) | 1 << 0x85

CLASS_ESCAPES = {
    "d": DIGITS,
    "D": ALL_BYTES & ~DIGITS,
    "h": HORIZONTAL,
    "H": ALL_BYTES & ~HORIZONTAL,
    "s": SPACE,
    "S": ALL_BYTES & ~SPACE,
    "v": NEWLINES,
    "V": ALL_BYTES & ~NEWLINES,
    "w": WORD,
    "W": ALL_BYTES & ~WORD,
    "N": ALL_BYTES & ~NEWLINE,
    "C": ALL_BYTES,
}
_IN_CLASS = "dDhHsSvVwW"
_CODES = {"a": 0x07, "e": 0x1B, "f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09}
BAD_RANGE = "invalid range in character class"
TOO_LARGE = "character code point value in \\x{} or \\o{} is too large"
UNKNOWN_NAME = "unknown POSIX class name"


class Reader:
    """A place in a pattern."""

    def __init__(self, pattern: bytes) -> None:
        self.pattern = pattern
        self.at = 0

    @property
    def ended(self) -> bool:
        """True when everything has been read."""
        return self.at >= len(self.pattern)

    def peek(self, *texts: bytes) -> bool:
        """True when one of `texts` stands here."""
        return self.pattern.startswith(texts, self.at)

    def take(self, text: bytes) -> bool:
        """Read `text` if it stands here."""
        if not self.pattern.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def next(self) -> int:
        """Read one byte; the caller has seen that there is one."""
        self.at += 1
        return self.pattern[self.at - 1]

    def digits(self) -> bytes:
        """Read decimal digits, none possibly."""
        start = self.at
        while not self.ended and self.pattern[self.at] in b"0123456789":
            self.at += 1
        return self.pattern[start : self.at]


def read_code(reader: Reader, *, in_class: bool) -> int:
    """Read an escaped character whose backslash has been read; return its code."""
    start = reader.at
    char = chr(reader.next())
    if char in _CODES:
        return _CODES[char]
    if char == "b" and in_class:
        return 0x08
    if char == "x":
        return _hexadecimal(reader)
    if char == "o":
        if not reader.take(b"{"):
            raise PatternError("missing opening brace after \\o", reader.at)
        return _in_braces(reader, 8)
    if char == "c":
        if reader.ended or not 0x20 <= reader.pattern[reader.at] < 0x7F:
            raise PatternError("\\c must be followed by a printable ASCII character", reader.at)
        return ord(chr(reader.next()).upper()) ^ 0x40
    if char in "01234567":
        return _octal(reader, start)
    if char in "89" and in_class:
        return ord(char)
    if char.isascii() and char.isalnum():
        if char in "pPX":
            raise PatternError(f"\\{char} is not supported", start)
        raise PatternError("unrecognized character follows \\", reader.at)
    return ord(char)


def _hexadecimal(reader: Reader) -> int:
    if reader.take(b"{"):
        return _in_braces(reader, 16)
    start = reader.at
    while reader.at < start + 2 and not reader.ended and chr(reader.pattern[reader.at]) in _HEX:
        reader.at += 1
    return int(reader.pattern[start : reader.at] or b"0", 16)


_HEX = "0123456789abcdefABCDEF"


def _in_braces(reader: Reader, base: int) -> int:
    end = reader.pattern.find(b"}", reader.at)
    text = reader.pattern[reader.at : max(end, reader.at)].decode("latin-1")
    allowed = _HEX if base == 16 else _HEX[:8]
    if end < 0 or not text or any(char not in allowed for char in text):
        raise PatternError("non-hex or non-octal character, or missing brace", reader.at)
    value = int(text, base)
    if value > 0xFF:
        raise PatternError(TOO_LARGE, reader.at)
    reader.at = end + 1
    return value


def _octal(reader: Reader, start: int) -> int:
    """Read up to three octal digits (up to two more behind \\0)."""
    while (
        reader.at < start + 3 and not reader.ended and chr(reader.pattern[reader.at]) in "01234567"
    ):
        reader.at += 1
    value = int(reader.pattern[start : reader.at], 8)
    if value > 0xFF:
        raise PatternError("octal value is greater than \\377 in 8-bit non-UTF-8 mode", reader.at)
    return value


def read_class(reader: Reader, fold: bool) -> int:
    """Read a class whose opening bracket has been read; return its set of bytes."""
    negative = reader.take(b"^")
    mask = 0
    quoting = False
    first = True
    while True:
        if reader.ended:
            raise PatternError("missing terminating ] for character class", len(reader.pattern))
        if not quoting and reader.take(b"\\Q"):
            quoting = True
            continue
        if reader.take(b"\\E"):
            quoting = False
            continue
        if not quoting and not first and reader.take(b"]"):
            break
        part, single = _member(reader, quoting)
        if not quoting and reader.peek(b"-") and not reader.peek(b"-]"):
            part = _range(reader, part, single)
        mask |= part
        first = False
    if fold:
        mask = fold_mask(mask)
    return ALL_BYTES & ~mask if negative else mask


def _range(reader: Reader, start: int, single: bool) -> int:
    """Read the rest of a range; `start` is the set of its first part."""
    before = reader.at
    reader.at += 1
    if not single:
        if reader.peek(b"\\E", b"\\Q"):
            reader.at = before
            return start
        raise PatternError(BAD_RANGE, reader.at)
    end, single = _member(reader, False)
    if not single:
        raise PatternError(BAD_RANGE, reader.at)
    first, last = start.bit_length() - 1, end.bit_length() - 1
    if last < first:
        raise PatternError("range out of order in character class", reader.at - 1)
    return mask_range(first, last)


def _member(reader: Reader, quoting: bool) -> tuple[int, bool]:
    """Read one member of a class: its set, and whether it is a single character."""
    if not quoting:
        named = _named(reader)
        if named is not None:
            return named, False
        if reader.take(b"\\"):
            if reader.ended:
                raise PatternError("\\ at end of pattern", reader.at)
            char = chr(reader.pattern[reader.at])
            if char in _IN_CLASS:
                reader.at += 1
                return CLASS_ESCAPES[char], False
            if char in "NRBX":
                raise PatternError(f"escape sequence \\{char} is invalid in a class", reader.at)
            return 1 << read_code(reader, in_class=True), True
    if reader.ended:
        raise PatternError("missing terminating ] for character class", len(reader.pattern))
    return 1 << reader.next(), True


def named_class_ahead(pattern: bytes, at: int) -> bool:
    """True when [:name:] and the like stand at `at`, which is only allowed inside a class."""
    return _named_end(pattern, at) is not None


def _named_end(pattern: bytes, at: int) -> int | None:
    """Return where the name at `at` ends, None when there is none."""
    sign = pattern[at + 1 : at + 2]
    if pattern[at : at + 1] != b"[" or sign not in (b":", b".", b"="):
        return None
    end = pattern.find(sign + b"]", at + 2)
    name = pattern[at + 2 : max(end, 0)]
    if end < 0 or b"]" in name or b"\\" in name or b"[" in name:
        return None
    return end


def _named(reader: Reader) -> int | None:
    """Read [:name:] or [:^name:] if one stands here."""
    end = _named_end(reader.pattern, reader.at)
    if end is None:
        return None
    name = reader.pattern[reader.at + 2 : end]
    if not reader.peek(b"[:"):
        raise PatternError("POSIX collating elements are not supported", reader.at)
    negative = name.startswith(b"^")
    mask = (
        WORD if name.lstrip(b"^") == b"word" else CLASSES.get(name.lstrip(b"^").decode("latin-1"))
    )
    if mask is None:
        if name.lstrip(b"^") == b"ascii":
            mask = mask_range(0, 0x7F)
        else:
            raise PatternError(UNKNOWN_NAME, reader.at)
    reader.at = end + 2
    return ALL_BYTES & ~mask if negative else mask
