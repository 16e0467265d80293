"""conftest - an engine for the tests of one module, with two mailboxes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.wire.engine import Home, Running


@pytest.fixture
def home(tmp_path: object) -> Home:
    """A home without a generation."""
    return Home(tmp_path)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running engine that tests of one module share; they use addresses of their own."""
    home = Home(tmp_path_factory.mktemp("home"))
    home.publish(mailboxes=[f"box{number}@example.com" for number in range(40)])
    with Running(home) as engine:
        yield engine
