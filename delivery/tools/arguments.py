"""arguments - a command line as getopt(3) reads it, and a last word on standard error.

SUMMARY      read(name, words, "c:d:h") -> (options in order, operands); raises Fatal
             run(name, usage status, function) -> exit status
             show(lines): to standard output
RULES        an error is "name: fatal: text" on standard error, as all Postfix commands have it
SOURCE       getopt(3); Postfix msg_fatal(3)
"""

from __future__ import annotations

import contextlib
import getopt
import sys
from collections.abc import Callable, Iterable, Sequence

from delivery.printable import printable
from delivery.submission.options import complaint

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
        raise Fatal(usage, complaint(error, letters)) from None
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


def show(lines: Iterable[str]) -> None:
    """Lines for whoever reads, in UTF-8. Raises Fatal; BrokenPipeError: nobody reads any more."""
    out = sys.stdout.buffer
    try:
        for line in lines:
            out.write(f"{line}\n".encode("utf-8", "replace"))
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Fatal(f"output write error: {error.strerror}") from error


def say(name: str, text: str) -> None:
    """A line for the operator."""
    with contextlib.suppress(OSError):  # nobody listens: the status says it all
        print(f"{name}: {printable(text)}", file=sys.stderr)
