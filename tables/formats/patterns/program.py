"""program - a tree as instructions for the matcher of backtrack.py.

SUMMARY      compile_tree(tree, groups) -> Program
RULES        alternatives come from the left, greedy loops try another round first, lazy ones none;
             a loop whose body may match nothing remembers where its round began. Counted loops are
             written out, but for those of one set of bytes, which are one instruction.
ERRORS       PatternError when a pattern has more instructions than allowed
SOURCE       pcre2pattern(3), regex(7)
"""

from __future__ import annotations

import functools
import operator
import re
from dataclasses import dataclass, field
from typing import Any

from tables.formats.patterns.linear import write_chars
from tables.formats.patterns.syntax import (
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
    can_be_empty,
    fixed_length,
)

MOST_INSTRUCTIONS = 20_000

# What an instruction does; in brackets the operands that stand behind it.
# Plain numbers, not an enum: the loop that compares them is the whole cost of matching.
CHAR = 0  # (table): one byte whose entry in the table is not zero
RUN = 1  # (pattern, least, greed): a repeated set of bytes
SPLIT = 2  # (first, second): try one, then the other
JUMP = 3  # (target)
SAVE = 4  # (slot): remember the position
LEAVE = 5  # (slot, target): go to target when nothing was matched since SAVE of slot
PLACE = 6  # (place)
REFER = 7  # (groups, fold)
LOOK = 8  # (list of code and how far back it starts, negative)
ATOMIC = 9  # (code)
CLOSE = 10  # (slot, group): the group began where slot says and ends here
WHEN = 11  # (group, target): go to target when the group is not set
TEST = 12  # (look, target): go to target when the look-around does not hold
MATCH = 13

