"""changes - who changed what: /changes/, to be read only."""

from __future__ import annotations

from django.db.models import QuerySet

from panel.api.changeform import ChangeForm
from panel.api.filters import BooleanFilter, CharFilter, FilterSet, IsoDateTimeFilter
from panel.api.rowview import ReadView
from panel.models import Change
from panel.services.changes import pending_changes


class ChangeFilter(FilterSet):
    """?model=mailbox&row=7&actor=amy&since=2026-01-01T00:00:00Z&pending=true"""

    model = CharFilter()
    actor = CharFilter()
    since = IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = IsoDateTimeFilter(field_name="at", lookup_expr="lt")
    pending = BooleanFilter(method="is_pending", label="In no published generation yet, or in one.")

    class Meta:
        model = Change
        fields = ("model", "row", "operation", "actor", "source", "revision")

    def is_pending(self, queryset: QuerySet[Change], name: str, value: bool) -> QuerySet[Change]:
        """Those that the newest published generation does not contain; or the others."""
        pending = pending_changes()
        if value:
            return queryset & pending
        return queryset.exclude(pk__in=pending.values("pk"))


class ChangeView(ReadView):
    """Change records, newest first."""

    permission_model = Change
    queryset = Change.objects.all()
    serializer_class = ChangeForm
    filterset_class = ChangeFilter
    ordering_names = {"id": "pk", "at": "at"}
