"""feedback - by how much one delivery changes the number of deliveries at the same time.

SUMMARY      parse_feedback("1/8") -> Feedback; .of(window) -> how much
RULES        a number from 0 to 1, "number / number", or "number / concurrency" and
             "number / sqrt_concurrency": the more deliveries already go on, the less
ERRORS       ValueError
SOURCE       postconf(5) default_destination_concurrency_positive_feedback; SCHEDULER_README
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_SHARES = {"": 0.0, "concurrency": 1.0, "sqrt_concurrency": 0.5}


@dataclass(frozen=True, slots=True)
class Feedback:
    """`amount`, or a share of it: divided by the window to the power of `exponent`."""

    amount: float = 1.0
    exponent: float = 0.0

    def of(self, window: float) -> float:
        """What one delivery counts for; the window moves by one for each 1.0."""
        if not self.exponent:
            return self.amount
        return float(self.amount / math.pow(max(window, 1.0), self.exponent))


BY_ONE = Feedback()


def parse_feedback(text: str) -> Feedback:
    """A value of a ..._feedback parameter. Raises ValueError."""
    amount, slash, below = (part.strip() for part in text.partition("/"))
    number = float(amount)
    exponent = _SHARES.get(below)
    if exponent is None:
        number, exponent = number / _divisor(below), 0.0
    elif slash and not below:
        raise ValueError(f"{text!r}: nothing behind the slash")
    if not 0.0 <= number <= 1.0:  # nor a NaN
        raise ValueError(f"{text!r} is not between 0 and 1")
    return Feedback(number, exponent)


def _divisor(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise ValueError(f"{text!r} divides nothing")
    return number
