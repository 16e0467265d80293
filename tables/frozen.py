"""frozen - the dataclass of values that are made for every message.

SUMMARY      @dataclass(frozen=True, slots=True ...), as that of dataclasses
             replace(value, field=...): as that of dataclasses, at half of its price
RULES        frozen for mypy, which lets nobody write to a field; when it runs a field is a plain
             slot: what dataclasses freezes itself writes each field by object.__setattr__, and an
             instance costs three times as much
             equal by value and hashable, as frozen ones are
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

__all__ = ["dataclass", "replace"]

if TYPE_CHECKING:
    from dataclasses import dataclass, replace
else:

    def dataclass(*, frozen=False, **options):
        """A decorator; a class may have a __hash__ of its own."""

        def made(cls):
            hashed = frozen and "__hash__" not in vars(cls)
            return dataclasses.dataclass(cls, unsafe_hash=hashed, **options)

        return made

    def replace(value, /, **changes):
        """A copy with other values in these fields; of a class with slots and fields of init."""
        for name in value.__slots__:
            if name not in changes:
                changes[name] = getattr(value, name)
        return type(value)(**changes)
