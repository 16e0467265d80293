"""messages - where messages went: /messages/, the engines' journal, to be read only."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from panel.api.filters import CharFilter, FilterSet, IsoDateTimeFilter
from panel.api.rowview import ReadView
from panel.models import JournalEvent


class MessageForm(serializers.ModelSerializer[Any]):
    """One event of one message: what an engine decided or did, and by which generation."""

    node = serializers.SlugRelatedField[Any](slug_field="name", read_only=True)

    class Meta:
        model = JournalEvent
        fields = (
            "id",
            "at",
            "event",
            "queue_id",
            "sender",
            "recipient",
            "generation",
            "node",
            "details",
        )
        read_only_fields = fields


class MessageFilter(FilterSet):
    """?queue_id=4jXX&recipient=amy@example.com&event=bounced&since=2026-01-01T00:00:00Z"""

    queue_id = CharFilter()
    sender = CharFilter(lookup_expr="startswith", label="How the sender's address begins.")
    recipient = CharFilter(lookup_expr="startswith", label="How the recipient's address begins.")
    since = IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = JournalEvent
        fields = ("event", "generation")


class MessageView(ReadView):
    """Events, newest first."""

    permission_model = JournalEvent
    queryset = JournalEvent.objects.select_related("node")
    serializer_class = MessageForm
    filterset_class = MessageFilter
    ordering_names = {"id": "pk", "at": "at"}
