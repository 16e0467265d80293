"""Sorter: any order in, the same order out, whatever the sizes of runs and blocks."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tables.writing.sorting import Item, Sorter


def sort(directory: Path, items: list[Item], run: int = 7, block: int = 3) -> list[Item]:
    with Sorter(directory, run=run, block=block) as sorter:
        for item in items:
            sorter.add(*item)
        result = list(sorter)
    assert os.listdir(directory) == []
    return result


def make(count: int) -> list[Item]:
    return [(f"key{n:04}", f"value{n}", f"entry:{n}") for n in range(count)]


def test_it_works(tmp_path: Path) -> None:
    items = make(100)
    assert sort(tmp_path, items) == items
    assert sort(tmp_path, items[::-1]) == items


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 14, 15])
def test_it_handles_the_edges_of_runs(tmp_path: Path, count: int) -> None:
    items = make(count)
    assert sort(tmp_path, items) == items
    assert sort(tmp_path, items[::-1]) == items


@pytest.mark.parametrize("seed", range(20))
def test_it_agrees_with_sorted(tmp_path: Path, seed: int) -> None:
    random_ = random.Random(seed)
    letters = "aAbz@.é\U0001f600\ue000\x7f"
    items = [
        (
            "".join(random_.choices(letters, k=random_.randrange(4))),
            random_.choice("xy"),
            f"entry:{n}",
        )
        for n in range(random_.randrange(200))
    ]
    run, block = random_.randrange(1, 50), random_.randrange(1, 20)
    assert sort(tmp_path, items, run, block) == sorted(items), f"seed {seed}"
