"""alarm - one timer for moments that are put off more often than they come.

SUMMARY      Alarm(ring): .set(moment) in the loop's time, .moment, .cancel(); calls ring() then
RULES        a later moment costs nothing: the timer that runs looks again when it rings
             an earlier one is a new timer
             after ring() and cancel() none is set: .moment is infinite
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class Alarm:
    """Belongs to the event loop in which it is set."""

    __slots__ = ("_ring", "_rings_at", "_timer", "moment")

    def __init__(self, ring: Callable[[], None]) -> None:
        self.moment = math.inf
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = math.inf

    def set(self, moment: float) -> None:
        """Ring then, and not when it was to ring before."""
        self.moment = moment
        if self._timer is None or moment < self._rings_at:
            self._wind()

    def cancel(self) -> None:
        """Do not ring."""
        self.moment = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = self.moment
        self._timer = asyncio.get_running_loop().call_at(self.moment, self._look)

    def _look(self) -> None:
        self._timer = None
        if asyncio.get_running_loop().time() < self.moment:
            self._wind()
            return
        self.moment = math.inf
        self._ring()
