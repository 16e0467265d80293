"""newaliases - there is nothing to do, and it says so. newaliases(1)"""

from __future__ import annotations

from collections.abc import Sequence


def newaliases(words: Sequence[str]) -> int:
    """Always 0: scripts call it after every edit."""
    print("newaliases: nothing to do: aliases are compiled when they are published")
    return 0
