"""nodes - every engine host runs the newest generation, and says so.

SUMMARY      tell_nodes(here) rings for every node; activate(name) runs in that node's worker
             ask_for_journals() rings for their journals (journal.py)
             is_live(revision), wait_until_live(revision, ...) tell when an edit is obeyed
RULES        activate always goes for the newest published generation, whatever number it was rung
             for: fetch it if it is not here (compile the rows again and compare the digest:
             decision 0004), switch the link, have the engine look, note what the engine says.
             Done once or ten times it comes to the same. One at a time on a node.
             A node is live on a generation when its engine said that it runs it, not when the link
             points there. An engine that is away takes the link when it starts; the next sweep
             notes it.
ERRORS       activate: StoreBusy, django.db.Error; everything else is noted in the node's state
"""

from __future__ import annotations

import logging
import time
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from panel.constants import GENERATIONS_KEPT, NODE_LOCK, SHIP_EVERY_S, SWEEP_EVERY_S
from panel.models import Generation, Node, NodeState
from panel.services.announce import ring
from panel.services.changes import Snapshot
from panel.services.engine import EngineControl, EngineError
from panel.services.locks import advisory_lock
from panel.services.rows import consistent_read
from panel.services.stores import compile_current, generation_store
from tables.errors import GenerationError, StoreBusy
from tables.writing.store import Store

log = logging.getLogger("panel.nodes")
POLL_S = 0.05


def tell_nodes(here: str = "") -> None:
    """Rings for every enabled node; its worker then activates the newest generation.

    The node `here`, on whose host this runs, is activated at once instead, last.
    """
    newest = Generation.newest()
    number = newest.number if newest else 0
    nodes = list(Node.objects.filter(enabled=True))
    for node in nodes:
        if node.name != here:
            _ring_for(node, number)
    for node in nodes:
        if node.name == here:
            try:
                activate(here)
            except (StoreBusy, DatabaseError):
                _ring_for(node, number)


def _ring_for(node: Node, number: int) -> None:
    ring("panel.activate", node.name, number, queue=node.queue, expires_s=2 * SWEEP_EVERY_S)


def ask_for_journals() -> None:
    """Rings for every enabled node; its worker then ships its engine's journal."""
    for node in Node.objects.filter(enabled=True):
        ring("panel.ship", node.name, queue=node.queue, expires_s=SHIP_EVERY_S)


def engine_control() -> EngineControl:
    """The engine of this host."""
    return EngineControl(settings.WAYPOST_HOME / "run" / "engine.sock")


def activate(name: str) -> NodeState | None:
    """Brings the node `name`, on whose host this runs, to the newest generation.

    Returns its state as noted; None when there is no such node, or it is disabled.
    """
    node = Node.objects.filter(name=name, enabled=True).first()
    if node is None:
        return None
    with advisory_lock(NODE_LOCK, node.pk, wait=True):
        newest = Generation.newest()
        if newest is None:
            return _note(node, None, "")
        store = generation_store()
        if _is_current(store, newest):
            return _note(node, newest, "")
        error = _switch(store, newest)
        state = _note(node, newest, error)
        if not error:
            _prune(store)  # when the engine has it: nobody waits for this
        return state


def _switch(store: Store, newest: Generation) -> str:
    """Has the link point at the generation; '' or what hindered it."""
    try:
        _fetch(store, newest)
        store.switch(newest.number)
    except (GenerationError, OSError) as error:
        log.error("generation=%s not switched to: %s", newest.number, error)
        return str(error)
    log.info("generation=%s switched to", newest.number)
    return ""


def _is_current(store: Store, newest: Generation) -> bool:
    """True when the link points at it; one that points at something broken is put right."""
    try:
        current = store.current()
    except GenerationError:
        return False
    return current is not None and (current.number, current.digest) == (
        newest.number,
        newest.digest,
    )


def _fetch(store: Store, wanted: Generation) -> None:
    """Sees to it that the generation is in the store. Raises GenerationError when it cannot."""
    if wanted.number in store.numbers() and store.read(wanted.number).digest == wanted.digest:
        return
    with consistent_read(), store.begin() as build:
        content, _report = compile_current(build)
        if content.digest != wanted.digest:
            raise GenerationError(
                f"Generation {wanted.number} is not on this node, and the rows have moved on: "
                "it waits for the next one."
            )
        build.finish(wanted.number, wanted.revision or 0, content)


def _prune(store: Store) -> None:
    try:
        store.prune(GENERATIONS_KEPT)
    except StoreBusy:
        log.info("old generations stay for now: a publish is at work")
    except (GenerationError, OSError) as error:
        log.warning("old generations could not be removed: %s", error)


def _note(node: Node, newest: Generation | None, error: str) -> NodeState:
    """Asks the engine what it runs, and keeps it."""
    state, _made = NodeState.objects.get_or_create(node=node)
    before = state.generation
    if newest and not error:
        state.switched = newest.number
    try:
        status = _ask_engine(newest)
    except EngineError as failure:
        state.engine_reachable = False
        error = error or str(failure)
        status = {}
    else:
        state.engine_reachable = True
        state.generation = status.get("generation")
        state.digest = status.get("generation_digest") or ""
        error = error or status.get("generation_error") or ""
    if state.generation != before:
        state.acknowledged_at = timezone.now()
    state.engine, state.error, state.checked_at = status, error, timezone.now()
    state.save()
    return state


def _ask_engine(newest: Generation | None) -> dict[str, Any]:
    """The engine's status; it is told to look first where it lags."""
    control = engine_control()
    status = control.status()
    wanted = (newest.number, newest.digest) if newest else None
    if wanted and (status.get("generation"), status.get("generation_digest")) != wanted:
        status = control.reload()
    return status


def is_live(revision: int) -> bool:
    """True when every enabled node's engine runs a generation that contains the change."""
    nodes = Node.objects.filter(enabled=True).values_list("state__generation", "state__digest")
    generations = Generation.objects.exclude(digest="").exclude(snapshot="")
    containing = {
        (each.number, each.digest)
        for each in generations.filter(number__in=[number for number, _digest in nodes])
        if Snapshot.parse(each.snapshot).sees(revision)
    }
    return all(node in containing for node in nodes)


def wait_until_live(revision: int, timeout_s: float) -> bool:
    """is_live, as soon as it is so; False when it was not within `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not is_live(revision):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True
