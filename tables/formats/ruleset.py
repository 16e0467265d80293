"""ruleset - the look-up in a pattern table: one search for all patterns, then the rules that hit.

SUMMARY      PatternMap(rules).get(key) -> result of the first rule that applies
RULES        the result is that of the first rule in order whose pattern (and if-blocks) agree; the
             key is not folded; $1 is taken from that rule's own pattern.
COST         one RE2 set search over the key tells which patterns match, whatever their number; only
             rules with such a pattern, and negated rules, are then looked at. Patterns that RE2
             knows only roughly are checked one by one, with one budget of steps for the look-up.
             Should RE2 refuse or give up the set, all patterns are tried one by one: slower, never
             wrong (a pattern that always matches is in the set to notice a search that gave up).
ERRORS       TableUnavailable when the budget is used up, or when $1 cuts a character in two
SOURCE       regexp_table(5), pcre_table(5); dict_utf8(3) for keys and results that are no UTF-8
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import re2

from tables.errors import TableUnavailable
from tables.formats.base import Problem
from tables.formats.patterns.backtrack import Budget, StepLimit
from tables.formats.patterns.pattern import Pattern, options
from tables.formats.rules import Condition, Rule, RuleSet

# The most that the automaton of one table may take; it grows only as searches need it.
SET_MEMORY = 64 << 20


class PatternMap:
    """A pattern table, ready to be asked."""

    __slots__ = (
        "_by_pattern",
        "_last_newline",
        "_negated",
        "_patterns",
        "_plain",
        "_rules",
        "_set",
        "problems",
    )

    is_pattern = True

    def __init__(self, rules: RuleSet) -> None:
        self.problems: tuple[Problem, ...] = rules.problems
        self._patterns = rules.patterns
        self._rules = rules.rules
        self._set = build_set(rules.patterns)
        self._last_newline = any(pattern.last_newline for pattern in rules.patterns)
        self._by_pattern: list[list[int]] = [[] for _ in rules.patterns]
        self._negated: list[int] = []
        for number, rule in enumerate(rules.rules):
            first = rule.conditions[0]
            (self._by_pattern[first.pattern] if first.wanted else self._negated).append(number)
        self._plain = {} if self._negated else self._plain_rules()

    def _plain_rules(self) -> dict[int, tuple[int, str]]:
        """Pattern -> (rule, result) where nothing but that match decides: most rules."""
        found = {}
        for number, rules in enumerate(self._by_pattern):
            pattern = self._patterns[number]
            if len(rules) != 1 or not pattern.exact:
                continue
            rule = self._rules[rules[0]]
            text = rule.result.constant
            if text is not None and not rule.blocks and len(rule.conditions) == 1:
                found[number] = rules[0], text
        return found

    def get(self, key: str, /) -> str | None:
        """Return the result of the first rule that applies to `key`, None when none does."""
        try:
            text = key.encode()
        except UnicodeEncodeError:
            return None  # dict_utf8(3): a key that is no UTF-8 cannot be in a table
        hits = self._search(text)
        if hits is not None and not self._negated:
            if not hits:
                return None
            plain = self._plain
            if hits <= plain.keys():
                return min(map(plain.__getitem__, hits))[1]
        try:
            return _Lookup(self._patterns, text, hits).first(self._rules, self._candidates(hits))
        except StepLimit:
            raise TableUnavailable("a pattern takes too many steps for this key") from None

    def _search(self, text: bytes) -> set[int] | None:
        """Return the numbers of the patterns that may match; None: ask each by itself."""
        if self._set is None or (self._last_newline and text.endswith(b"\n")):
            return None
        hits = set(self._set.Match(text))
        sentinel = len(self._patterns)
        if sentinel not in hits:
            return None
        hits.remove(sentinel)
        return hits

    def _candidates(self, hits: set[int] | None) -> Iterator[int]:
        """Yield the numbers of the rules that may apply, in order."""
        if hits is None:
            return iter(range(len(self._rules)))
        by_pattern = self._by_pattern
        hit_rules = sorted(number for hit in hits for number in by_pattern[hit])
        if not self._negated:
            return iter(hit_rules)
        return heapq.merge(hit_rules, self._negated)


class _Lookup:
    """One look-up: which patterns matched is found out once, and only if needed."""

    __slots__ = ("budget", "hits", "known", "patterns", "text")

    def __init__(self, patterns: tuple[Pattern, ...], text: bytes, hits: set[int] | None) -> None:
        self.patterns = patterns
        self.text = text
        self.hits = hits
        self.budget = Budget()
        self.known: dict[int, bool] = {}

    def holds(self, condition: Condition) -> bool:
        """Return whether a condition holds for the text."""
        number = condition.pattern
        matched = self.known.get(number)
        if matched is None:
            pattern = self.patterns[number]
            if self.hits is None:
                matched = pattern.matches(self.text, self.budget)
            elif number not in self.hits:
                matched = False
            else:
                matched = pattern.certain(self.text) or pattern.matches(self.text, self.budget)
            self.known[number] = matched
        return matched is condition.wanted

    def first(self, rules: tuple[Rule, ...], candidates: Iterator[int]) -> str | None:
        """Return the result of the first candidate that applies."""
        resume = 0
        for number in candidates:
            if number < resume:
                continue
            rule = rules[number]
            for block in rule.blocks:
                if not self.holds(block.condition):
                    resume = block.end  # everything in a block that does not count
                    break
            else:
                if all(self.holds(condition) for condition in rule.conditions):
                    return self.result(rule)
        return None

    def result(self, rule: Rule) -> str:
        """Return the result of a rule that applies."""
        if (constant := rule.result.constant) is not None:
            return constant
        groups = self.patterns[rule.conditions[0].pattern].groups_of(self.text, self.budget)
        if groups is None:
            raise TableUnavailable(f"line {rule.line}: the pattern matched and then did not")
        try:
            return rule.result.expand([group.decode() for group in groups])
        except UnicodeDecodeError:
            raise TableUnavailable(f"line {rule.line}: the result is not UTF-8") from None


def build_set(patterns: tuple[Pattern, ...]) -> re2.Set | None:
    """Return all patterns as one set, and behind them one that always matches; None: too large."""
    if not patterns:
        return None
    found = re2.Set.SearchSet(options(memory=SET_MEMORY))
    try:
        for pattern in patterns:
            found.Add(pattern.source)
        found.Add(b"")
        found.Compile()
    except re2.error:
        return None
    return found