Instruction = tuple[Any, ...]
Code = list[Instruction]


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled pattern; `slots` are twice the groups (0 included) and what loops remember."""

    code: Code = field(repr=False)
    groups: int
    slots: int
    anchored: bool
    begin: re.Pattern[bytes] | None  # a match can only begin at one of these bytes


def compile_tree(tree: Node, groups: int) -> Program:
    """Return the program of `tree`, which has `groups` groups."""
    compiler = _Compiler(groups)
    code: Code = []
    compiler.node(tree, code)
    code.append((MATCH,))
    first = tree.items[0] if isinstance(tree, Sequence) and tree.items else tree
    anchored = isinstance(first, Assertion) and first.place is Place.TEXT_START
    mask = first_bytes(tree)
    begin = None if mask is None else re.compile(write_chars(mask).encode())
    return Program(code, groups, compiler.slots, anchored, begin)


class _Compiler:
    """Writes instructions; the targets of jumps count within one list."""

    def __init__(self, groups: int) -> None:
        self.slots = 2 * (groups + 1)
        self.instructions = 0

    def emit(self, code: Code, *instruction: Any) -> int:
        """Append an instruction and return its index."""
        self.instructions += 1
        if self.instructions > MOST_INSTRUCTIONS:
            raise PatternError("regular expression is too large")
        code.append(instruction)
        return len(code) - 1

    def apart(self, node: Node) -> Code:
        """Return `node` as code of its own."""
        code: Code = []
        self.node(node, code)
        self.emit(code, MATCH)
        return code

    def node(self, node: Node, code: Code) -> None:
        match node:
            case Chars(mask):
                self.emit(code, CHAR, bytes(mask >> byte & 1 for byte in range(256)))
            case Sequence(items):
                for item in items:
                    self.node(item, code)
            case Alternatives(items):
                self.alternatives(items, code)
            case Group(number, item):
                begin = self.slot()
                self.emit(code, SAVE, begin)
                self.node(item, code)
                self.emit(code, CLOSE, begin, number)
            case Repeat():
                self.repeat(node, code)
            case Assertion(place):
                self.emit(code, PLACE, place)
            case Backreference(numbers, fold):
                self.emit(code, REFER, numbers, fold)
            case Atomic(item):
                self.emit(code, ATOMIC, self.apart(item))
            case KeepOut():
                self.emit(code, SAVE, 0)
            case Look():
                self.emit(code, *self.look(node))
            case Conditional():
                self.conditional(node, code)

    def slot(self) -> int:
        """Return a new slot that is no group's."""
        self.slots += 1
        return self.slots - 1

    def alternatives(self, items: tuple[Node, ...], code: Code) -> None:
        jumps = []
        for item in items[:-1]:
            split = self.emit(code, SPLIT)
            self.node(item, code)
            jumps.append(self.emit(code, JUMP))
            code[split] = (SPLIT, split + 1, len(code))
        self.node(items[-1], code)
        for jump in jumps:
            code[jump] = (JUMP, len(code))

    def repeat(self, node: Repeat, code: Code) -> None:
        if isinstance(node.item, Chars):
            self.emit(code, RUN, run_pattern(node), node.least, node.greed)
        elif node.greed is Greed.POSSESSIVE:
            self.emit(code, ATOMIC, self.apart(Repeat(node.item, node.least, node.most)))
        else:
            for _ in range(node.least):
                self.node(node.item, code)
            if node.most is None:
                self.loop(node, code)
            else:
                splits = []
                for _ in range(node.most - node.least):
                    splits.append(self.emit(code, SPLIT))
                    self.node(node.item, code)
                for split in splits:
                    code[split] = _split(split + 1, len(code), node.greed)

    def loop(self, node: Repeat, code: Code) -> None:
        """Write an endless loop; a round that matched nothing leaves it."""
        split = self.emit(code, SPLIT)
        if can_be_empty(node.item):
            mark = self.slot()
            self.emit(code, SAVE, mark)
            self.node(node.item, code)
            leave = self.emit(code, LEAVE)
            self.emit(code, JUMP, split)
            code[leave] = (LEAVE, mark, len(code))
        else:
            self.node(node.item, code)
            self.emit(code, JUMP, split)
        code[split] = _split(split + 1, len(code), node.greed)

    def look(self, node: Look) -> Instruction:
        if node.ahead:
            return (LOOK, [(self.apart(node.item), 0)], node.negative)
        items = node.item.items if isinstance(node.item, Alternatives) else (node.item,)
        return (LOOK, [(self.apart(i), fixed_length(i) or 0) for i in items], node.negative)

    def conditional(self, node: Conditional, code: Code) -> None:
        if isinstance(node.test, int):
            test = self.emit(code, WHEN, node.test)
        else:
            test = self.emit(code, TEST, self.look(node.test))
        self.node(node.yes, code)
        jump = self.emit(code, JUMP)
        code[test] = (*code[test], len(code))
        self.node(node.no, code)
        code[jump] = (JUMP, len(code))


def _split(body: int, behind: int, greed: Greed) -> Instruction:
    return (SPLIT, behind, body) if greed is Greed.LAZY else (SPLIT, body, behind)


def run_pattern(node: Repeat) -> re.Pattern[bytes]:
    """Return a repeated set of bytes for the re module, which cannot backtrack into it."""
    assert isinstance(node.item, Chars)
    most = "" if node.most is None else node.most
    return re.compile(f"{write_chars(node.item.mask)}{{{node.least},{most}}}".encode())


def first_bytes(node: Node) -> int | None:
    """Return the set of bytes a match can begin with; None when it may begin anywhere."""
    match node:
        case Chars(mask):
            return mask
        case Sequence(items):
            # Assertions in front take nothing away; references and the like could be anything.
            solid = [item for item in items if not isinstance(item, Assertion | Look | KeepOut)]
            return first_bytes(solid[0]) if solid else None
        case Alternatives(items):
            masks = [first_bytes(item) for item in items]
            if None in masks:
                return None
            return functools.reduce(operator.or_, (mask or 0 for mask in masks))
        case Group(item=item) | Atomic(item=item):
            return first_bytes(item)
        case Repeat(item=item, least=least):
            return first_bytes(item) if least else None
        case _:
            return None
