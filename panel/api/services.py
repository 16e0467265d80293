"""services - the lines of master.cf: /services/.

RULES        the natural key is name/type, as postconf -M says it: /services/by-key/smtp/inet/
"""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from panel.api.fields import Text
from panel.api.filters import FilterSet
from panel.api.rowform import RowForm
from panel.api.rowview import RowView
from panel.constants import VALUE_LENGTH
from panel.models import Service


class ServiceForm(RowForm):
    """One service and its overrides."""

    overrides = serializers.DictField(
        child=Text(max_length=VALUE_LENGTH, allow_blank=True),
        required=False,
        help_text="Parameters with other values for this service: -o name=value.",
    )

    api_names: ClassVar[dict[str, str]] = {}

    class Meta:
        model = Service
        fields = (
            "id",
            "name",
            "type",
            "command",
            "private",
            "unprivileged",
            "chroot",
            "wakeup",
            "maxproc",
            "overrides",
            "enabled",
        )


class ServiceFilter(FilterSet):
    """?type=inet&enabled=true"""

    class Meta:
        model = Service
        fields = ("name", "type", "enabled")


class ServiceView(RowView):
    """Services of the engine."""

    permission_model = Service
    queryset = Service.objects.all()
    serializer_class = ServiceForm
    filterset_class = ServiceFilter
    search_fields = ("name", "command")
    ordering_names = {"id": "pk", "name": "name", "type": "type"}
    key_fields = ("name", "type")
    key_attributes = frozenset({"name", "type"})

    def key_of_address(self, text: str) -> dict[str, Any]:
        """name/type"""
        name, _slash, type_ = text.rpartition("/")
        return {"name": name, "type": type_}
