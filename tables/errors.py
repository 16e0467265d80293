"""errors - what can go wrong in tables, one class per thing a caller does differently.

SUMMARY      every error carries a sentence fit for the administrator who caused it
RULES        not found is None, never an exception; could not look up is TableUnavailable, a 4xx
"""

from __future__ import annotations


class TableError(Exception):
    """Base of everything that tables raises on purpose."""


class AddressSyntaxError(TableError):
    """The text is not an address in the form asked for."""


class EntryError(TableError):
    """One entry of a table is wrong; `line` counts from 1 where the entry came from text."""

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line

    def __str__(self) -> str:
        text = super().__str__()
        return text if self.line is None else f"line {self.line}: {text}"


class ParameterError(TableError):
    """A parameter is unknown or its value has the wrong form; `name` says which."""

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class TableUnavailable(TableError):
    """A table could not be asked: the answer is unknown, which is not the same as absent."""


class EmptyResult(TableUnavailable):
    """A table knows the key and has no value for it: no answer, but where keys alone count."""


class GenerationError(TableError):
    """A generation is missing, torn, tampered with or of an unknown format."""


class StoreBusy(TableError):
    """Another publisher holds the store; try again."""
