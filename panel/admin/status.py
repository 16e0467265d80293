"""status - the line on every page: what waits, what the last publish said, what the nodes run.

SUMMARY      page_context(request) for the first look; status_view answers the page's questions
RULES        the page asks every few seconds; an answer takes a handful of small queries. It carries
             sentences, the page only puts them in place, as text.
             ?edit=REVISION asks how far an edit has come; at most EDITS at once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from panel.choices import GenerationState
from panel.models import Generation, Node
from panel.services.changes import Snapshot, pending_changes
from panel.services.nodes import is_live

EDITS = 10
PENDING_LIMIT = 1000
REVISION_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Part:
    """One sentence of the line. `level` is good, busy, waiting or bad."""

    text: str
    level: str
    url: str


def page_context(request: HttpRequest) -> dict[str, Any]:
    """What every page of the admin gets; see GLOBAL_CALLBACK in settings."""
    if not (request.user.is_active and request.user.is_staff):
        return {}
    return {"status_parts": status_parts()}


def status_view(request: HttpRequest) -> JsonResponse:
    """The line, and how far the edits have come that the page asks about."""
    wanted = [
        text
        for text in request.GET.getlist("edit")[:EDITS]
        if text.isascii() and text.isdigit() and len(text) <= REVISION_DIGITS
    ]
    last = Generation.objects.first()
    newest = Generation.newest()
    response = JsonResponse(
        {
            "parts": [asdict(part) for part in status_parts()],
            "edits": {text: asdict(edit_part(int(text), newest, last)) for text in wanted},
        }
    )
    response["Cache-Control"] = "no-store"
    return response


def status_parts() -> list[Part]:
    """The publish, and the nodes."""
    last = Generation.objects.first()
    newest = Generation.newest()
    return [publish_part(last), *node_parts(newest)]


def generation_url(generation: Generation | None) -> str:
    """The page of a generation, or of all of them."""
    if generation is None:
        return reverse("admin:panel_generation_changelist")
    return reverse("admin:panel_generation_change", args=[generation.pk])


def is_trouble(last: Generation | None) -> bool:
    """True while the last publish that did not end well still stands in the way.

    Rows that were put back as they were are published again, without a new generation.
    """
    if last is None:
        return False
    if last.state == GenerationState.REFUSED:
        return pending_changes().exists()
    return last.state == GenerationState.FAILED


def publish_part(last: Generation | None) -> Part:
    """What the last publish came to, and whether something waits for the next one."""
    waiting = pending_changes()[:PENDING_LIMIT].count()
    if last is not None and last.state == GenerationState.BUILDING:
        seconds = max(0, int((timezone.now() - last.started).total_seconds()))
        text = _("Publishing generation %(number)d for %(seconds)d s …")
        said = text % {"number": last.number, "seconds": seconds}
        return Part(said, "busy", generation_url(last))
    if last is not None and last.state == GenerationState.REFUSED and waiting:
        errors = int((last.report or {}).get("error_count", 0))
        said = ngettext(
            "Generation %(number)d was refused: %(errors)d error",
            "Generation %(number)d was refused: %(errors)d errors",
            errors,
        ) % {"number": last.number, "errors": errors}
        return Part(said, "bad", generation_url(last))
    if last is not None and last.state == GenerationState.FAILED:
        said = _("Generation %d could not be written") % last.number
        return Part(said, "bad", generation_url(last))
    if waiting:
        number = f"{waiting}+" if waiting == PENDING_LIMIT else str(waiting)
        said = ngettext(
            "%(number)s change is not published yet",
            "%(number)s changes are not published yet",
            waiting,
        ) % {"number": number}
        return Part(said, "waiting", reverse("admin:panel_change_changelist") + "?pending=1")
    return Part(_("All changes are published"), "good", generation_url(None))


def node_parts(newest: Generation | None) -> list[Part]:
    """One sentence when all is well, otherwise one for each node where it is not."""
    nodes = list(Node.objects.filter(enabled=True).select_related("state")[:100])
    url = reverse("admin:panel_node_changelist")
    if not nodes:
        return [Part(_("There is no node"), "bad", url)]
    wrong = [part for node in nodes if (part := node_trouble(node, newest))]
    if wrong:
        return wrong[:5]
    if newest is None:
        return [Part(_("No generation yet"), "waiting", generation_url(None))]
    return [Part(_("Generation %d is live") % newest.number, "good", generation_url(newest))]


def node_trouble(node: Node, newest: Generation | None) -> Part | None:
    """Why this node is not as it should be; None when it is."""
    url = reverse("admin:panel_node_change", args=[node.pk])
    state = getattr(node, "state", None)
    if state is None or state.checked_at is None:
        return Part(_("%s has not answered yet") % node.name, "waiting", url)
    if not state.engine_reachable:
        return Part(_("The engine of %s does not answer") % node.name, "bad", url)
    if state.error:
        return Part(_("%s reports trouble") % node.name, "bad", url)
    if newest is not None and (state.generation, state.digest) != (newest.number, newest.digest):
        said = _("%(node)s still runs generation %(number)s")
        number = state.generation if state.generation is not None else "–"
        return Part(said % {"node": node.name, "number": number}, "waiting", url)
    return None


def edit_part(revision: int, newest: Generation | None, last: Generation | None) -> Part:
    """How far the edit of this revision has come."""
    contained = newest is not None and Snapshot.parse(newest.snapshot).sees(revision)
    if newest is not None and contained:
        if is_live(revision) and Node.objects.filter(enabled=True).exists():
            return Part(_("Live in generation %d.") % newest.number, "good", generation_url(newest))
        said = _("In generation %d; waiting for the nodes …") % newest.number
        return Part(said, "busy", generation_url(newest))
    if last is not None and last.state == GenerationState.REFUSED:
        if Snapshot.parse(last.snapshot).sees(revision):
            said = _("Not live: generation %d was refused, see why.") % last.number
            return Part(said, "bad", generation_url(last))
    elif last is not None and last.state == GenerationState.FAILED:
        said = _("Not live: generation %d could not be written, see why.") % last.number
        return Part(said, "bad", generation_url(last))
    return Part(_("Not live yet …"), "busy", generation_url(None))
