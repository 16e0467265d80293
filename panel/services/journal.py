"""journal - ships a node's journal into Postgres, in batches, each line once.

SUMMARY      ship(node name) runs in that node's worker; forget_old() bounds the table
RULES        files in the order of their names; a batch of lines and the new position are one
             transaction: a killed worker stores the whole batch or the next one does
             a file that is shipped to its end is removed once a later one exists: the engine has
             then closed it. A line that is no JSON object is skipped and counted in the log.
             NUL, which Postgres cannot hold, is replaced
ERRORS       OSError, django.db.Error: the next round goes on where this one stopped
SOURCE       delivery/journal.py
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from panel.constants import JOURNAL_BATCH_BYTES, JOURNAL_KEPT_DAYS, JOURNAL_LOCK, JOURNAL_ROUNDS
from panel.models import JournalEvent, JournalPosition, Node
from panel.services.locks import advisory_lock

log = logging.getLogger("panel.journal")
COLUMNS = ("queue_id", "sender", "recipient")  # beside time, event and generation


def ship(name: str) -> int:
    """Stores what the journal of node `name`, on whose host this runs, has gained; how many."""
    node = Node.objects.filter(name=name, enabled=True).first()
    if node is None:
        return 0
    with advisory_lock(JOURNAL_LOCK, node.pk, wait=False) as mine:
        return _ship_files(node, settings.WAYPOST_HOME / "journal") if mine else 0


def forget_old() -> int:
    """Removes events older than JOURNAL_KEPT_DAYS, a bounded number at a time; how many."""
    limit = timezone.now() - timedelta(days=JOURNAL_KEPT_DAYS)
    old = JournalEvent.objects.filter(at__lt=limit).order_by("at").values("pk")[:10_000]
    count, _models = JournalEvent.objects.filter(pk__in=old).delete()
    return count


def _ship_files(node: Node, directory: Path) -> int:
    files = sorted(directory.glob("*.jsonl"))
    stored = 0
    for file in files:
        for _round in range(JOURNAL_ROUNDS):
            count, at_end = _ship_batch(node, file)
            stored += count
            if at_end:
                break
        else:
            return stored  # much is waiting: the next ring goes on
        if file != files[-1]:
            file.unlink(missing_ok=True)
            JournalPosition.objects.filter(node=node, file=file.name).delete()
    return stored


def _ship_batch(node: Node, file: Path) -> tuple[int, bool]:
    """(events stored, whether the file is done for now)."""
    with transaction.atomic():
        position, _made = JournalPosition.objects.get_or_create(node=node, file=file.name)
        with file.open("rb") as stream:
            stream.seek(position.offset)
            data = stream.read(JOURNAL_BATCH_BYTES)
        end = data.rfind(b"\n") + 1  # a line being written waits for its end
        events = [event for line in data[:end].splitlines() if (event := _event(node, line))]
        JournalEvent.objects.bulk_create(events)
        position.offset += end
        position.save(update_fields=["offset"])
    return len(events), len(data) < JOURNAL_BATCH_BYTES


def _event(node: Node, line: bytes) -> JournalEvent | None:
    try:
        values = json.loads(line.replace(b"\\u0000", b"\\ufffd"))
        at = datetime.fromtimestamp(float(values.pop("time")), UTC)
        name = str(values.pop("event"))[:40]
        generation = values.pop("generation", None)
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError):
        log.warning("node=%s a journal line is no event: %r", node.name, line[:200])
        return None
    known = {column: _text(values.pop(column, "")) for column in COLUMNS}
    return JournalEvent(
        node=node,
        at=at,
        event=name,
        generation=generation if isinstance(generation, int) else None,
        details=values,
        **known,
    )


def _text(value: Any) -> str:
    return str(value)[:1000]
