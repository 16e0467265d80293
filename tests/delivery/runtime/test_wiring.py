"""What an engine does of itself while it runs."""

from __future__ import annotations

from itertools import islice

from delivery.runtime.wiring import POLL_S, pauses


def test_a_port_that_is_taken_is_looked_at_soon_then_rarer() -> None:
    found = list(islice(pauses(), 20))
    assert sum(found[:3]) < 0.5  # an engine that ends is gone before
    assert found == sorted(found)
    assert found[-1] == POLL_S
