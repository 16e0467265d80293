"""tasks - Celery's doors; each calls one service.

RULES        idempotent: a task may come twice, late or not at all. No result is kept, what matters
             is in a row. Time limits: settings.py.
"""

from __future__ import annotations

from typing import Any

from django.db import OperationalError

from panel.celery import app
from panel.constants import DEFAULT_REASON
from panel.services import journal, nodes, publish
from tables.errors import StoreBusy

AGAIN: dict[str, Any] = {
    "autoretry_for": (StoreBusy, OperationalError),
    "retry_backoff": 1,  # seconds, doubled each time
    "retry_backoff_max": 10,
    "max_retries": 3,
}


@app.task(name="panel.publish", bind=True, **AGAIN)
def publish_changes(
    task: Any, reason: str = DEFAULT_REASON, requested_by: str = "", force: bool = False
) -> None:
    """Publishes what is due. The worker's name begins with that of its node."""
    here = (task.request.hostname or "").partition("@")[0]
    publish.publish_changes(reason, requested_by=requested_by, force=force, here=here)


@app.task(name="panel.activate", **AGAIN)
def activate(node: str, number: int = 0) -> None:
    """Brings this host's node to the newest generation; `number` is for the log."""
    nodes.activate(node)


@app.task(name="panel.sweep")
def sweep() -> None:
    """Does what a lost task left undone: publishes what is due, and asks every node where it is.

    Then what is off the edits' path: compiling everything anew when it is time to.
    """
    publish.publish_changes("sweep")
    nodes.tell_nodes()
    publish.rebuild_when_due()


@app.task(name="panel.ship")
def ship(node: str) -> None:
    """Stores what this host's engine has written into its journal."""
    journal.ship(node)


@app.task(name="panel.gather")
def gather() -> None:
    """Has every node ship its journal, and forgets what is older than anybody asks for."""
    nodes.ask_for_journals()
    journal.forget_old()
