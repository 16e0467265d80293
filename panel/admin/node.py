"""node - the engine hosts: what each runs, how its engine is; and the queue of this host's engine.

RULES        looking takes view_node; flushing the queue and disabling a node take change_node
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Q, QuerySet, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from panel.admin.base import BaseAdmin
from panel.admin.queue import as_time, counts_in_words, queue_page
from panel.admin.unfolded import display
from panel.models import Generation, Node
from panel.services.engine import EngineError
from panel.services.nodes import engine_control


@admin.register(Node)
class NodeAdmin(BaseAdmin):
    """Engine hosts."""

    list_display = ("name", "live_label", "engine_label", "queue_text", "checked", "description")
    search_fields = ("name", "description")
    fields = ("name", "enabled", "description")
    change_form_outer_after_template = "panel/node_state.html"
    empty_help = gettext_lazy(
        "A node is a host with an engine. Its Celery worker listens on the queue node.<name>."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        """With what is known of each."""
        newest = Generation.newest()
        runs_newest = Q(pk=None)
        if newest:
            runs_newest = Q(state__generation=newest.number, state__digest=newest.digest)
        rows: QuerySet[Node] = super().get_queryset(request)
        return rows.select_related("state").annotate(
            runs_newest=Case(When(runs_newest, then=True), default=False)
        )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """With what its engine said of itself."""
        extra = dict(extra_context or {})
        node = self.get_object(request, object_id) if object_id else None
        state = getattr(node, "state", None)
        if state is not None:
            extra["engine_facts"] = engine_facts(state.engine or {})
        return super().changeform_view(request, object_id, form_url, extra)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The name is that of its Celery queue: it stays."""
        return ("name",) if obj else ()

    def get_urls(self) -> list[URLPattern]:
        """And the queue."""
        view = self.admin_site.admin_view
        return [
            path("queue/", view(self.queue), name="panel_queue"),
            path("queue/flush/", view(self.flush), name="panel_queue_flush"),
            *super().get_urls(),
        ]

    def queue(self, request: HttpRequest) -> HttpResponse:
        """The queue of the engine on this host."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        after = request.GET.get("after", "")[:100]
        return TemplateResponse(
            request,
            "panel/queue.html",
            {
                **self.admin_site.each_context(request),
                "title": _("Queue"),
                "may_flush": self.has_change_permission(request),
                "after": after,
                **queue_page(engine_control(), after),
            },
        )

    @method_decorator(require_POST)
    def flush(self, request: HttpRequest) -> HttpResponse:
        """Has all deferred mail tried now."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        try:
            number = engine_control().flush()
        except EngineError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            said = ngettext(
                "%d message will be tried now.", "%d messages will be tried now.", number
            )
            self.message_user(request, said % number, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:panel_queue"))

    @display(
        description=gettext_lazy("runs generation"),
        label={"newest": "success", "older": "warning", "none": "danger"},
    )
    def live_label(self, node: Any) -> tuple[str, str]:
        """The generation that its engine said it runs."""
        state = getattr(node, "state", None)
        if state is None or state.generation is None:
            return "none", _("none")
        return ("newest" if node.runs_newest else "older"), str(state.generation)

    @display(
        description=gettext_lazy("engine"),
        label={"answers": "success", "silent": "danger", "disabled": "info", "trouble": "warning"},
    )
    def engine_label(self, node: Any) -> tuple[str, str]:
        """Whether its engine answers."""
        state = getattr(node, "state", None)
        if not node.enabled:
            return "disabled", _("disabled")
        if state is None or not state.engine_reachable:
            return "silent", _("no answer")
        return ("trouble", _("trouble")) if state.error else ("answers", _("answers"))

    @display(description=gettext_lazy("queue"))
    def queue_text(self, node: Any) -> str:
        """Messages by what they wait for."""
        state = getattr(node, "state", None)
        return counts_in_words((state.engine or {}).get("queue") if state else None) or "–"

    @display(description=gettext_lazy("asked"), ordering="state__checked_at")
    def checked(self, node: Any) -> Any:
        """When its worker last asked the engine."""
        state = getattr(node, "state", None)
        return state.checked_at if state else None


def engine_facts(engine: dict[str, Any]) -> list[tuple[str, str]]:
    """What an engine says of itself, in words; what is empty is left out."""
    titles = {
        "version": _("Version"),
        "pid": _("Process"),
        "started": _("Running since"),
        "listeners": _("Listens on"),
        "listener_errors": _("Cannot listen on"),
        "generation_error": _("Generation"),
        "queue": _("Queue"),
        "sessions": _("Sessions"),
        "counters": _("Since its start"),
    }
    return [
        (title, said)
        for name, title in titles.items()
        if (said := in_words(name, engine.get(name)))
    ]


def in_words(name: str, value: Any) -> str:
    """One answer as text."""
    if name == "started" and (at := as_time(value)):
        return str(date_format(timezone.localtime(at), "DATETIME_FORMAT"))
    if name == "queue":
        return counts_in_words(value)
    if isinstance(value, dict):
        return ", ".join(f"{each} {said}" for each, said in value.items())
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return "" if value is None else str(value)
