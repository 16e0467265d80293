"""tables - lookup tables: /tables/, and those of kind access: /access-tables/."""

from __future__ import annotations

from panel.api.filters import FilterSet
from panel.api.rowform import RowForm
from panel.api.rowview import RowView
from panel.models import AccessTable, Table


class TableForm(RowForm):
    """A lookup table; parameters name it as type:name."""

    class Meta:
        model = Table
        fields = ("id", "name", "type", "kind", "description", "reference")
        read_only_fields = ("reference",)


class AccessTableForm(RowForm):
    """A table that check_..._access restrictions ask."""

    class Meta:
        model = AccessTable
        fields = ("id", "name", "type", "description", "reference")
        read_only_fields = ("reference",)


class TableFilter(FilterSet):
    """?kind=virtual&type=hash"""

    class Meta:
        model = Table
        fields = ("name", "type", "kind")


class AccessTableFilter(FilterSet):
    """?type=cidr"""

    class Meta:
        model = AccessTable
        fields = ("name", "type")


class TableView(RowView):
    """Lookup tables of every kind."""

    permission_model = Table
    queryset = Table.objects.all()
    serializer_class = TableForm
    filterset_class = TableFilter
    search_fields = ("name", "description")
    ordering_names = {"id": "pk", "name": "name", "type": "type", "kind": "kind"}


class AccessTableView(RowView):
    """Tables of kind access."""

    permission_model = AccessTable
    queryset = AccessTable.objects.all()
    serializer_class = AccessTableForm
    filterset_class = AccessTableFilter
    search_fields = ("name", "description")
    ordering_names = {"id": "pk", "name": "name", "type": "type"}
