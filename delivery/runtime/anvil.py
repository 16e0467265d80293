"""anvil - the counts of clients, for the processes that speak to them.

SUMMARY      Anvil(link): await .connect(...), .count(...), .lately(...), and .disconnect(...)
             answers(rates) -> handlers: the other side of that link
RULES        one process counts (rates.py) for all that speak to clients: a limit means the same
             however many they are
             whoever asks is as untrusted as a client: it can spoil counts, and nothing else
ERRORS       OurError when the process that counts is gone; the engine ends then
SOURCE       Postfix anvil(8); decision 0025
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from delivery.runtime.link import Handler, Link
from delivery.runtime.rates import Rate, Rates


class Counts(Protocol):
    """What throttle.py asks; rates.py says what the numbers are."""

    async def connect(self, service: str, address: str, unit_s: float) -> tuple[int, int]: ...

    def disconnect(self, service: str, address: str) -> None: ...

    async def count(self, rate: Rate, service: str, address: str, unit_s: float) -> int: ...

    async def lately(self, rate: Rate, service: str, address: str, unit_s: float) -> int: ...


class Anvil:
    """Counts that are kept at the other end of a link."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def connect(self, service: str, address: str, unit_s: float) -> tuple[int, int]:
        """One more connection: (how many there are, how many were begun lately)."""
        now, lately = await self._link.ask("connect", (service, address, unit_s))
        return now, lately

    def disconnect(self, service: str, address: str) -> None:
        """One connection less."""
        self._link.tell("disconnect", (service, address))

    async def count(self, rate: Rate, service: str, address: str, unit_s: float) -> int:
        """One more event of that kind: how many there were lately, this one among them."""
        number: int = await self._link.ask("count", (rate.value, service, address, unit_s))
        return number

    async def lately(self, rate: Rate, service: str, address: str, unit_s: float) -> int:
        """How many events of that kind there were, without one more."""
        number: int = await self._link.ask("lately", (rate.value, service, address, unit_s))
        return number


def answers(rates: Rates) -> Mapping[str, Handler]:
    """What the process that counts does for one that asks."""

    def connect(value: Any, data: memoryview) -> tuple[int, int]:
        service, address, unit_s = value
        return rates.connect(str(service), str(address), float(unit_s))

    def disconnect(value: Any, data: memoryview) -> None:
        service, address = value
        rates.disconnect(str(service), str(address))

    def count(value: Any, data: memoryview) -> int:
        rate, service, address, unit_s = value
        return rates.count(Rate(rate), str(service), str(address), float(unit_s))

    def lately(value: Any, data: memoryview) -> int:
        rate, service, address, unit_s = value
        return rates.lately(Rate(rate), str(service), str(address), float(unit_s))

    return {"connect": connect, "disconnect": disconnect, "count": count, "lately": lately}
