"""Queue ids: short, unique whatever the clock does, and back to their number."""

from __future__ import annotations

import re

import pytest

from delivery.spool.queueid import IdMaker, to_number, to_text


def test_it_works() -> None:
    maker = IdMaker(1, clock_ns=lambda: 1_795_354_314_123_456_789)
    text = to_text(maker.next())
    assert re.fullmatch(r"[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{12}", text), text
    assert to_text(to_number(text)) == text


def test_a_clock_that_stands_or_goes_back_gives_new_ids() -> None:
    times = iter([5_000_000, 5_000_000, 1_000_000, 9_000_000])
    maker = IdMaker(0, clock_ns=lambda: next(times))
    numbers = [maker.next() for _ in range(4)]
    assert numbers == sorted(set(numbers))


def test_ids_go_on_behind_the_last_one_used() -> None:
    first = IdMaker(3, clock_ns=lambda: 7_000_000).next()
    assert IdMaker(3, last=first, clock_ns=lambda: 1_000).next() > first


def test_shards_never_give_the_same_id() -> None:
    ids = {to_text(IdMaker(shard, clock_ns=lambda: 1_000).next()) for shard in range(2048)}
    assert len(ids) == 2048
    with pytest.raises(ValueError, match="shard"):
        IdMaker(2048)


@pytest.mark.parametrize(
    "text", ["", "x", "4c9BsN2rG8", "4c9BsN2rG8z", "../../etc/pw", "4c9BsN2rG8a1", "zzzzzzzzzzz1"]
)
def test_it_rejects_what_is_no_id(text: str) -> None:
    with pytest.raises(ValueError, match="not a queue id"):
        to_number(text)
