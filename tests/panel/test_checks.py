"""System checks: silent on a good installation, plain about a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.management import call_command

from panel.celery import app


def ids() -> list[str]:
    return [message.id for message in run_checks()]


@pytest.mark.django_db
def test_it_works() -> None:
    call_command("check", databases=["default"])
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
    assert ids() == []


def test_it_is_ready_to_be_deployed() -> None:
    call_command("check", deploy=True, fail_level="WARNING")


def test_a_home_that_cannot_be_written(home: Path, settings) -> None:
    (home / "file").touch()
    settings.WAYPOST_HOME = home / "file" / "below"
    assert ids() == ["waypost.E001"]


def test_a_socket_path_that_is_too_long(settings) -> None:
    settings.CELERY_BROKER_URL = "redis+socket:///" + "d" * 120
    assert ids() == ["waypost.E003"]


def test_a_schedule_without_the_sweep() -> None:
    schedule = app.conf.beat_schedule
    app.conf.beat_schedule = {}
    try:
        assert ids() == ["waypost.E002"]
    finally:
        app.conf.beat_schedule = schedule
