"""Lines on their way to a slow place."""

from __future__ import annotations

import threading

import pytest

from delivery import linequeue
from delivery.linequeue import BATCH, LineQueue


class Place:
    """Takes lines, once it is opened."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.batches: list[list[int]] = []
        self.dropped = 0
        self.entered = threading.Event()
        self.open = threading.Event()
        if is_open:
            self.open.set()

    def take(self, lines: list[int], dropped: int) -> None:
        self.entered.set()
        assert self.open.wait(10)
        self.batches.append(lines)
        self.dropped += dropped

    @property
    def lines(self) -> list[int]:
        return [line for batch in self.batches for line in batch]


def test_it_works() -> None:
    place = Place()
    queue = LineQueue("test", place.take)
    for number in range(5000):
        queue.put(number)
    assert queue.close()
    assert place.lines == list(range(5000))
    assert max(map(len, place.batches)) <= BATCH


def test_it_takes_lines_from_several_threads() -> None:
    place = Place()
    queue = LineQueue("test", place.take)
    threads = [
        threading.Thread(target=lambda: [queue.put(number) for number in range(1000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queue.close()
    assert sorted(place.lines) == sorted(list(range(1000)) * 4)


def test_it_wakes_up_for_each_line_after_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linequeue, "GATHER_S", 0.0)
    place = Place()
    queue = LineQueue("test", place.take)
    for number in range(2000):
        place.entered.clear()
        queue.put(number)
        assert place.entered.wait(10), number
    assert queue.close()
    assert place.lines == list(range(2000))


def test_it_drops_and_counts_what_is_too_much() -> None:
    place = Place(is_open=False)
    queue = LineQueue("test", place.take, backlog=10)
    queue.put(-1)
    assert place.entered.wait(10)  # the thread is stuck with the first line
    for number in range(25):
        queue.put(number)
    place.open.set()
    assert queue.close()
    assert place.lines == [-1, *range(10)]
    assert place.dropped == 15


def test_it_does_not_wait_for_ever_for_a_place_that_is_stuck() -> None:
    place = Place(is_open=False)
    queue = LineQueue("test", place.take)
    queue.put(1)
    assert place.entered.wait(10)
    assert not queue.close(timeout_s=0.05)
    place.open.set()
    assert queue.close()
