"""console - many programs, one terminal: each line with the name of its program.

SUMMARY      Console.line(name, text) from a program; Console.say(text) from us
RULES        Colour only on a terminal, and never with NO_COLOR set (no-color.org). Control
             characters are shown as \\x1b: what a stranger sent cannot steer the terminal.
             Each program's lines are also kept in WAYPOST_HOME/log/NAME.log, at most two files
             of LOG_LIMIT bytes.
ERRORS       none: a terminal that went away or a full disk must not stop a mail server
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import BinaryIO, TextIO

LOG_LIMIT = 8 * 1024 * 1024  # bytes
NAME_WIDTH = 9
COLOURS = {
    "waypost": "1", "postgres": "34", "broker": "35", "setup": "33",
    "panel": "32", "worker": "36", "scheduler": "94", "engine": "92",
}  # fmt: skip
UNSEEN = {code: f"\\x{code:02x}" for code in (*range(9), *range(10, 32), *range(127, 160))}


class Console:
    """The terminal, shared; and the log files beside it."""

    def __init__(self, stream: TextIO, log: Path | None) -> None:
        self._stream: TextIO | None = stream
        self._colour = stream.isatty() and not os.environ.get("NO_COLOR")
        self._log = log
        self._files: dict[str, BinaryIO] = {}

    def say(self, text: str) -> None:
        """A line of the supervisor's own."""
        self.line("waypost", text)

    def line(self, name: str, text: str, *, shown: bool = True, kept: bool = True) -> None:
        """One line of a program's output: to the terminal if shown, to its log file if kept."""
        clean = text.rstrip().translate(UNSEEN)
        if kept:
            self._keep(name, clean)
        if shown:
            self._show(self._paint(name, f"{name:<{NAME_WIDTH}} |") + f" {clean}\n")

    def block(self, text: str) -> None:
        """Lines without a name, set apart."""
        self._show(f"\n{text}\n\n")

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _paint(self, name: str, text: str) -> str:
        return f"\x1b[{COLOURS.get(name, '37')}m{text}\x1b[0m" if self._colour else text

    def _show(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # the terminal was closed; the log files go on
            self._stream = None

    def _keep(self, name: str, text: str) -> None:
        if self._log is None:
            return
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            file = self._open(name)
            file.write(f"{stamp} {text}\n".encode(errors="replace"))
        except OSError as error:
            self._log = None
            self._show(f"{'waypost':<{NAME_WIDTH}} | log files stopped: {error}\n")

    def _open(self, name: str) -> BinaryIO:
        assert self._log is not None
        path = self._log / f"{name}.log"
        file = self._files.get(name)
        if file is not None and file.tell() > LOG_LIMIT:
            self._files.pop(name).close()
            path.replace(path.with_suffix(".log.1"))
            file = None
        if file is None:
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            file = self._files[name] = os.fdopen(opened, "ab", buffering=0)
        return file


def for_terminal(log: Path | None) -> Console:
    """The console of this process."""
    return Console(sys.stdout, log)
