"""parameters - the settings of postconf(5): /settings/.

RULES        a row for each parameter that is set; without a row a parameter has its default. Beside
             its value each says what the registry knows: type, default, help.
"""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import serializers

from panel.api.filters import FilterSet
from panel.api.problems import Problem
from panel.api.rowform import RowForm
from panel.api.rowview import RowView
from panel.models import Parameter
from tables import parameters


class ParameterForm(RowForm):
    """One parameter that is set."""

    default = serializers.SerializerMethodField(
        method_name="get_usual", help_text="What it would be without this row."
    )
    type = serializers.SerializerMethodField(help_text="bool, int, time, tables ...")
    help = serializers.SerializerMethodField(help_text="What it does.")

    class Meta:
        model = Parameter
        fields = ("id", "name", "value", "default", "type", "help")
        extra_kwargs = {"value": {"required": True}}

    def get_usual(self, row: Parameter) -> str | None:
        """None for a name of the administrator's own."""
        known = parameters.find(row.name)
        return known.default if known else None

    def get_type(self, row: Parameter) -> str:
        """The registry's word."""
        known = parameters.find(row.name)
        return known.type.value if known else "text"

    def get_help(self, row: Parameter) -> str:
        """One sentence."""
        known = parameters.find(row.name)
        return f"{known.help} {known.idle}".rstrip() if known else ""


class ParameterFilter(FilterSet):
    """?name=myhostname"""

    class Meta:
        model = Parameter
        fields = ("name",)


class ParameterView(RowView):
    """Parameters that are set."""

    permission_model = Parameter
    queryset = Parameter.objects.all()
    serializer_class = ParameterForm
    filterset_class = ParameterFilter
    search_fields = ("name", "value")
    ordering_names = {"id": "pk", "name": "name"}

    def find(self, **columns: Any) -> Any:
        """A parameter that is known and not set says so."""
        try:
            return super().find(**columns)
        except Http404:
            known = parameters.find(str(columns.get("name", "")))
            if known is None:
                raise
            message = _("%(name)s is not set: it has its default, %(default)r.")
            raise Problem(404, message % {"name": known.name, "default": known.default}) from None
