"""rules - the text of a pattern table (regexp, pcre) becomes numbered patterns and rules.

SUMMARY      parse_rules(text, dialect) -> RuleSet: patterns, rules in order, problems with line
             numbers
RULES        a rule is /pattern/flags result; any sign but a letter, digit, blank or ! can delimit.
             ! in front negates; regexp tables also know /one/!/two/. "if /pattern/" ... "endif"
             encloses rules that count only when the pattern matches (or, with !, does not); an "if"
             without "endif" encloses all that follows. What Postfix skips is skipped, and all else
             stays in force: a rule that cannot be read; an "if" whose pattern is bad (its rules
             then count always); an "endif" without "if". A rule without a result has the result "",
             which every look-up treats as an error.
ERRORS       none: what is wrong is in `problems`; whoever publishes refuses a table with problems
SOURCE       regexp_table(5), pcre_table(5)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tables.errors import EntryError
from tables.formats.base import Problem
from tables.formats.lines import BLANKS, logical_lines
from tables.formats.patterns.pattern import Pattern
from tables.formats.patterns.syntax import PatternError
from tables.formats.substitution import Substitution, parse

# Compiled patterns that are remembered: the edit of one rule does not compile the others again.
KEPT_PATTERNS = 16_384
# Rules inside an if inside an if ...
MOST_NESTING = 100


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between the types. `compile` takes pattern and flags and raises PatternError."""

    name: str
    flags: str
    second_pattern: bool
    compile: Callable[[bytes, str], Pattern]


@dataclass(frozen=True, slots=True)
class Condition:
    """Pattern number `pattern` must match, or must not (`wanted` False)."""

    pattern: int
    wanted: bool


@dataclass(frozen=True, slots=True)
class Block:
    """An if: rules up to `end` (a rule number) count only when `condition` holds."""

    condition: Condition
    end: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `conditions[0]` is the pattern whose groups go into the result."""

    line: int
    blocks: tuple[Block, ...]
    conditions: tuple[Condition, ...]
    result: Substitution


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A parsed table."""

    patterns: tuple[Pattern, ...]
    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]


def parse_rules(text: str, dialect: Dialect) -> RuleSet:
    """Return the rules of a table's source text."""
    parser = _Parser(dialect)
    # Patterns are bytes: each character from here on stands for one byte.
    for line, content in logical_lines(text.encode(errors="surrogateescape").decode("latin-1")):
        parser.line = line
        try:
            parser.read(content.rstrip(BLANKS))
        except EntryError as error:
            parser.note(f"{error}: skipping this rule", skipped=True)
    return parser.finish()


