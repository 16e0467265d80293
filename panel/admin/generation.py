"""generation - the publishes: what each contains, what it said, who runs it; and "publish now".

RULES        read-only for everybody. Publishing by hand takes the permission add_generation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet
from django.db.models.fields.json import KT
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from panel.admin.base import ReadOnlyAdmin
from panel.admin.rowlinks import RowLink, row_links
from panel.admin.status import status_view
from panel.admin.unfolded import display
from panel.constants import PUBLISH_QUEUE
from panel.models import Generation, Node
from panel.services.announce import ring
from panel.services.reports import counts_in_words
from tables.writing.report import Report

LEVELS = {
    "building": "info",
    "published": "success",
    "refused": "danger",
    "failed": "danger",
}


@dataclass(frozen=True, slots=True)
class Said:
    """A finding with its link."""

    check: str
    message: str
    row: RowLink


def findings(report: Report, level: str) -> list[Said]:
    """The errors or warnings of a report."""
    found = report.errors if level == "errors" else report.warnings
    links = row_links(each.row for each in found)
    return [Said(each.check, each.message, links[each.row]) for each in found]


def report_of(generation: Generation) -> Report:
    """What the publish said; nothing yet while it is at work."""
    return Report.from_dict(generation.report) if generation.report else Report()


@admin.register(Generation)
class GenerationAdmin(ReadOnlyAdmin):
    """Generations, newest first."""

    list_display = (
        "title",
        "state_label",
        "started",
        "duration_text",
        "row_count",
        "said",
        "nodes_text",
        "requested_by",
    )
    list_display_links = ("title",)
    list_filter = (("state", ChoicesDropdownFilter),)
    search_fields = ("=number", "requested_by", "reason")
    search_help_text = gettext_lazy("A number, who asked, or why")
    list_before_template = "panel/publish.html"
    change_form_template = "panel/generation.html"
    empty_help = gettext_lazy("Generations appear here as soon as something is published.")

    def get_urls(self) -> list[URLPattern]:
        """And the button, and what the status line asks."""
        site = self.admin_site
        return [
            path("publish/", site.admin_view(self.publish), name="panel_generation_publish"),
            path("status/", site.admin_view(status_view), name="panel_status"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Generation]:
        """With what the list shows of reports, which may be long, and the nodes that run each."""
        running = Node.objects.filter(
            state__generation=OuterRef("number"), state__digest=OuterRef("digest")
        ).exclude(state__digest="")
        rows: QuerySet[Generation] = super().get_queryset(request)
        return rows.defer("report", "snapshot").annotate(
            error_number=KT("report__error_count"),
            warning_number=KT("report__warning_count"),
            node_names=ArraySubquery(running.order_by("name").values("name")),
        )

    def may_publish(self, request: HttpRequest) -> bool:
        """Who may publish by hand."""
        return bool(request.user.has_perm("panel.add_generation"))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """With the button."""
        extra = {**(extra_context or {}), "may_publish": self.may_publish(request)}
        return super().changelist_view(request, extra)

    @method_decorator(require_POST)
    def publish(self, request: HttpRequest) -> HttpResponse:
        """Rings for a publish."""
        if not self.may_publish(request):
            raise PermissionDenied
        taken = ring(
            "panel.publish",
            _("asked for in the browser"),
            request.user.get_username(),
            True,
            queue=PUBLISH_QUEUE,
        )
        if taken:
            said = _("A publish was asked for. Where nothing differs, no new generation appears.")
            self.message_user(request, said, messages.INFO)
        else:
            said = _("The broker does not answer. What is due will be published by itself later.")
            self.message_user(request, said, messages.WARNING)
        return HttpResponseRedirect(reverse("admin:panel_generation_changelist"))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """The page of one generation."""
        extra = dict(extra_context or {})
        generation = self.get_object(request, object_id or "")
        if generation is not None:
            report = report_of(generation)
            extra |= {
                "generation": generation,
                "level": LEVELS.get(generation.state, "info"),
                "errors_found": findings(report, "errors"),
                "warnings_found": findings(report, "warnings"),
                "error_count": report.error_count,
                "warning_count": report.warning_count,
                "counts": sorted((generation.counts or {}).items()),
                "running": running_nodes(generation),
                "duration": duration_text(generation),
            }
        return super().changeform_view(request, object_id, form_url, extra)

    @display(description=gettext_lazy("generation"), ordering="number")
    def title(self, generation: Generation) -> str:
        """Its number."""
        return str(generation.number)

    @display(description=gettext_lazy("state"), ordering="state", label=LEVELS)
    def state_label(self, generation: Generation) -> tuple[str, str]:
        """The state in one word."""
        return generation.state, generation.get_state_display().partition(":")[0]

    @display(description=gettext_lazy("took"))
    def duration_text(self, generation: Generation) -> str:
        """How long it took."""
        return duration_text(generation)

    @display(description=gettext_lazy("entries"))
    def row_count(self, generation: Generation) -> int:
        """Of all tables together."""
        return sum(n for n in (generation.counts or {}).values() if isinstance(n, int))

    @display(description=gettext_lazy("report"))
    def said(self, generation: Any) -> str:
        """How many errors and warnings."""
        return counts_in_words(
            int(generation.error_number or 0), int(generation.warning_number or 0)
        )

    @display(description=gettext_lazy("runs on"))
    def nodes_text(self, generation: Any) -> str:
        """The nodes that run it."""
        return ", ".join(generation.node_names) or "–"


def running_nodes(generation: Generation) -> list[Node]:
    """The nodes whose engine said that it runs this generation."""
    if not generation.digest:
        return []
    return list(
        Node.objects.filter(
            state__generation=generation.number, state__digest=generation.digest
        ).order_by("name")
    )


def duration_text(generation: Generation) -> str:
    """Seconds, with as many places as matter."""
    duration = generation.duration
    if duration is None:
        return "–"
    return _("%.2f s") % duration.total_seconds()
