"""announce - rings the doorbell: tells a Celery worker that there is something to do.

SUMMARY      announce(reason) rings for a publish once the transaction has committed
             ring(task, ..., queue=...) hands one task to the broker, now
RULES        the truth is in Postgres: a bell that is not heard costs a delay (the sweep looks every
             15 s), never an edit. So a dead broker must not break or hold up a form: each ring has
             its own short-lived connection with short times, is not repeated, and failure is one
             line in the log.
             Many edits in one transaction ring once.
ERRORS       none; ring() returns whether the broker took the task
"""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from kombu.exceptions import KombuError

from panel.celery import app
from panel.constants import DOORBELL_TIMEOUT_S, PUBLISH_QUEUE

log = logging.getLogger("panel.announce")

# kombu's connections try again by themselves, with pauses, unless told not to.
_ONCE: dict[str, Any] = {
    "max_retries": 0,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
_SHORT: dict[str, Any] = {
    "socket_timeout": DOORBELL_TIMEOUT_S,
    "socket_connect_timeout": DOORBELL_TIMEOUT_S,
    "retry_on_timeout": False,
}


class _Bell:
    """Rings for a publish; one for each transaction."""

    def __init__(self, reason: str, requested_by: str) -> None:
        self.reason = reason
        self.requested_by = requested_by

    def __call__(self) -> None:
        ring("panel.publish", self.reason, self.requested_by, queue=PUBLISH_QUEUE)


def announce(reason: str, *, requested_by: str = "") -> None:
    """Has a publish begin once the current transaction has committed (at once outside of one)."""
    hung = any(isinstance(function, _Bell) for _, function, *_ in connection.run_on_commit)
    if not hung:
        transaction.on_commit(_Bell(reason, requested_by))


def ring(task: str, *arguments: object, queue: str, expires_s: float | None = None) -> bool:
    """Hands a task to the broker; False, and one line in the log, when it does not take it."""
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS | _ONCE
    if not settings.CELERY_BROKER_URL.startswith("amqp"):
        options |= _SHORT
    try:
        with app.connection_for_write(
            connect_timeout=DOORBELL_TIMEOUT_S, transport_options=options
        ) as broker:
            app.send_task(
                task,
                args=arguments,
                queue=queue,
                expires=expires_s,
                connection=broker,
                retry=False,
                ignore_result=True,
            )
    except (OSError, KombuError) as error:
        log.warning(
            "the broker did not take %s (%s): the next sweep will do it",
            task,
            type(error).__name__,
        )
        return False
    return True
