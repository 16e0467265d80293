"""sample - entries, keys, patterns and networks to measure with; the same in every run.

SUMMARY      entry(n) -> key and value of entry n; keys, patterns, networks
RULES        names as hosting has them: a few domains with very many mailboxes, very many with a few
"""

from __future__ import annotations

import random
from collections.abc import Iterator

FIRST = (
    "ada",
    "bela",
    "carlo",
    "dora",
    "edwin",
    "flora",
    "gustav",
    "hedda",
    "ivan",
    "jule",
    "nora",
)
LAST = ("adler", "brandt", "conrad", "decker", "ebert", "falk", "geiger", "haas", "imhof", "lenz")
DOMAIN = "alias.test"  # of the entries that edits are about


def entry(number: int) -> tuple[str, str]:
    """An entry of a virtual alias table."""
    domain = number % 89 if number % 4 == 0 else (number * 7919) % 30_011
    first, last = FIRST[number % len(FIRST)], LAST[number // len(FIRST) % len(LAST)]
    key = f"{first}.{last}{number}@d{domain}.example.org"
    count = (1, 1, 2, 1, 3)[number % 5]
    targets = (
        f"{last}{(number * 31 + each) % 999_983}@mx{each}.example.net" for each in range(count)
    )
    return key, ", ".join(targets)


def entries(count: int) -> Iterator[tuple[str, str]]:
    """Entries 0 to `count`."""
    return (entry(number) for number in range(count))


def keys(count: int, asked: int, *, hit: bool) -> list[str]:
    """`asked` random keys of a table of `count` entries, or as many that it does not have."""
    chance = random.Random(count)
    found = (entry(chance.randrange(count))[0] for _ in range(asked))
    return list(found) if hit else [f"no-{key}" for key in found]


def patterns(count: int) -> Iterator[str]:
    """Rules of a regexp or pcre table."""
    for number in range(count):
        local, _, domain = entry(number)[0].partition("@")
        pattern = f"^(offer|news)-{local}-[0-9]+@{domain}$".replace(".", r"\.")
        yield f"/{pattern}/ REJECT rule {number}\n"


def pattern_keys(count: int, asked: int, *, hit: bool) -> list[str]:
    """Keys for that table: of random rules, or of none."""
    chance = random.Random(count)
    word = "offer" if hit else "other"
    found = (entry(chance.randrange(count))[0].partition("@") for _ in range(asked))
    return [f"{word}-{local}-{chance.randrange(100)}@{domain}" for local, _, domain in found]


def networks(count: int) -> Iterator[str]:
    """Rules of a cidr table: networks of several sizes, every fourth of IPv6."""
    for number in range(count):
        if number % 4 == 3:
            yield f"2001:db8:{number:x}::/48 REJECT network {number}\n"
        else:
            size = (24, 22, 28)[number % 3]
            base = 0x0A000000 + number * 1024
            yield f"{_dotted(base)}/{size} REJECT network {number}\n"


def network_keys(count: int, asked: int) -> list[str]:
    """Addresses in random networks of that table, and as many in none."""
    chance = random.Random(count)
    found = []
    for number in range(asked):
        base = (0x0A000000 if number % 2 else 0xC0000000) + chance.randrange(count) * 1024
        found.append(_dotted(base + chance.randrange(16)))
    return found


def _dotted(number: int) -> str:
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
