"""live - whether edits are obeyed yet: which node runs what, and waiting for it.

SUMMARY      wait_until_live(revisions, timeout_s) -> bool; running_nodes() -> number: names;
             answer_to(revision) -> the attempt to publish that looked at it
RULES        an edit is live when every enabled node's engine said that it runs a generation that
             contains it (nodes.is_live). Waiting ends early when a publish refused the edit: it
             will not go live until somebody mends the rows.
SOURCE       decision 0002
"""

from __future__ import annotations

import time
from collections.abc import Collection

from panel.choices import GenerationState
from panel.models import Generation, Node
from panel.services.changes import Snapshot
from panel.services.nodes import is_live

POLL_S = 0.05


def wait_until_live(revisions: Collection[int], timeout_s: float) -> bool:
    """True once all the revisions are live; False when not in time, or refused."""
    deadline = time.monotonic() + timeout_s
    for revision in revisions:
        while not is_live(revision):
            if time.monotonic() >= deadline or is_refused(revision):
                return False
            time.sleep(POLL_S)
    return True


def is_refused(revision: int) -> bool:
    """True when the newest attempt to publish contains the change and was refused."""
    newest = Generation.objects.first()
    return (
        newest is not None
        and newest.state == GenerationState.REFUSED
        and Snapshot.parse(newest.snapshot).sees(revision)
    )


def answer_to(revision: int, timeout_s: float) -> Generation | None:
    """The newest attempt to publish that looked at this revision; None when none did in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        newest = Generation.objects.exclude(snapshot="").first()
        if newest is not None and Snapshot.parse(newest.snapshot).sees(revision):
            return newest
        if time.monotonic() >= deadline:
            return None
        time.sleep(POLL_S)


def enabled_nodes() -> list[str]:
    """The nodes that every edit goes to."""
    return list(Node.objects.filter(enabled=True).values_list("name", flat=True))


def running_nodes() -> dict[int, list[str]]:
    """number of a generation -> the enabled nodes whose engines run that very generation."""
    nodes = Node.objects.filter(enabled=True).exclude(state__digest="")
    running = list(nodes.values_list("name", "state__generation", "state__digest"))
    numbers = [number for _name, number, _digest in running if number is not None]
    digests = dict(Generation.objects.filter(number__in=numbers).values_list("number", "digest"))
    found: dict[int, list[str]] = {}
    for name, number, digest in running:
        if number is not None and digests.get(number) == digest:
            found.setdefault(number, []).append(name)
    return found
