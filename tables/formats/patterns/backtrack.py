"""backtrack - the matcher for what RE2 cannot do: complete, and limited in the steps it may take.

SUMMARY      compile_tree(tree, groups) -> Program; Program.search(text, budget) -> spans or None
RULES        the order of trying is Perl's: alternatives from the left, greedy loops longest first;
             a loop whose body matched nothing goes on behind the loop. With `longest` all ways are
             tried and the longest match from the leftmost start wins (POSIX); of equals, the first.
BOUND        every instruction takes one step of a Budget shared by all patterns of one look-up;
             when it is used up, StepLimit is raised and the answer is unknown. Memory is bounded by
             the budget. Nothing recurses over the subject, only over the nesting of the pattern.
ERRORS       StepLimit; PatternError when a pattern has more instructions than allowed
SOURCE       pcre2pattern(3), regex(7); the idea of the budget is "match limit" of pcre2api(3)
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tables.formats.patterns.linear import write_chars
from tables.formats.patterns.syntax import (
    WORD,
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

# At most 0.05 to 0.1 s on a slow machine; PCRE2's own limit is 10,000,000 steps (in C).
STEPS = 100_000
# Instructions of one pattern; large counted repetitions are written out.
MOST_INSTRUCTIONS = 20_000

Span = tuple[int, int]
UNSET: Span = (-1, -1)


class StepLimit(Exception):
    """The match was given up: too many steps."""


class Budget:
    """How many steps one look-up may still take."""

    __slots__ = ("left",)

    def __init__(self, steps: int = STEPS) -> None:
        self.left = steps


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
    """A compiled pattern."""

    code: Code = field(repr=False)
    groups: int
    slots: int
    anchored: bool
    begin: re.Pattern[bytes] | None  # a match can only begin at one of these bytes

    def search(self, text: bytes, budget: Budget, *, longest: bool = False) -> list[Span] | None:
        """Return the spans of the match and of all groups, None when there is no match."""
        starts: Iterable[int] = range(1 if self.anchored else len(text) + 1)
        if self.begin is not None and not self.anchored:
            starts = (found.start() for found in self.begin.finditer(text))
        for start in starts:
            machine = _Machine(text, self.slots, budget)
            machine.slots[0] = start
            end = machine.run(self.code, start, longest=longest)
            if end >= 0:
                machine.slots[1] = end
                pairs = zip(machine.slots[::2], machine.slots[1::2], strict=False)
                return [
                    pair if pair[0] >= 0 and pair[1] >= 0 else UNSET
                    for pair, _ in zip(pairs, range(self.groups + 1), strict=False)
                ]
        return None


class _Machine:
    """One attempt to match from one start."""

    __slots__ = ("budget", "slots", "text", "trail")

    def __init__(self, text: bytes, slots: int, budget: Budget) -> None:
        self.text = text
        self.budget = budget
        self.slots = [-1] * slots
        self.trail: list[tuple[int, int]] = []

    def run(self, code: Code, at: int, *, longest: bool = False) -> int:
        """Run `code` from position `at`; return where it ended, -1 when it did not match.

        Slots keep what the match saved; when there is none they are as before.
        """
        text, size, slots, trail, budget = (
            self.text,
            len(self.text),
            self.slots,
            self.trail,
            self.budget,
        )
        # What to try when a way fails: (instruction, position, trail length, limit, step).
        # limit and step are set for a run that can still be shortened or lengthened.
        choices: list[tuple[int, int, int, int, int]] = []
        floor = len(trail)
        best, best_slots = -1, slots
        here = 0
        while True:
            if budget.left <= 0:
                raise StepLimit
            budget.left -= 1
            instruction = code[here]
            op = instruction[0]
            matched = True
            if op == CHAR:
                if at < size and instruction[1][text[at]]:
                    at += 1
                    here += 1
                    continue
                matched = False
            elif op == SPLIT:
                choices.append((instruction[2], at, len(trail), at, 0))
                here = instruction[1]
                continue
            elif op == SAVE:
                trail.append((instruction[1], slots[instruction[1]]))
                slots[instruction[1]] = at
                here += 1
                continue
            elif op == RUN:
                found = instruction[1].match(text, at)
                matched = found is not None
                if matched:
                    end, shortest = found.end(), at + instruction[2]
                    budget.left -= (end - at) >> 5
                    here += 1
                    if instruction[3] is Greed.POSSESSIVE or end == shortest:
                        at = end
                    elif instruction[3] is Greed.GREEDY:
                        choices.append((here, end - 1, len(trail), shortest, -1))
                        at = end
                    else:
                        choices.append((here, shortest + 1, len(trail), end, 1))
                        at = shortest
            elif op == JUMP:
                here = instruction[1]
            elif op == LEAVE:
                here = instruction[2] if slots[instruction[1]] == at else here + 1
            elif op == MATCH:
                if not longest:
                    return at
                if at > best:
                    best, best_slots = at, slots.copy()
                matched = False
            else:
                at, here = self.rare(instruction, at, here)
                matched = at >= 0
            if matched:
                continue
            if not choices:
                self.undo(floor)
                if best >= 0:
                    slots[:] = best_slots
                return best
            here, at, length, limit, step = choices.pop()
            if len(trail) > length:
                self.undo(length)
            if step and at != limit:
                choices.append((here, at + step, length, limit, step))

    def undo(self, length: int) -> None:
        """Put back what slots held when the trail had `length` records."""
        trail, slots = self.trail, self.slots
        while len(trail) > length:
            slot, value = trail.pop()
            slots[slot] = value

    def rare(self, instruction: Instruction, at: int, here: int) -> tuple[int, int]:
        """Do the operations that are seldom; return position (-1: failed) and next instruction."""
        op = instruction[0]
        following = here + 1
        if op == PLACE:
            return (at if holds(instruction[1], self.text, at) else -1), following
        if op == REFER:
            return self.refer(instruction[1], instruction[2], at), following
        if op == ATOMIC:
            return self.run(instruction[1], at), following
        if op == WHEN:
            is_set = self.slots[2 * instruction[1] + 1] >= 0
            return at, (following if is_set else instruction[2])
        if op == CLOSE:
            for slot, value in (
                (2 * instruction[2], self.slots[instruction[1]]),
                (2 * instruction[2] + 1, at),
            ):
                self.trail.append((slot, self.slots[slot]))
                self.slots[slot] = value
            return at, following
        if op == TEST:
            return at, (following if self.look(instruction[1], at) else instruction[2])
        assert op == LOOK
        return (at if self.look(instruction, at) else -1), following

    def look(self, instruction: Instruction, at: int) -> bool:
        """Evaluate a look-around; a negative one leaves no trace in the slots."""
        _, codes, negative = instruction
        floor = len(self.trail)
        for code, length in codes:
            if at >= length and self.run(code, at - length) >= 0:
                if negative:
                    self.undo(floor)
                    return False
                return True
        return bool(negative)

    def refer(self, groups: tuple[int, ...], fold: bool, at: int) -> int:
        """Match again what a group matched; -1 when it differs or no group is set."""
        for group in groups:
            start, end = self.slots[2 * group], self.slots[2 * group + 1]
            if start >= 0 and end >= 0:
                break
        else:
            return -1
        wanted, there = self.text[start:end], self.text[at : at + end - start]
        self.budget.left -= len(wanted) >> 5
        if wanted == there or (fold and wanted.lower() == there.lower()):
            return at + len(wanted)
        return -1


_WORD = frozenset(byte for byte in range(256) if WORD >> byte & 1)


def holds(place: Place, text: bytes, at: int) -> bool:
    """Return whether position `at` of `text` is such a place."""
    size = len(text)
    if place is Place.TEXT_START:
        return at == 0
    if place is Place.TEXT_END:
        return at == size
    if place is Place.TEXT_END_OR_LAST_NEWLINE:
        return at == size or (at == size - 1 and text[at] == 0x0A)
    if place is Place.LINE_START:
        return at == 0 or text[at - 1] == 0x0A
    if place is Place.LINE_START_NOT_LAST:
        return at == 0 or (text[at - 1] == 0x0A and at < size)
    if place is Place.LINE_END:
        return at == size or text[at] == 0x0A
    before = at > 0 and text[at - 1] in _WORD
    after = at < size and text[at] in _WORD
    if place is Place.WORD_BOUNDARY:
        return before != after
    if place is Place.NOT_WORD_BOUNDARY:
        return before == after
    return after and not before if place is Place.WORD_START else before and not after


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
