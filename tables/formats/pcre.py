"""pcre - tables of Perl-compatible regular expressions.

SUMMARY      open_pcre(source text) -> PatternMap
RULES        letter case is ignored and . matches a newline, both toggled by flags: i (case), s
             (dot), m (^ and $ also at newlines), x (blanks and comments in patterns), A (anchored),
             E ($ only at the very end), U (loops short by default), X (no effect since PCRE2).
             Patterns and keys are bytes: . is one byte, letters are ASCII's.
ERRORS       none when opening; problems are in the map's `problems`
SOURCE       pcre_table(5), pcre2pattern(3)
"""

from __future__ import annotations

import functools

from tables.formats.patterns import perl
from tables.formats.patterns.pattern import Pattern
from tables.formats.patterns.perlsigns import Flags
from tables.formats.rules import KEPT_PATTERNS, Dialect, parse_rules
from tables.formats.ruleset import PatternMap


@functools.lru_cache(maxsize=KEPT_PATTERNS)
def compile_pcre(pattern: bytes, flags: str) -> Pattern:
    """Return a PCRE pattern compiled with the flags of a table line; raise PatternError."""

    def is_odd(flag: str) -> bool:
        return flags.count(flag) % 2 == 1

    chosen = Flags(
        fold=not is_odd("i"),
        multiline=is_odd("m"),
        dotall=not is_odd("s"),
        extended=is_odd("x"),
        anchored=is_odd("A"),
        end_only=is_odd("E"),
        ungreedy=is_odd("U"),
    )
    tree, groups = perl.parse(pattern, chosen)
    return Pattern(tree, groups, longest=False)


DIALECT = Dialect("pcre", "imsxAEUX", second_pattern=False, compile=compile_pcre)


def open_pcre(text: str) -> PatternMap:
    """Return the table with this source text."""
    return PatternMap(parse_rules(text, DIALECT))
