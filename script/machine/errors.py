"""errors - the one exception of this room."""

from __future__ import annotations


class MachineError(Exception):
    """The machine is not as it has to be; the text is one line that says what to do about it."""
