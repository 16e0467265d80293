"""counts - delivery.runtime.anvil's counts without a process in between."""

from __future__ import annotations

from delivery.runtime.rates import Rate, Rates


class CountsHere:
    """Asks a Rates of its own."""

    def __init__(self) -> None:
        self.rates = Rates()

    async def connect(self, service: str, address: str, unit_s: float) -> tuple[int, int]:
        return self.rates.connect(service, address, unit_s)

    def disconnect(self, service: str, address: str) -> None:
        self.rates.disconnect(service, address)

    async def count(self, rate: Rate, service: str, address: str, unit_s: float) -> int:
        return self.rates.count(rate, service, address, unit_s)

    async def lately(self, rate: Rate, service: str, address: str, unit_s: float) -> int:
        return self.rates.lately(rate, service, address, unit_s)
