"""conftest - fixtures of the panel's tests.

RULES        every test has a WAYPOST_HOME of its own. What publishes needs `committed`: other
             sessions see only committed rows. Publishing rings no real bell unless a test starts a
             broker: the settings point at a socket that is not there.
             static files are looked for when asked for: every client would make a list of all
"""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from django.apps import apps

from panel.celery import app


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """WAYPOST_HOME of this test."""
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)  # Celery prefers it to its settings
    settings.WAYPOST_HOME = tmp_path / "home"
    settings.WAYPOST_HOME.mkdir()
    settings.WHITENOISE_AUTOREFRESH = True
    broker = f"redis+socket://{tmp_path}/no-broker.sock"
    settings.CELERY_BROKER_URL = broker
    before = app.conf.broker_url
    app.conf.broker_url = broker
    yield settings.WAYPOST_HOME
    app.conf.broker_url = before


def add_well_known() -> None:
    """The rows of migration 0002: a transactional test before this one has emptied all tables."""
    importlib.import_module("panel.migrations.0002_well_known").add(apps, None)


@pytest.fixture
def well_known(db) -> None:
    """The well-known tables and their parameters."""
    add_well_known()


@pytest.fixture
def committed(transactional_db) -> None:
    """A database whose rows other sessions see, with the well-known tables."""
    add_well_known()
