"""perlsigns - the signs of a PCRE2 pattern that are no items themselves.

SUMMARY      PerlReader reads over \\Q..\\E, comments, quantifiers, option letters and names; Flags
             are the options of a pattern or a group
ERRORS       PatternError with PCRE2's words
SOURCE       pcre2pattern(3): BACKSLASH, COMMENTS, REPETITION, INTERNAL OPTION SETTING
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tables.formats.patterns.classes import Reader
from tables.formats.patterns.syntax import PatternError, read_number

MOST_REPEATS = 65535
QUANTIFIER = re.compile(rb"\{([0-9]+)(?:,([0-9]*))?\}")
_OPTIONS = {
    "i": "fold",
    "m": "multiline",
    "s": "dotall",
    "x": "extended",
    "n": "plain_groups",
    "J": "duplicate_names",
    "U": "ungreedy",
}


@dataclass(frozen=True, slots=True)
class Flags:
    """The options of a pattern; Postfix starts with fold and dotall (pcre_table(5))."""

    fold: bool = True  # i
    multiline: bool = False  # m
    dotall: bool = True  # s
    extended: bool = False  # x
    anchored: bool = False  # A
    end_only: bool = False  # E
    ungreedy: bool = False  # U
    plain_groups: bool = False  # n, inside a pattern only
    duplicate_names: bool = False  # J, inside a pattern only


class PerlReader(Reader):
    """A place in a pattern, and whether it is between \\Q and \\E."""

    def __init__(self, pattern: bytes) -> None:
        super().__init__(pattern)
        self.quoting = False

    def skip_quoting(self) -> bool:
        """Read \\Q or \\E if one stands here."""
        if self.quoting or not self.peek(b"\\Q"):
            if not self.take(b"\\E"):
                return False
            self.quoting = False
            return True
        self.at += 2
        self.quoting = True
        return True

    def skip_comment(self, flags: Flags) -> bool:
        """Read (?#...), or white space and # comments of the extended form, if they stand here."""
        if self.take(b"(?#"):
            end = self.pattern.find(b")", self.at)
            if end < 0:
                raise PatternError("missing ) following (?# comment", len(self.pattern))
            self.at = end + 1
            return True
        if not flags.extended:
            return False
        if self.pattern[self.at] in b" \t\n\v\f\r":
            self.at += 1
            return True
        if self.take(b"#"):
            end = self.pattern.find(b"\n", self.at)
            self.at = len(self.pattern) if end < 0 else end + 1
            return True
        return False

    def quantifier(self) -> tuple[int, int | None] | None:
        """Read * + ? {n} {n,} {n,m} if one stands here; other braces are literals."""
        if self.peek(b"*", b"+", b"?"):
            return {0x2A: (0, None), 0x2B: (1, None), 0x3F: (0, 1)}[self.next()]
        found = QUANTIFIER.match(self.pattern, self.at)
        if found is None:
            return None
        first, last = found.groups()
        least = read_number(first)
        most = least if last is None else read_number(last) if last else None
        if max(least, most or 0) > MOST_REPEATS:
            raise PatternError("number too big in {} quantifier", self.at)
        if most is not None and most < least:
            raise PatternError("numbers out of order in {} quantifier", self.at)
        self.at = found.end()
        return least, most

    def options(self, flags: Flags) -> Flags | None:
        """Read option letters up to ) or :, which stays; None when it is something else."""
        if self.take(b"^"):
            flags = replace(
                flags, fold=False, multiline=False, dotall=False, extended=False, plain_groups=False
            )
        on = True
        while not self.ended and not self.peek(b")", b":"):
            char = chr(self.next())
            if char == "-" and on:
                on = False
            elif char in _OPTIONS:
                flags = replace(flags, **{_OPTIONS[char]: on})
            else:
                return None
        return None if self.ended else flags

    def name(self, end: bytes, *, keep: bool = False) -> bytes:
        """Read a name up to `end`, which is read too unless `keep`."""
        stop = self.pattern.find(end, self.at)
        if stop < 0:
            raise PatternError("syntax error in subpattern name (missing terminator?)", self.at)
        name = self.pattern[self.at : stop]
        if not name:
            raise PatternError("subpattern name expected", self.at)
        if end != b")" and (name[:1].isdigit() or not name.replace(b"_", b"a").isalnum()):
            raise PatternError("syntax error in subpattern name (missing terminator?)", self.at)
        self.at = stop if keep else stop + len(end)
        return name
