"""arguments - a command line as getopt(3) reads it, and a last word on standard error.

SUMMARY      read(name, words, "c:d:h") -> (options in order, operands); raises Fatal
             run(name, usage status, function) -> exit status
RULES        an error is "name: fatal: text" on standard error, as all Postfix commands have it
SOURCE       getopt(3); Postfix msg_fatal(3)
"""

from __future__ import annotations

import getopt
import sys
from collections.abc import Callable, Sequence

Options = list[tuple[str, str]]  # letter, value


class Fatal(Exception):
    """The command cannot go on; the text is for the operator."""

    def __init__(self, text: str, *notes: str) -> None:
        super().__init__(text)
        self.notes = notes


def read(words: Sequence[str], letters: str, usage: str) -> tuple[Options, list[str]]:
    """Options and operands. Raises Fatal with the usage."""
    try:
        options, operands = getopt.getopt(list(words), letters)
    except getopt.GetoptError as error:
        if letters.find(f"{error.opt}:") >= 0:
            raise Fatal(usage, f"option requires an argument -- '{error.opt}'") from None
        raise Fatal(usage, f"invalid option -- '{error.opt}'") from None
    return [(name.lstrip("-"), value) for name, value in options], operands


def run(name: str, status: int, command: Callable[[], None]) -> int:
    """Carry out a command; `status` is what it ends with when it is Fatal."""
    try:
        command()
    except Fatal as error:
        for note in error.notes:
            say(name, note)
        say(name, f"fatal: {error}")
        return status
    except BrokenPipeError:
        pass  # whoever reads has enough
    return 0


def say(name: str, text: str) -> None:
    """A line for the operator."""
    print(f"{name}: {text}", file=sys.stderr)