class _Parser:
    """Collects the rules of one table."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.line = 0
        self.patterns: list[Pattern] = []
        self.numbers: dict[tuple[str, str], int] = {}
        self.rules: list[tuple[int, tuple[int, ...], tuple[Condition, ...], Substitution]] = []
        self.problems: list[Problem] = []
        # Blocks by number: [condition, rule number behind it or -1, line]; and those now open.
        self.blocks: list[tuple[Condition, int]] = []
        self.ends: dict[int, int] = {}
        self.open: list[int] = []

    def note(self, message: str, *, skipped: bool) -> None:
        self.problems.append(Problem(self.line, message, skipped=skipped))

    def read(self, content: str) -> None:
        """Read one logical line."""
        if not (content[0].isascii() and content[0].isalnum()):
            self.rule(content)
        elif _is_word(content, "if"):
            self.begin(content[2:].lstrip(BLANKS))
        elif _is_word(content, "endif"):
            self.end(content[5:].strip(BLANKS))
        else:
            self.note("ignoring unrecognized request", skipped=True)

    def rule(self, content: str) -> None:
        first, rest = self.pattern_text(content)
        second = None
        if self.dialect.second_pattern and rest.startswith("!"):
            second, rest = self.pattern_text(rest)
        text = rest.strip(BLANKS)
        if not text:
            self.note("no replacement text: using empty string", skipped=False)
        result = parse(text)
        highest = result.highest
        if highest and not first[2]:
            raise EntryError("$number found in negative match replacement text")
        conditions = [self.compile(first)]
        if highest > self.patterns[conditions[0].pattern].group_count:
            raise EntryError(f'out of range replacement index "{highest}"')
        if second is not None:
            conditions.append(self.compile(second))
        self.rules.append((self.line, tuple(self.open), tuple(conditions), _decoded(result)))

    def begin(self, content: str) -> None:
        """Read what follows "if"."""
        pattern, rest = self.pattern_text(content)
        if rest.strip(BLANKS):
            self.note(
                f'ignoring extra text after IF statement: "{rest.strip(BLANKS)}"', skipped=False
            )
        condition = self.compile(pattern)
        if len(self.open) >= MOST_NESTING:
            raise EntryError("too many IF inside IF")
        self.open.append(len(self.blocks))
        self.blocks.append((condition, self.line))

    def end(self, rest: str) -> None:
        """Read what follows "endif"."""
        if not self.open:
            self.note("ignoring ENDIF without matching IF", skipped=True)
            return
        if rest:
            self.note("ignoring extra text after ENDIF", skipped=False)
        self.ends[self.open.pop()] = len(self.rules)

    def pattern_text(self, content: str) -> tuple[tuple[str, str, bool], str]:
        """Read /pattern/flags; return (pattern, flags, wanted) and the rest of the line."""
        body = content.lstrip(BLANKS + "!")
        wanted = content[: len(content) - len(body)].count("!") % 2 == 0
        if not body:
            raise EntryError("no regexp")
        found = _delimited(body)
        if found is None:
            raise EntryError(f'no closing regexp delimiter "{body[0]}"')
        pattern, rest = body[1:found], body[found + 1 :]
        stop = BLANKS + ("!" if self.dialect.second_pattern else "")
        flags = re.split(f"[{stop}]", rest, maxsplit=1)[0]
        for flag in flags:
            if flag not in self.dialect.flags:
                raise EntryError(f'unknown regexp option "{flag}"')
        return (pattern, flags, wanted), rest[len(flags) :]

    def compile(self, pattern: tuple[str, str, bool]) -> Condition:
        """Return the condition of a pattern; equal patterns share a number."""
        text, flags, wanted = pattern
        number = self.numbers.get((text, flags))
        if number is None:
            try:
                compiled = self.dialect.compile(text.encode("latin-1"), flags)
            except PatternError as error:
                place = "" if error.offset is None else f" at offset {error.offset}"
                raise EntryError(f"error in regex{place}: {error.message}") from error
            number = self.numbers[text, flags] = len(self.patterns)
            self.patterns.append(compiled)
        return Condition(number, wanted)

    def finish(self) -> RuleSet:
        """Report open blocks and return everything."""
        for block in reversed(self.open):
            self.line = self.blocks[block][1]
            self.note("IF has no matching ENDIF", skipped=False)
        blocks = [
            Block(condition, self.ends.get(number, len(self.rules)))
            for number, (condition, _) in enumerate(self.blocks)
        ]
        rules = (
            Rule(line, tuple(blocks[number] for number in opened), conditions, result)
            for line, opened, conditions, result in self.rules
        )
        return RuleSet(tuple(self.patterns), tuple(rules), tuple(self.problems))


def _is_word(content: str, word: str) -> bool:
    """True when `content` begins with `word` in any case and the word ends there."""
    following = content[len(word) : len(word) + 1]
    is_longer = following.isascii() and following.isalnum()
    return content[: len(word)].lower() == word and not is_longer


def _delimited(body: str) -> int | None:
    """Return where the delimiter that begins `body` occurs again; a backslash protects."""
    at = 1
    while at < len(body):
        if body[at] == "\\":
            at += 1
        elif body[at] == body[0]:
            return at
        at += 1
    return None


def _decoded(result: Substitution) -> Substitution:
    """Return `result` with its texts as characters again."""
    return Substitution(
        tuple(
            part
            if isinstance(part, int)
            else part.encode("latin-1").decode(errors="surrogateescape")
            for part in result.parts
        )
    )
