"""regexp - tables of POSIX regular expressions.

SUMMARY      open_regexp(source text) -> PatternMap
RULES        extended syntax and letter case ignored, both toggled by flags: i (case), x (basic
             syntax), m (^ and $ also at newlines; . and [^...] do not match one). Of several
             matches of one pattern the leftmost and longest counts.
ERRORS       none when opening; problems are in the map's `problems`
SOURCE       regexp_table(5), regcomp(3)
"""

from __future__ import annotations

import functools

from tables.formats.patterns import posix
from tables.formats.patterns.pattern import Pattern
from tables.formats.rules import KEPT_PATTERNS, Dialect, parse_rules
from tables.formats.ruleset import PatternMap


@functools.lru_cache(maxsize=KEPT_PATTERNS)
def compile_regexp(pattern: bytes, flags: str) -> Pattern:
    """Return a POSIX pattern compiled with the flags of a table line; raise PatternError."""
    tree, groups = posix.parse(
        pattern,
        extended=flags.count("x") % 2 == 0,
        fold=flags.count("i") % 2 == 0,
        newline=flags.count("m") % 2 == 1,
    )
    return Pattern(tree, groups, longest=True)


DIALECT = Dialect("regexp", "imx", second_pattern=True, compile=compile_regexp)


def open_regexp(text: str) -> PatternMap:
    """Return the table with this source text."""
    return PatternMap(parse_rules(text, DIALECT))
