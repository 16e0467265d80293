"""The doorbell: rings after commit, once, and never holds up or breaks an edit."""

from __future__ import annotations

import logging
import socket
import time
from pathlib import Path

import pytest
from django.db import transaction

from panel.celery import app
from panel.models import Domain
from panel.services.announce import announce, ring
from panel.services.changes import acting


@pytest.fixture
def bells(django_capture_on_commit_callbacks):
    """Counts what would ring when the transaction commits."""
    return django_capture_on_commit_callbacks


@pytest.mark.django_db
def test_it_works(bells) -> None:
    with bells() as rung, acting("amy", "api"):
        Domain.objects.create(name="example.com")
    assert [(bell.reason, bell.requested_by) for bell in rung] == [("change by amy", "amy")]


@pytest.mark.django_db
def test_it_rings_once_for_many_edits(bells) -> None:
    with bells() as rung, transaction.atomic():
        for name in ("a.example", "b.example"):
            with acting("amy", "api"):
                Domain.objects.create(name=name)
        announce("by hand")
    assert len(rung) == 1


@pytest.mark.django_db
def test_it_is_silent_when_nothing_was_changed(bells) -> None:
    with bells() as rung, acting("amy", "api"):
        Domain.objects.filter(name="example.com").update(enabled=False)
    assert rung == []


@pytest.mark.django_db
def test_it_rings_for_bulk_writes(bells) -> None:
    Domain.objects.create(name="example.com")
    with bells() as rung, acting("amy", "api"):
        Domain.objects.update(enabled=False)
    assert len(rung) == 1


def test_a_broker_that_is_away_is_one_line_in_the_log(caplog) -> None:
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        assert ring("panel.publish", queue="publish") is False
    assert time.monotonic() - began < 1
    assert len(caplog.records) == 1
    assert "the next sweep" in caplog.text


def test_a_broker_that_hangs_is_waited_for_less_than_a_second(tmp_path: Path, settings) -> None:
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tmp_path / "hung.sock"))
        hung.listen(8)
        app.conf.broker_url = f"redis+socket://{tmp_path}/hung.sock"
        began = time.monotonic()
        assert ring("panel.publish", queue="publish") is False
        assert time.monotonic() - began < 1
