"""room: how many recipients are in memory."""

from __future__ import annotations

from delivery.spool.room import Room


def test_it_works() -> None:
    room = Room(100, 10)
    assert room.fits(100)
    room.take(1, 95)
    assert room.total == 95
    assert not room.fits(11)
    assert room.fits(10), "the minimum is everybody's"
    room.leave(1)
    assert room.total == 0


def test_the_rest_is_for_one_until_it_says_what_it_took() -> None:
    room = Room(100, 10)
    room.take(1, 30)
    assert room.take_rest(2) == 70
    assert room.take_rest(3) == 10
    room.take(2, 5)
    room.take(3, 10)
    assert room.total == 45
    assert room.take_rest(3) == 65, "its own are to go"


def test_what_is_done_twice_counts_once() -> None:
    room = Room(100, 10)
    for _ in range(2):  # as in a transaction that was rolled back
        assert room.take_rest(1) == 100
        room.take(1, 40)
    assert room.total == 40
    for _ in range(2):
        room.leave(1)
    assert room.total == 0
