"""journal - where a message went: what the engines wrote into their journals.

RULES        read-only for everybody. The search takes a queue id, or an address or the beginning of
             one: all of them have an index, however many events there are. The page of an event
             shows all events of its message, in their order.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy

from panel.admin.base import ReadOnlyAdmin
from panel.admin.change import shown
from panel.admin.unfolded import DropdownFilter, display
from panel.models import Generation, JournalEvent

EVENTS = ("accepted", "rejected", "delivered", "deferred", "bounced", "expired", "reported")
LABELS = {
    "accepted": "info",
    "delivered": "success",
    "deferred": "warning",
    "rejected": "danger",
    "bounced": "danger",
    "expired": "danger",
}
TELLING = ("reason", "reply", "relay", "client", "restriction", "table", "key")
SHOWN = 120  # characters of what happened in the list
SIBLINGS = 200  # events of one message on its page


class EventFilter(DropdownFilter):
    """What happened."""

    title = gettext_lazy("event")
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The events that an engine writes."""
        return [(name, name) for name in EVENTS]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[JournalEvent]
    ) -> QuerySet[JournalEvent]:
        """The events of that name."""
        return queryset.filter(event=self.value()) if self.value() else queryset


@admin.register(JournalEvent)
class JournalEventAdmin(ReadOnlyAdmin):
    """The message log."""

    list_display = ("at", "event_label", "queue_id", "from_whom", "recipient", "told", "generation")
    list_display_links = ("at",)
    list_filter = (EventFilter,)
    search_fields = ("queue_id",)
    search_help_text = gettext_lazy("A queue id, or an address or how it begins")
    ordering = ("-at", "-id")
    sortable_by = ()
    rows_named = gettext_lazy("message events")  # "3 message log" is no English
    change_form_template = "panel/journal.html"
    empty_help = gettext_lazy(
        "Every message that the engine accepts, delivers, defers or refuses appears here, a few "
        "seconds later."
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[JournalEvent], search_term: str
    ) -> tuple[QuerySet[JournalEvent], bool]:
        """By queue id or address."""
        words = search_term.strip()
        if not words:
            return queryset, False
        begins = Q(recipient__startswith=words) | Q(sender__startswith=words)
        return queryset.filter(Q(queue_id=words) | begins), False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """All that happened to the message."""
        extra = dict(extra_context or {})
        event = self.get_object(request, object_id or "")
        if event is not None:
            same = JournalEvent.objects.filter(queue_id=event.queue_id).order_by("at", "id")
            events = list(same[:SIBLINGS]) if event.queue_id else [event]
            extra |= {"event": event, "steps": [_step(each) for each in events]}
        return super().changeform_view(request, object_id, form_url, extra)

    @display(description=gettext_lazy("event"), label=LABELS)
    def event_label(self, event: JournalEvent) -> str:
        """What happened, in colour."""
        return event.event

    @display(description=gettext_lazy("sender"))
    def from_whom(self, event: JournalEvent) -> str:
        """The sender; the null sender, which reports have, as in SMTP."""
        is_known = bool(event.queue_id) and event.event != "reported"
        return event.sender or ("<>" if is_known else "")

    @display(description=gettext_lazy("what happened"))
    def told(self, event: JournalEvent) -> str:
        """Whom it was for and became, the reason, or whatever else tells most."""
        if given := event.details.get("original_recipients"):
            queued = event.details.get("queued_recipients") or given
            became = "" if queued == given else f" → {_told(queued)}"
            return Truncator(_told(given) + became).chars(SHOWN)
        for name in TELLING:
            if text := event.details.get(name):
                return Truncator(shown(text)).chars(SHOWN)
        return ""


def _step(event: JournalEvent) -> dict[str, Any]:
    """One event as its page shows it."""
    facts = [(name, _told(value)) for name, value in event.details.items()]
    known = Generation.objects.filter(number=event.generation or 0).first()
    return {
        "event": event,
        "facts": facts,
        "generation_url": (
            reverse("admin:panel_generation_change", args=[known.pk]) if known else ""
        ),
    }


def _told(value: object) -> str:
    """A fact for people: lists are addresses."""
    return ", ".join(map(str, value)) if isinstance(value, list) else shown(value)
