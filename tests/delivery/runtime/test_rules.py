"""One generation, ready to decide."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from delivery.config import Config
from delivery.runtime.rules import Rules
from tables.errors import ParameterError
from tables.reading.snapshot import Snapshot
from tests.delivery.runtime.rig import rules
from tests.wire.engine import Home

MASTER = (
    "smtp inet n - n - - smtpd",
    "submission inet n - n - - smtpd -o smtpd_timeout=7s -o myhostname=out.test.example",
    "relay unix - - n - 3 smtp",
    "lines fifo n - n 60 1 pipe",
)


def test_it_works(tmp_path: Path) -> None:
    made = rules(tmp_path)
    [service] = made.services.values()
    assert service.settings.myhostname == "mx.test.example"
    assert service.settings.smtpd_banner == "mx.test.example ESMTP Waypost"
    assert service.number == made.number == 1
    assert made.parameters.text("virtual_mailbox_base") == str(tmp_path / "mail")


@pytest.mark.parametrize("minfree, limit, room", [(0, 1000, 1500), (2000, 1000, 2000), (5, 0, 5)])
def test_what_must_be_free_for_mail_to_be_taken(
    tmp_path: Path, minfree: int, limit: int, room: int
) -> None:
    values = {"queue_minfree": str(minfree), "message_size_limit": str(limit)}
    assert rules(tmp_path, values=values).spool_limits.free_bytes == room


def test_services_have_settings_of_their_own(tmp_path: Path) -> None:
    made = rules(tmp_path, services=MASTER)
    assert set(made.services) == {"smtp", "submission"}
    assert made.services["submission"].settings.smtpd_timeout == 7.0
    assert made.services["submission"].settings.myhostname == "out.test.example"
    assert made.services["smtp"].settings.smtpd_timeout == 300.0
    assert made.services["smtp"].router is made.router
    assert made.services["submission"].router is not made.router


def test_transport_limits(tmp_path: Path) -> None:
    values = {"relay_destination_concurrency_limit": "7", "defer_transports": "lines"}
    made = rules(tmp_path, services=MASTER, values=values)
    limits = made.transport_limits("relay")
    assert limits.process_limit == 3
    assert limits.destination_concurrency_limit == 7
    assert not made.is_deferred("relay")
    assert made.is_deferred("lines")
    assert made.transport_limits("other").process_limit == 100  # default_process_limit
    assert made.transport_limits("local").destination_recipient_limit == 1
    with pytest.raises(ParameterError):
        made.transport_limits("")


def test_tls_is_required_where_it_says_so(tmp_path: Path) -> None:
    for number, (values, required) in enumerate(
        [
            ({}, False),
            ({"smtpd_tls_security_level": "may"}, False),
            ({"smtpd_tls_security_level": "encrypt"}, True),
            ({"smtpd_enforce_tls": "yes"}, True),
            ({"smtpd_enforce_tls": "yes", "smtpd_tls_security_level": "none"}, False),
        ]
    ):
        [service] = rules(tmp_path / str(number), values=values).services.values()
        assert service.tls.settings.is_required is required, values


def test_old_rules_are_let_go_with_their_last_user(tmp_path: Path) -> None:
    """At once, by counting references: their tables are mapped files."""
    home = Home(tmp_path)
    home.publish(services=MASTER)
    gc.disable()
    try:
        made = Rules(Snapshot.open(home.store.root), Config(home=tmp_path))
        watched: list[weakref.ref[Any]] = [
            weakref.ref(made),
            weakref.ref(made.snapshot),
            weakref.ref(made.router),
        ]
        session = made.services["submission"]
        del made
        assert session.settings.smtpd_timeout == 7.0
        del session
        assert [item() for item in watched] == [None, None, None]
    finally:
        gc.enable()
