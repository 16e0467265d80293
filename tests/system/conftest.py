"""Fixtures of the system tier: the real thing, started once for all tests that do not break it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.house import House


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A running Waypost with a home of its own; shared, so tests use names of their own."""
    with House(tmp_path_factory.mktemp("house") / "home") as running:
        yield running


@pytest.fixture
def own_house(tmp_path: Path) -> Iterator[House]:
    """A Waypost that a test may stop, kill and starve; not started yet."""
    mine = House(tmp_path / "home")
    yield mine
    mine.stop()
