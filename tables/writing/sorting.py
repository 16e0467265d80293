"""sorting - entries in any order become entries by key, in bounded memory.

SUMMARY      Sorter(directory).add(...) ...; iterate once over the sorted items
FOR          compiler: the order of rows must not change a byte of a map, and equal keys must meet
RULES        items are (key, value, row), compared as tuples of code points. Runs of RUN items are
             sorted in memory and spilled in blocks to an unnamed file in `directory`; runs that
             follow each other in order (the usual case: the database sorted) are read back one
             after the other, others are merged. Up to RUN items no file is made.
MEMORY       one run while adding; while merging one block for each run
ERRORS       OSError (disk full); the file has no name, so nothing is left behind in any case
"""

from __future__ import annotations

import heapq
import marshal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

Item = tuple[str, str, str]

RUN = 32_768
BLOCK = 512


class Sorter:
    """Use in a `with` statement; first add everything, then iterate once."""

    def __init__(self, directory: Path, *, run: int = RUN, block: int = BLOCK) -> None:
        self._directory = directory
        self._run_size = run
        self._block_size = block
        self._pending: list[Item] = []
        self._runs: list[list[int]] = []  # for each run the offsets of its blocks
        self._last: Item | None = None  # the last item of the last run
        self._in_order = True
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def is_empty(self) -> bool:
        """True when nothing was added."""
        return not self._pending and not self._runs

    def add(self, key: str, value: str, row: str) -> None:
        """Take one item."""
        self._pending.append((key, value, row))
        if len(self._pending) >= self._run_size:
            self._spill()

    def __iter__(self) -> Iterator[Item]:
        if not self._runs:
            self._pending.sort()
            return iter(self._pending)
        self._spill()
        runs = [self._read(run) for run in self._runs]
        if self._in_order:
            return (item for run in runs for item in run)
        return heapq.merge(*runs)

    def _spill(self) -> None:
        if not self._pending:
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._directory, prefix=".sort-")  # noqa: SIM115
        items = self._pending
        items.sort()
        if self._last is not None and items[0] < self._last:
            self._in_order = False
        self._last = items[-1]
        blocks = []
        for start in range(0, len(items), self._block_size):
            blocks.append(self._file.tell())
            marshal.dump(items[start : start + self._block_size], self._file)
        self._runs.append(blocks)
        self._pending = []

    def _read(self, blocks: list[int]) -> Iterator[Item]:
        assert self._file is not None
        for offset in blocks:
            self._file.seek(offset)
            yield from marshal.load(self._file)  # noqa: S302 - our own file, it has no name
