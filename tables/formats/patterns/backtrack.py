"""backtrack - the matcher for what RE2 cannot do: complete, and limited in the steps it may take.

SUMMARY      search(program, text, budget) -> spans of the match and its groups, or None
RULES        the order of trying is Perl's: alternatives from the left, greedy loops longest first;
             a loop whose body matched nothing goes on behind the loop. With `longest` all ways are
             tried and the longest match from the leftmost start wins (POSIX); of equals, the first.
BOUND        every instruction takes one step of a Budget shared by all patterns of one look-up;
             when it is used up, StepLimit is raised and the answer is unknown. Memory is bounded by
             the budget. Nothing recurses over the subject, only over the nesting of the pattern.
ERRORS       StepLimit
SOURCE       pcre2pattern(3), regex(7); the idea of the budget is "match limit" of pcre2api(3)
"""

from __future__ import annotations

from collections.abc import Iterable

from tables.formats.patterns.program import (
    ATOMIC,
    CHAR,
    CLOSE,
    JUMP,
    LEAVE,
    LOOK,
    MATCH,
    PLACE,
    REFER,
    RUN,
    SAVE,
    SPLIT,
    TEST,
    WHEN,
    Code,
    Instruction,
    Program,
)
from tables.formats.patterns.syntax import WORD, Greed, Place

# At most 0.05 to 0.1 s on a slow machine; PCRE2's own limit is 10,000,000 steps (in C).
STEPS = 100_000
Span = tuple[int, int]
UNSET: Span = (-1, -1)


class StepLimit(Exception):
    """The match was given up: too many steps."""


class Budget:
    """How many steps one look-up may still take."""

    __slots__ = ("left",)

    def __init__(self, steps: int = STEPS) -> None:
        self.left = steps


def search(
    program: Program, text: bytes, budget: Budget, *, longest: bool = False
) -> list[Span] | None:
    """Return the spans of the match and of all groups, None when there is no match."""
    starts: Iterable[int] = range(1 if program.anchored else len(text) + 1)
    if program.begin is not None and not program.anchored:
        starts = (found.start() for found in program.begin.finditer(text))
    for start in starts:
        machine = _Machine(text, program.slots, budget)
        machine.slots[0] = start
        end = machine.run(program.code, start, longest=longest)
        if end >= 0:
            machine.slots[1] = end
            return [machine.span(group) for group in range(program.groups + 1)]
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

    def span(self, group: int) -> Span:
        """Return what a group matched."""
        start, end = self.slots[2 * group : 2 * group + 2]
        return (start, end) if start >= 0 and end >= 0 else UNSET

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
