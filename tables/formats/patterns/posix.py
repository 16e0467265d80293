"""posix - regcomp(3) patterns, extended and basic, as glibc reads them in the C locale.

SUMMARY      parse(pattern, extended=, fold=, newline=) -> tree
RULES        the GNU operators (\\w \\W \\s \\S \\b \\B \\< \\> \\` \\') and back references work in
             both forms; any other escaped character stands for itself. Repetitions may be stacked
             (a*+?). An anchor cannot be repeated: a repetition behind one is an error (extended) or
             a literal (basic). With `fold` glibc upper-cases the pattern first, so a range such as
             [_-z] is an error.
ERRORS       PatternError with glibc's words (regerror(3))
NOT DONE     collating symbols of more than one character (the C locale has none)
SOURCE       regex(7), regcomp(3), postmap(1) messages as recorded
"""

from __future__ import annotations

from tables.formats.patterns.syntax import (
    ALL_BYTES,
    CLASSES,
    EMPTY,
    LOWER,
    NEWLINE,
    SPACE,
    UPPER,
    WORD,
    Alternatives,
    Assertion,
    Backreference,
    Chars,
    Group,
    Node,
    PatternError,
    Place,
    Repeat,
    Sequence,
    mask_range,
    read_number,
)

BAD_BACKREFERENCE = "Invalid back reference"
BAD_BRACE_CONTENT = "Invalid content of \\{\\}"
BAD_CLASS = "Invalid character class name"
BAD_COLLATION = "Invalid collation character"
BAD_PRECEDING = "Invalid preceding regular expression"
BAD_RANGE = "Invalid range end"
TOO_BIG = "Regular expression too big"
TRAILING_BACKSLASH = "Trailing backslash"
UNMATCHED_BRACE = "Unmatched { or \\{"
UNMATCHED_BRACKET = "Unmatched [, [^, [:, [., or [="
UNMATCHED_OPEN = "Unmatched ( or \\("
UNMATCHED_CLOSE = "Unmatched ) or \\)"

# RE_DUP_MAX of regex(7).
MOST_REPEATS = 0x7FFF
# Repetitions of one item, as in a*+?; and groups inside groups: the parser is recursive.
MOST_STACKED = 10
MOST_NESTING = 40

_GNU_PLACES = {
    ord("b"): Place.WORD_BOUNDARY,
    ord("B"): Place.NOT_WORD_BOUNDARY,
    ord("<"): Place.WORD_START,
    ord(">"): Place.WORD_END,
    ord("`"): Place.TEXT_START,
    ord("'"): Place.TEXT_END,
}
_GNU_SETS = {
    ord("w"): WORD,
    ord("W"): ALL_BYTES & ~WORD,
    ord("s"): SPACE,
    ord("S"): ALL_BYTES & ~SPACE,
}


def parse(
    pattern: bytes, *, extended: bool = True, fold: bool = False, newline: bool = False
) -> tuple[Node, int]:
    """Return the tree of `pattern` and the number of its groups (re_nsub).

    The keywords are REG_EXTENDED, REG_ICASE and REG_NEWLINE.
    """
    parser = _Parser(pattern, extended=extended, fold=fold, newline=newline)
    return parser.parse(), parser.groups


