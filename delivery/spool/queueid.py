"""queueid - short unique names for queued messages, in the shape of Postfix's long queue ids.

SUMMARY      an id is a number (microseconds since 1970 and the shard it was born in) and its text
FORM         6 letters seconds, 4 letters microseconds, "z", the shard: 4c9BsN2rG8z1
RULES        no vowels, so no words; sorts by time as text of equal length; never given twice by one
             shard, whatever the clock does: the next one is at least one microsecond later
             a message on its way is named many times: both forms of its id are kept, up to a bound
ERRORS       ValueError for text that no shard can have given
SOURCE       postconf(5) enable_long_queue_ids
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable

from tables.remembered import Remembered

DIGITS = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxy"  # 51 characters; z separates
SECONDS_BASE = DIGITS + "z"  # 52 characters
SHARDS = 2048
_REMEMBERED = 4096
_PATTERN = re.compile(
    r"[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{1,3}"
)
_PAIRS = [first + second for first in SECONDS_BASE for second in SECONDS_BASE]
_PAIR = len(_PAIRS)
_PLACE_OF_PAIR = {letters: value for value, letters in enumerate(_PAIRS)}
_PLACE = {letter: value for value, letter in enumerate(DIGITS)}


def _text(number: int) -> str:
    moment, shard = divmod(number, SHARDS)
    seconds, micros = divmod(moment, 1_000_000)
    first, rest = divmod(seconds, _PAIR * _PAIR)
    pairs = _PAIRS
    text = (
        f"{pairs[first]}{pairs[rest // _PAIR]}{pairs[rest % _PAIR]}"
        f"{pairs[micros // _PAIR]}{pairs[micros % _PAIR]}z{_shards[shard]}"
    )
    _numbers.keep(text, number)
    return text


def _encode(shard: int) -> str:
    letters = DIGITS[shard % 51]
    while shard := shard // 51:
        letters = DIGITS[shard % 51] + letters
    return letters


def _number(text: str) -> int:
    if not _PATTERN.fullmatch(text):
        raise ValueError("not a queue id")
    place = _PLACE_OF_PAIR
    seconds = (place[text[:2]] * _PAIR + place[text[2:4]]) * _PAIR + place[text[4:6]]
    micros = place[text[6:8]] * _PAIR + place[text[8:10]]
    shard = 0
    for letter in text[11:]:
        shard = shard * 51 + _PLACE[letter]
    if micros >= 1_000_000 or shard >= SHARDS:
        raise ValueError("not a queue id")
    return (seconds * 1_000_000 + micros) * SHARDS + shard


_shards = Remembered(_encode, SHARDS)
_texts = Remembered(_text, _REMEMBERED)
_numbers = Remembered(_number, _REMEMBERED)


def to_text(number: int) -> str:
    """The text of an id number."""
    return _texts[number]


def to_number(text: str) -> int:
    """The number of an id; raises ValueError when it is none."""
    return _numbers[text]


def to_texts(numbers: Iterable[int]) -> list[str]:
    """The texts of several."""
    return [_texts[number] for number in numbers]


def shard_of(number: int) -> int:
    """The number behind the "z": whose id it is."""
    return number % SHARDS


def moment_of(number: int) -> float:
    """When the id was given, in seconds since the epoch."""
    return number / (SHARDS * 1_000_000)


class IdMaker:
    """Gives the ids of one shard; `last` is the highest number already used there."""

    def __init__(
        self, shard: int, *, last: int = 0, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        if not 0 <= shard < SHARDS:
            raise ValueError(f"a shard is numbered from 0 to {SHARDS - 1}")
        self._shard = shard
        self._clock_ns = clock_ns
        self._moment = last // SHARDS

    def next(self) -> int:
        """A number never given before by this shard."""
        self._moment = max(self._clock_ns() // 1000, self._moment + 1)
        return self._moment * SHARDS + self._shard
