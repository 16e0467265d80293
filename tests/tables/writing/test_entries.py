"""entries: one table of a generation."""

from __future__ import annotations

from tables.specs import TYPES
from tables.writing.entries import READERS


def test_there_is_a_reader_for_every_ordered_type() -> None:
    assert set(READERS) == {name for name in TYPES if TYPES[name].ordered}
