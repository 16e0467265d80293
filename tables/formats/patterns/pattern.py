"""pattern - one compiled pattern: RE2 where it means the same, the limited matcher where not.

SUMMARY      Pattern.matches(text, budget) -> bool; Pattern.groups_of(text, budget) -> captured
             texts
RULES        `source` is what a set of patterns searches with: when it does not match, neither does
             the pattern; when it does, `certain` says whether that settles it for this text. An
             unset group and an empty one are the same: "" (both are nothing in a result).
ERRORS       StepLimit from the limited matcher; PatternError when compiling
SOURCE       linear.py says when RE2 means the same
"""

from __future__ import annotations

import functools

import re2

from tables.formats.patterns.backtrack import Budget, Span, search
from tables.formats.patterns.linear import Linear, write
from tables.formats.patterns.program import Program, compile_tree
from tables.formats.patterns.syntax import Node

# What one RE2 program and its cache may take.
MEMORY = 8 << 20
# RE2 surely takes a source of so many bytes without counted loops.
SHORT_SOURCE = 20_000


def options(*, longest: bool = False, memory: int = MEMORY) -> re2.Options:
    """Return RE2's options for sources of linear.py."""
    chosen = re2.Options()
    chosen.encoding = re2.Options.Encoding.LATIN1
    chosen.log_errors = False
    chosen.longest_match = longest
    chosen.max_mem = memory
    return chosen


class Pattern:
    """One pattern, compiled when first needed. `longest`: POSIX rules choose among matches."""

    def __init__(self, tree: Node, groups: int, *, longest: bool) -> None:
        self.group_count = groups
        self._tree = tree
        self._longest = longest
        self._linear: Linear = write(tree, longest=longest)
        # Too large a pattern is to be refused now, not when something is to be matched.
        may_be_large = b"{" in self.source or len(self.source) > SHORT_SOURCE
        if not self._linear.exact or (may_be_large and self._compiled is None):
            compile_tree(tree, groups)

    @property
    def source(self) -> bytes:
        """The pattern for RE2; it may match more texts than the pattern itself."""
        return self._linear.source

    @property
    def exact(self) -> bool:
        """True when a match of `source` is one of the pattern, but for last_newline."""
        return self._linear.exact

    @property
    def last_newline(self) -> bool:
        """True when `source` is not to be asked about a text that ends in a newline."""
        return self._linear.last_newline

    def certain(self, text: bytes) -> bool:
        """True when a match of `source` in `text` is a match of the pattern."""
        linear = self._linear
        return linear.exact and not (linear.last_newline and text.endswith(b"\n"))

    def matches(self, text: bytes, budget: Budget) -> bool:
        """Return whether the pattern matches somewhere in `text`."""
        if self.certain(text) and self._compiled is not None:
            return self._compiled.search(text) is not None
        return search(self._program, text, budget, longest=self._longest) is not None

    def groups_of(self, text: bytes, budget: Budget) -> list[bytes] | None:
        """Return the whole match and what each group captured; None when there is no match."""
        spans: list[Span] | None
        if self.certain(text) and self._linear.exact_groups and self._compiled is not None:
            found = self._compiled.search(text)
            spans = None if found is None else [found.span(n) for n in range(self.group_count + 1)]
        else:
            spans = search(self._program, text, budget, longest=self._longest)
        if spans is None:
            return None
        return [text[start:end] if start >= 0 else b"" for start, end in spans]

    @functools.cached_property
    def _compiled(self) -> re2._Regexp | None:
        """The pattern in RE2; None when RE2 finds it too large."""
        try:
            return re2.compile(self.source, options(longest=self._longest))
        except re2.error:
            return None

    @functools.cached_property
    def _program(self) -> Program:
        return compile_tree(self._tree, self.group_count)
