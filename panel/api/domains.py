"""domains - hosted domains: /domains/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from panel.api.filters import FilterSet
from panel.api.rowform import RowForm
from panel.api.rowview import RowView
from panel.models import Domain
from panel.validators import as_domain


class DomainForm(RowForm):
    """A domain that this system receives mail for."""

    display_name = serializers.CharField(
        read_only=True, help_text="The name in Unicode, for people."
    )

    class Meta:
        model = Domain
        fields = ("id", "name", "display_name", "kind", "enabled", "description")


class DomainFilter(FilterSet):
    """?kind=relay&enabled=true&name=example.com"""

    class Meta:
        model = Domain
        fields = ("name", "kind", "enabled")


class DomainView(RowView):
    """Hosted domains."""

    permission_model = Domain
    queryset = Domain.objects.all()
    serializer_class = DomainForm
    filterset_class = DomainFilter
    search_fields = ("name",)
    ordering_names = {"id": "pk", "name": "name", "kind": "kind", "enabled": "enabled"}

    def key_columns(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The name as A-labels."""
        return {"name": as_domain(str(values["name"]), field="name")}
