"""perl - PCRE2 patterns, as Postfix compiles them: bytes, no UTF mode, ASCII letters.

SUMMARY      parse(pattern, Flags) -> tree and group count
RULES        option changes inside a group last until its end, over later alternatives too. A number
             behind a backslash is a back reference below 10 or when so many groups came before,
             else octal. Whatever follows \\Q is literal up to \\E.
ERRORS       PatternError with PCRE2's words and the offset in bytes
NOT DONE     recursion and subroutine calls, callouts, verbs such as (*UTF), \\p{..}, \\X: refused
             with "not supported", never taken for something else
SOURCE       pcre2pattern(3), pcre2api(3) error texts, pcre_table(5)
"""

from __future__ import annotations

from tables.formats.patterns.classes import (
    CLASS_ESCAPES,
    NEWLINES,
    named_class_ahead,
    read_class,
    read_code,
)
from tables.formats.patterns.perlsigns import QUANTIFIER, Flags, PerlReader
from tables.formats.patterns.syntax import (
    ALL_BYTES,
    EMPTY,
    NEWLINE,
    Alternatives,
    Assertion,
    Atomic,
    Backreference,
    Chars,
    Conditional,
    Greed,
    Group,
    KeepOut,
    Look,
    Node,
    PatternError,
    Place,
    Repeat,
    Sequence,
    fixed_length,
    fold_mask,
    read_number,
    walk,
)

MOST_NESTING = 40  # PCRE2 allows 250; the parser is recursive

NOT_REPEATABLE = "quantifier does not follow a repeatable item"
MISSING_CLOSE = "missing closing parenthesis"
UNMATCHED_CLOSE = "unmatched closing parenthesis"
NO_SUCH_GROUP = "reference to non-existent subpattern"
AFTER_QUESTION = "unrecognized character after (? or (?-"

_PLACES = {
    "A": Place.TEXT_START,
    "G": Place.TEXT_START,  # the start of matching, which here is always the start of the subject
    "z": Place.TEXT_END,
    "Z": Place.TEXT_END_OR_LAST_NEWLINE,
    "b": Place.WORD_BOUNDARY,
    "B": Place.NOT_WORD_BOUNDARY,
}
_PLAIN = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@_-%=/,:;<>\"'!~&"
)
_LOOKS = {b"?=": (True, False), b"?!": (True, True), b"?<=": (False, False), b"?<!": (False, True)}


def parse(pattern: bytes, flags: Flags) -> tuple[Node, int]:
    """Return the tree of `pattern` and the number of its groups."""
    parser = _Parser(pattern)
    node, _ = parser.alternatives(flags)
    if not parser.ended:
        raise PatternError(UNMATCHED_CLOSE, parser.at)
    parser.check_references(node)
    if flags.anchored:
        node = Sequence((Assertion(Place.TEXT_START), node))
    return node, parser.groups


