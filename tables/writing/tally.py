"""tally - what a table says, in one number that an edit can carry on.

SUMMARY      Tally(count, digest).add(key, value) / .remove(key, value); .count, .digest
RULES        the sum of a hash of every entry, modulo 2**256: the order of entries does not matter,
             and a changed entry costs two hashes however large the table is. So a table that was
             edited a thousand times has the digest of one that was compiled at once.
NOT DONE     it is no signature: who may choose many entries could make two tables of one digest,
             and would have his own edit taken for none. Files are proved by SHA-256 (objects.py).
SOURCE       Bellare, Micciancio: A New Paradigm for Collision-Free Hashing (AdHash); RFC 7693
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2s

MODULUS = 1 << 256
NOTHING = "0" * 64  # the digest of an empty table


def entry_number(key: bytes, value: bytes) -> int:
    """One entry as a number. A key holds no NUL, so the two sides cannot be mistaken."""
    return int.from_bytes(blake2s(key + b"\0" + value).digest(), "big")


class Tally:
    """How many entries there are, and what they amount to."""

    __slots__ = ("_sum", "count")

    def __init__(self, count: int = 0, digest: str = NOTHING) -> None:
        self.count = count
        self._sum = int(digest, 16)

    @property
    def digest(self) -> str:
        """64 hex digits."""
        return f"{self._sum % MODULUS:064x}"

    def add(self, key: bytes, value: bytes) -> None:
        """An entry has come."""
        self.count += 1
        self._sum += entry_number(key, value)

    def add_all(self, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
        """Many have come."""
        self.count += len(keys)
        hashes = map(blake2s, map(b"\0".join, zip(keys, values, strict=True)))
        self._sum += sum(map(int.from_bytes, [each.digest() for each in hashes]))  # entry_number

    def remove(self, key: bytes, value: bytes) -> None:
        """An entry that was there is gone."""
        self.count -= 1
        self._sum -= entry_number(key, value)