class _Parser:
    """One pass over one pattern. Tokens: an operator is a str, a literal is an int."""

    def __init__(self, pattern: bytes, *, extended: bool, fold: bool, newline: bool) -> None:
        self.pattern = pattern
        self.extended = extended
        self.fold = fold
        self.newline = newline
        self.position = 0
        self.groups = 0
        self.complete: frozenset[int] = frozenset()
        self.nesting = 0
        # What ^ means depends, in basic patterns, on what stands before it.
        self.at_start = True
        self.sign: str | int | None = None
        self.escaped = 0
        self.advance()

    def parse(self) -> Node:
        node = self.alternatives()
        if self.sign is not None:
            raise PatternError(UNMATCHED_CLOSE, self.position)
        return node

    # --- tokens ---------------------------------------------------------------------------------
    def advance(self) -> None:
        """Read the next token into self.sign; None at the end."""
        pattern, at = self.pattern, self.position
        if at >= len(pattern):
            self.sign = None
            return
        byte = pattern[at]
        if byte == 0x5C:
            if at + 1 >= len(pattern):
                raise PatternError(TRAILING_BACKSLASH, at)
            self.position = at + 2
            self.sign = self.escape(pattern[at + 1])
        else:
            self.position = at + 1
            self.sign = self.plain(byte)

    def escape(self, byte: int) -> str | int:
        char = chr(byte)
        if char in "(){}" and not self.extended:
            return char
        if char in "|+?" and not self.extended:
            return char
        if char in "123456789":
            self.escaped = byte - 0x30
            return "backreference"
        if byte in _GNU_PLACES:
            self.escaped = byte
            return "place"
        if byte in _GNU_SETS:
            self.escaped = byte
            return "set"
        return byte

    def plain(self, byte: int) -> str | int:
        char = chr(byte)
        if char in "*.[":
            return char
        if char == "^":
            return "^" if self.extended or self.at_start else byte
        if char == "$":
            return "$" if self.extended or self.ends_here() else byte
        if char in "(){}|+?" and self.extended:
            return char
        return byte

    def ends_here(self) -> bool:
        """True when a basic pattern's $ at the current place is an anchor."""
        rest = self.pattern[self.position :]
        return not rest or rest.startswith((b"\\)", b"\\|"))

    # --- grammar --------------------------------------------------------------------------------
    def alternatives(self) -> Node:
        before = self.complete
        branches = [self.branch()]
        complete = self.complete
        while self.sign == "|":
            self.at_start = True
            self.advance()
            self.complete = before  # a branch cannot refer to a group of another one
            branches.append(self.branch())
            complete |= self.complete
        self.complete = complete
        return branches[0] if len(branches) == 1 else Alternatives(tuple(branches))

    def branch(self) -> Node:
        items: list[Node] = []
        while self.sign is not None and self.sign != "|":
            if self.sign == ")" and self.nesting:
                break
            items.append(self.expression())
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def expression(self) -> Node:
        sign = self.sign
        self.at_start = False
        if isinstance(sign, int):
            node: Node = self.literal(sign)
            self.advance()
        elif sign in ("^", "$", "place"):
            return self.anchor(sign)
        elif sign in ("*", "+", "?", "{"):
            if self.extended or sign == "{":
                raise PatternError(BAD_PRECEDING, self.position)
            node = self.literal(ord(sign))
            self.advance()
        elif sign == "(":
            node = self.group()
        else:
            node = self.single(sign)
        return self.repetitions(node)

    def single(self, sign: str | None) -> Node:
        """Read one of: . [...] \\w \\1 and the closing signs that are literals here."""
        if sign == "[":
            node: Node = Chars(self.bracket())
        elif sign == ".":
            node = Chars(ALL_BYTES & ~NEWLINE if self.newline else ALL_BYTES)
        elif sign == "set":
            node = Chars(_GNU_SETS[self.escaped])
        elif sign == "backreference":
            if self.escaped not in self.complete:
                raise PatternError(BAD_BACKREFERENCE, self.position)
            node = Backreference((self.escaped,), self.fold)
        elif sign == ")" and not self.extended:
            raise PatternError(UNMATCHED_CLOSE, self.position)
        else:
            node = self.literal(ord(str(sign)))
        self.advance()
        return node

    def literal(self, byte: int) -> Node:
        return Chars(self.folded(1 << self.cased(byte)))

    def folded(self, mask: int) -> int:
        """With `fold`: the bytes whose upper-case form is in `mask`."""
        if not self.fold:
            return mask
        return mask & ~LOWER | (mask & UPPER) << 32

    def anchor(self, sign: str) -> Node:
        """Read an anchor; it cannot be repeated."""
        if sign == "^":
            place = Place.LINE_START if self.newline else Place.TEXT_START
        elif sign == "$":
            place = Place.LINE_END if self.newline else Place.TEXT_END
        else:
            place = _GNU_PLACES[self.escaped]
        self.advance()
        return Assertion(place)

    def group(self) -> Node:
        self.nesting += 1
        if self.nesting > MOST_NESTING:
            raise PatternError(TOO_BIG, self.position)
        self.groups += 1
        number = self.groups
        self.at_start = True
        self.advance()
        node = EMPTY if self.sign == ")" else self.alternatives()
        if self.sign != ")":
            raise PatternError(UNMATCHED_OPEN, self.position)
        self.nesting -= 1
        self.complete |= {number}
        self.at_start = False
        self.advance()
        return Group(number, node)

    def repetitions(self, node: Node) -> Node:
        repeated = 0
        while self.sign in ("*", "+", "?", "{"):
            if repeated and not self.extended and self.sign in ("*", "{"):
                raise PatternError(BAD_PRECEDING, self.position)
            least, most = self.bounds(str(self.sign))
            node = EMPTY if most == 0 else Repeat(node, least, most)
            repeated += 1
            if repeated > MOST_STACKED:
                raise PatternError(TOO_BIG, self.position)
        return node

    def bounds(self, sign: str) -> tuple[int, int | None]:
        """Read one repetition sign: the least and the most times."""
        if sign == "{":
            return self.interval()
        self.advance()
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]

    def interval(self) -> tuple[int, int | None]:
        """Read {n}, {n,}, {,m} or {n,m}; the opening brace has been read."""
        closing = b"}" if self.extended else b"\\}"
        end = self.pattern.find(closing, self.position)
        if end < 0:
            raise PatternError(UNMATCHED_BRACE, self.position)
        first, comma, last = self.pattern[self.position : end].partition(b",")
        if not _is_count(first) or not _is_count(last) or not (first or comma):
            raise PatternError(BAD_BRACE_CONTENT, self.position)
        least = read_number(first or b"0")
        most = read_number(last) if last else None if comma else least
        if most is not None and most < least:
            raise PatternError(BAD_BRACE_CONTENT, self.position)
        if max(least, most or 0) > MOST_REPEATS:
            raise PatternError(TOO_BIG, self.position)
        self.position = end + len(closing)
        self.advance()
        return least, most

    # --- bracket expressions --------------------------------------------------------------------
    def bracket(self) -> int:
        """Read up to the closing bracket; the opening one has been read."""
        pattern = self.pattern
        negative = pattern[self.position : self.position + 1] == b"^"
        if negative:
            self.position += 1
        mask = 0
        first = True
        while True:
            if self.position >= len(pattern):
                raise PatternError(UNMATCHED_BRACKET, self.position)
            if pattern[self.position] == 0x5D and not first:
                self.position += 1
                break
            mask |= self.bracket_item(first)
            first = False
        mask = self.folded(mask)
        if negative:
            mask = ALL_BYTES & ~mask & ~(NEWLINE if self.newline else 0)
        return mask

    def bracket_item(self, first: bool) -> int:
        """Read one class, character or range inside brackets."""
        name = self.named(b":")
        if name is not None:
            mask = CLASSES.get(name.decode("latin-1"))
            if mask is None:
                raise PatternError(BAD_CLASS, self.position)
            return UPPER if self.fold and mask in (UPPER, LOWER) else mask
        if not first and self.range_follows():  # a hyphen is literal only first or last
            raise PatternError(BAD_RANGE, self.position)
        start = self.endpoint()
        if self.range_follows():
            self.position += 1
            if self.named(b":") is not None:
                raise PatternError(BAD_RANGE, self.position)
            end = self.endpoint()
            if end < start:
                raise PatternError(BAD_RANGE, self.position)
            return mask_range(start, end)
        return 1 << start

    def range_follows(self) -> bool:
        """True at a hyphen that is not the last sign before the closing bracket."""
        rest = self.pattern[self.position : self.position + 2]
        return rest[:1] == b"-" and rest != b"-]"

    def endpoint(self) -> int:
        """Read one character, [.x.] or [=x=] of a bracket expression."""
        for mark in (b".", b"="):
            name = self.named(mark)
            if name is not None:
                if len(name) != 1:
                    raise PatternError(BAD_COLLATION, self.position)
                return self.cased(name[0])
        if self.position >= len(self.pattern):
            raise PatternError(UNMATCHED_BRACKET, self.position)
        byte = self.pattern[self.position]
        self.position += 1
        return self.cased(byte)

    def cased(self, byte: int) -> int:
        return _upper(byte) if self.fold else byte

    def named(self, mark: bytes) -> bytes | None:
        """Read [:name:], [.name.] or [=name=] if one stands here."""
        if not self.pattern.startswith(b"[" + mark, self.position):
            return None
        end = self.pattern.find(mark + b"]", self.position + 2)
        if end < 0:
            raise PatternError(UNMATCHED_BRACKET, self.position)
        name = self.pattern[self.position + 2 : end]
        self.position = end + 2
        return name


def _upper(byte: int) -> int:
    return byte - 32 if 0x61 <= byte <= 0x7A else byte


def _is_count(text: bytes) -> bool:
    return text.isdigit() or not text