class _Parser(PerlReader):
    """One pass over one pattern."""

    def __init__(self, pattern: bytes) -> None:
        super().__init__(pattern)
        self.groups = 0
        self.names: dict[bytes, list[int]] = {}
        self.named_references: dict[int, bytes] = {}
        self.nesting = 0
        self.has_references = False

    # --- structure ------------------------------------------------------------------------------
    def alternatives(self, flags: Flags, *, reset: bool = False) -> tuple[Node, Flags]:
        """Read up to a closing parenthesis or the end; return the options in force there."""
        start = highest = self.groups
        branches: list[Node] = []
        while True:
            branch, flags = self.branch(flags)
            branches.append(branch)
            highest = max(highest, self.groups)
            if not self.take(b"|"):
                break
            if reset:
                self.groups = start
        self.groups = highest
        return (branches[0] if len(branches) == 1 else Alternatives(tuple(branches))), flags

    def branch(self, flags: Flags) -> tuple[Node, Flags]:
        items: list[Node] = []
        repeatable = False
        while not self.ended:
            byte = self.pattern[self.at]
            if byte in _PLAIN and not self.quoting:  # most of most patterns
                self.at += 1
                items.append(self.literal(byte, flags))
                repeatable = True
                continue
            if not self.quoting and self.peek(b"|", b")"):
                break
            if self.skip_quoting() or (not self.quoting and self.skip_comment(flags)):
                continue
            if not self.quoting:
                bounds = self.quantifier()
                if bounds is not None:
                    if not repeatable:
                        raise PatternError(NOT_REPEATABLE, self.at - 1)
                    items[-1] = self.repeat(items[-1], bounds, flags)
                    repeatable = False
                    continue
                changed = self.option_setting(flags)
                if changed is not None:
                    flags, repeatable = changed, False
                    continue
            node = self.item(flags)
            items.append(node)
            repeatable = not isinstance(node, Assertion | KeepOut)
        return (items[0] if len(items) == 1 else Sequence(tuple(items))), flags

    def item(self, flags: Flags) -> Node:
        byte = self.next()
        char = chr(byte)
        if self.quoting:
            return self.literal(byte, flags)
        if char == "\\":
            return self.escape(flags)
        if char == "[":
            if named_class_ahead(self.pattern, self.at - 1):
                raise PatternError("POSIX named classes are supported only within a class", self.at)
            return Chars(read_class(self, flags.fold))
        if char == "(":
            return self.group(flags)
        if char == ".":
            return Chars(ALL_BYTES if flags.dotall else ALL_BYTES & ~NEWLINE)
        if char == "^":
            place = Place.LINE_START_NOT_LAST if flags.multiline else Place.TEXT_START
            return Assertion(place)
        if char == "$":
            return Assertion(_dollar(flags))
        return self.literal(byte, flags)

    def literal(self, byte: int, flags: Flags) -> Node:
        return Chars(fold_mask(1 << byte) if flags.fold else 1 << byte)

    # --- repetition -------------------------------------------------------------------------------
    def repeat(self, node: Node, bounds: tuple[int, int | None], flags: Flags) -> Node:
        least, most = bounds
        if self.take(b"+"):
            greed = Greed.POSSESSIVE
        else:
            lazy = self.take(b"?") != flags.ungreedy
            greed = Greed.LAZY if lazy else Greed.GREEDY
        if most == 0:
            return EMPTY
        if isinstance(node, Look):  # asserting twice says nothing more
            least, most = min(least, 1), 1
        return Repeat(node, least, most, greed)

    # --- groups -----------------------------------------------------------------------------------
    def option_setting(self, flags: Flags) -> Flags | None:
        """Read (?i-m) if one stands here and return the options from here on."""
        if not self.peek(b"(?") or self.peek(b"(?#"):
            return None
        start = self.at
        self.at += 2
        changed = self.options(flags)
        if changed is None or not self.take(b")"):
            self.at = start
            return None
        return changed

    def group(self, flags: Flags) -> Node:
        """Read a group; its opening parenthesis has been read."""
        self.nesting += 1
        if self.nesting > MOST_NESTING:
            raise PatternError("parentheses are too deeply nested", self.at)
        if self.peek(b"*"):
            raise PatternError("verbs are not supported", self.at)
        node = self.special(flags) if self.peek(b"?") else self.capture(flags, None)
        if not self.take(b")"):
            raise PatternError(MISSING_CLOSE, len(self.pattern))
        self.nesting -= 1
        return node

    def capture(self, flags: Flags, name: bytes | None) -> Node:
        if name is None and flags.plain_groups:
            return self.alternatives(flags)[0]
        self.groups += 1
        number = self.groups
        if name is not None:
            numbers = self.names.setdefault(name, [])
            if numbers and number not in numbers and not flags.duplicate_names:
                raise PatternError("two named subpatterns have the same name", self.at)
            if number not in numbers:
                numbers.append(number)
        return Group(number, self.alternatives(flags)[0])

    def special(self, flags: Flags) -> Node:
        """Read what begins with (? ."""
        for sign, (ahead, negative) in _LOOKS.items():
            if self.take(sign):
                item = self.alternatives(flags)[0]
                if any(isinstance(part, KeepOut) for part in walk(item)):
                    raise PatternError("\\K is not allowed in lookarounds", self.at)
                if not ahead:
                    check_look_behind(item, self.at)
                return Look(item, ahead, negative)
        if self.take(b"?>"):
            return Atomic(self.alternatives(flags)[0])
        if self.take(b"?|"):
            return self.alternatives(flags, reset=True)[0]
        if self.take(b"?("):
            return self.conditional(flags)
        if self.take(b"?P="):
            return self.named_reference(self.name(b")", keep=True), flags)
        for sign, end in ((b"?P<", b">"), (b"?<", b">"), (b"?'", b"'")):
            if self.take(sign):
                return self.capture(flags, self.name(end))
        if (
            self.peek(b"?R", b"?&", b"?P>", b"?+", b"?C")
            or self.pattern[self.at + 1 :][:1].isdigit()
        ):
            raise PatternError("recursion and callouts are not supported", self.at)
        self.at += 1
        changed = self.options(flags)
        if changed is None or not self.take(b":"):
            raise PatternError(AFTER_QUESTION, self.at)
        return self.alternatives(changed)[0]

    def conditional(self, flags: Flags) -> Node:
        """Read (?(test)yes|no); the test's opening parenthesis has been read."""
        test: Look | int
        if self.peek(b"?=", b"?!", b"?<=", b"?<!"):
            look = self.special(flags)
            assert isinstance(look, Look)
            test = look
            if not self.take(b")"):
                raise PatternError(MISSING_CLOSE, len(self.pattern))
        else:
            test = self.condition()
        body, _ = self.alternatives(flags)
        branches = body.items if isinstance(body, Alternatives) else (body,)
        if len(branches) > 2:
            raise PatternError("conditional subpattern contains more than two branches", self.at)
        return Conditional(test, branches[0], branches[1] if len(branches) == 2 else EMPTY)

    def condition(self) -> int:
        """Read 1) or <name>) or 'name') or name) of a conditional group; return the group."""
        self.has_references = True
        text = self.name(b")")
        if text[:1] in (b"+", b"-") and text[1:].isdigit():
            offset = read_number(text[1:]) * (-1 if text[:1] == b"-" else 1)
            number = self.groups + offset + (1 if offset < 0 else 0)
        elif text.isdigit():
            number = read_number(text)
        else:
            if text in (b"R", b"DEFINE") or text[:1] == b"R":
                raise PatternError("recursion conditions are not supported", self.at)
            name = text[1:-1] if text[:1] in (b"<", b"'") else text
            numbers = self.names.get(name)
            if not numbers:
                raise PatternError(NO_SUCH_GROUP, self.at)
            number = numbers[0]
        if number < 1:
            raise PatternError(NO_SUCH_GROUP, self.at)
        return number

    # --- escapes ----------------------------------------------------------------------------------
    def escape(self, flags: Flags) -> Node:
        """Read one escape outside a class; its backslash has been read."""
        if self.ended:
            raise PatternError("\\ at end of pattern", self.at)
        char = chr(self.pattern[self.at])
        if char in _PLACES:
            self.at += 1
            return Assertion(_PLACES[char])
        if char in CLASS_ESCAPES:
            self.at += 1
            if char == "N" and self.peek(b"{") and not QUANTIFIER.match(self.pattern, self.at):
                raise PatternError("\\N{name} is not supported", self.at)
            return Chars(CLASS_ESCAPES[char])
        if char == "K":
            self.at += 1
            return KeepOut()
        if char == "R":
            self.at += 1
            pair = Sequence((Chars(1 << 0x0D), Chars(NEWLINE)))
            return Atomic(Alternatives((pair, Chars(NEWLINES))))
        if char in "gk" or char in "123456789":
            reference = self.reference(flags)
            if reference is not None:
                return reference
        return self.literal(read_code(self, in_class=False), flags)

    def reference(self, flags: Flags) -> Node | None:
        """Read \\1 \\g1 \\g{-1} \\g{name} \\k<name> if it is one; the backslash has been read."""
        self.has_references = True
        if self.take(b"k"):
            for begin, end in ((b"<", b">"), (b"'", b"'"), (b"{", b"}")):
                if self.take(begin):
                    return self.named_reference(self.name(end), flags)
            raise PatternError("\\k is not followed by a name", self.at)
        if self.peek(b"g<", b"g'"):
            raise PatternError("subroutine calls are not supported", self.at)
        if self.take(b"g"):
            braced = self.take(b"{")
            start = self.at
            self.take(b"-") or self.take(b"+")
            digits = self.digits()
            if braced and not digits:
                self.at = start
                return self.named_reference(self.name(b"}"), flags)
            if not digits or (braced and not self.take(b"}")):
                raise PatternError("a numbered reference must not be zero or missing", self.at)
            sign = self.pattern[start : start + 1]
            number = read_number(digits)
            if sign == b"-":
                number = self.groups + 1 - number
            elif sign == b"+":
                number = self.groups + number
            if number < 1:
                raise PatternError(NO_SUCH_GROUP, self.at)
            return Backreference((number,), flags.fold)
        start = self.at
        digits = self.digits()
        number = read_number(digits)
        if number < 10 or digits[:1] in (b"8", b"9") or number <= self.groups:
            return Backreference((number,), flags.fold)
        self.at = start
        return None

    def named_reference(self, name: bytes, flags: Flags) -> Node:
        """Return a reference by name; the groups may come later in the pattern."""
        self.has_references = True
        placeholder = -1 - len(self.named_references)
        self.named_references[placeholder] = name
        return Backreference((placeholder,), flags.fold)

    def check_references(self, tree: Node) -> None:
        """Refuse references to groups that do not exist."""
        if not self.has_references:
            return
        for node in walk(tree):
            if isinstance(node, Backreference):
                number = node.numbers[0]
                if number < 0:
                    numbers = self.names.get(self.named_references[number])
                    if not numbers:
                        raise PatternError(NO_SUCH_GROUP, len(self.pattern))
                    object.__setattr__(node, "numbers", tuple(numbers))
                elif number > self.groups:
                    raise PatternError(NO_SUCH_GROUP, len(self.pattern))
            elif (
                isinstance(node, Conditional)
                and isinstance(node.test, int)
                and node.test > self.groups
            ):
                raise PatternError(NO_SUCH_GROUP, len(self.pattern))


def _dollar(flags: Flags) -> Place:
    if flags.multiline:
        return Place.LINE_END
    return Place.TEXT_END if flags.end_only else Place.TEXT_END_OR_LAST_NEWLINE


def check_look_behind(node: Node, at: int) -> None:
    """Refuse a look-behind whose alternatives have no fixed length."""
    for item in node.items if isinstance(node, Alternatives) else (node,):
        if fixed_length(item) is None:
            raise PatternError("lookbehind assertion is not fixed length", at)
