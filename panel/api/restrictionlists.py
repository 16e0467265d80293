"""restrictionlists - ordered lists of restrictions: /restriction-lists/.

RULES        a list is sent and answered whole, its members in order. Members that stay as they are
             are not written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from panel.api.entryform import TableName
from panel.api.filters import FilterSet
from panel.api.rowform import RowForm
from panel.api.rowview import RowView
from panel.models import Restriction, RestrictionList

MEMBERS_LIMIT = 1000


class RestrictionForm(RowForm):
    """One member of a list."""

    table = TableName(required=False, allow_null=True, help_text="The table asked, by its name.")

    set_elsewhere = frozenset({"list", "position"})

    class Meta:
        model = Restriction
        fields = ("name", "argument", "table", "warn_if_reject")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The member as the model understands it: old names are replaced by new ones."""
        super().validate(attrs)
        return {name: getattr(self.row, name) for name in self.Meta.fields}


class RestrictionListForm(RowForm):
    """A list of restrictions, or a restriction class."""

    members = RestrictionForm(many=True, max_length=MEMBERS_LIMIT)  # type: ignore[call-arg]

    class Meta:
        model = RestrictionList
        fields = ("id", "name", "is_class", "description", "members")

    def assign(self, row: RestrictionList, attrs: dict[str, Any]) -> None:
        """The members come after the list is stored."""
        super().assign(row, {name: value for name, value in attrs.items() if name != "members"})

    def after_save(self, row: RestrictionList, attrs: Mapping[str, Any]) -> None:
        """Makes the members those given, in that order."""
        if "members" not in attrs:
            return
        before = list(row.members.order_by("position", "pk"))
        for position, given in enumerate(attrs["members"]):
            member = before[position] if position < len(before) else Restriction(list=row)
            wanted = {**given, "position": position}
            if member.pk and all(getattr(member, name) == wanted[name] for name in wanted):
                continue
            for name, value in wanted.items():
                setattr(member, name, value)
            member.save()
        for member in before[len(attrs["members"]) :]:
            member.delete()
        setattr(row, "_prefetched_objects_cache", {})  # noqa: B010 - Django's own


class RestrictionListFilter(FilterSet):
    """?is_class=true"""

    class Meta:
        model = RestrictionList
        fields = ("name", "is_class")


class RestrictionListView(RowView):
    """Lists of restrictions and restriction classes."""

    permission_model = RestrictionList
    queryset = RestrictionList.objects.prefetch_related("members__table")
    serializer_class = RestrictionListForm
    filterset_class = RestrictionListFilter
    search_fields = ("name", "description")
    ordering_names = {"id": "pk", "name": "name", "is_class": "is_class"}
